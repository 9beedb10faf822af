package group

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/internal/testlog"
	"github.com/gotribes/tribes/transport/mem"
)

// TestHandlerLimits: so many requests at a time, so many in the queue, and the others
// are refused at once.
func TestHandlerLimits(t *testing.T) {
	inGroup(t, 1, func(t *testing.T, _ *mem.Network, a *Group, servers []*Group, to []*Member) {
		var now, most atomic.Int64
		serve(t, servers[0], func(ctx context.Context, req *Request) ([]byte, error) {
			most.Store(max(most.Load(), now.Add(1)))
			defer now.Add(-1)
			return echo("b", time.Second)(ctx, req)
		}, HandlerConfig{Concurrency: 2, Queue: 3, QueueBytes: 100})
		var replied, busy, late int
		var mu sync.Mutex
		var wg sync.WaitGroup
		begin := time.Now()
		for range 8 {
			wg.Go(func() { // ends with its call
				answers, err := rpcIn(t, a).Call(t.Context(), to, []byte("x"), AllReplies)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil && answers[0].Outcome == CallReplied:
					replied++
				case errors.Is(err, ErrBusy) && answers[0].Outcome == CallBusy:
					busy++
					if time.Since(begin) > 0 {
						late++
					}
				default:
					t.Errorf("Call = %s, %v", told(answers), err)
				}
			})
		}
		synctest.Wait()
		if st := servers[0].Stats().RPC; st.Running != 2 || st.Queued != 3 || st.Busy != 3 {
			t.Errorf("stats %+v, want 2 running, 3 queued, 3 refused", st)
		}
		wg.Wait()
		if replied != 5 || busy != 3 || late != 0 || most.Load() != 2 || time.Since(begin) != 3*time.Second {
			t.Errorf("%d replies, %d refused (%d late), %d at a time, in %v; want 5, 3 at once, 2, 3s", replied, busy, late, most.Load(), time.Since(begin))
		}
	})
}

// TestHandlerQueueBytes: large requests are bounded by bytes; one alone always fits.
func TestHandlerQueueBytes(t *testing.T) {
	inGroup(t, 1, func(t *testing.T, _ *mem.Network, a *Group, servers []*Group, to []*Member) {
		serve(t, servers[0], echo("b", time.Second), HandlerConfig{Concurrency: 1, QueueBytes: 100})
		var wg sync.WaitGroup
		for i, size := range []int{1, 1000, 1} {
			wg.Go(func() { // ends with its call
				answers, err := rpcIn(t, a).Call(t.Context(), to, make([]byte, size), AllReplies)
				if i == 2 && !errors.Is(err, ErrBusy) || i < 2 && err != nil {
					t.Errorf("request %d: Call = %s, %v", i, told(answers), err)
				}
			})
			synctest.Wait()
		}
		wg.Wait()
	})
}

// TestHandlerInOrder: one at a time is in order of arrival.
func TestHandlerInOrder(t *testing.T) {
	inGroup(t, 1, func(t *testing.T, _ *mem.Network, a *Group, servers []*Group, to []*Member) {
		var got []string
		serve(t, servers[0], func(_ context.Context, req *Request) ([]byte, error) {
			time.Sleep(time.Millisecond) // virtual
			got = append(got, string(req.Bytes))
			return nil, nil
		}, HandlerConfig{Concurrency: 1})
		var want []string
		for i := range 50 {
			want = append(want, fmt.Sprint(i))
			if _, err := rpcIn(t, a).Call(t.Context(), to, []byte(want[i]), NoReply); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := rpcIn(t, a).Call(t.Context(), to, nil, AllReplies); err != nil {
			t.Fatal(err)
		}
		if strings.Join(got[:len(got)-1], ",") != strings.Join(want, ",") {
			t.Errorf("processed %v, want them in order", got)
		}
		if st := a.Stats().RPC; st.Late+st.Unwanted != 0 {
			t.Errorf("stats %+v: replies to calls that want none", st)
		}
	})
}

// TestHandlerContext: it ends when the caller does not wait any more, and when the
// caller has left or failed; requests of those who are gone are not begun.
func TestHandlerContext(t *testing.T) {
	inGroup(t, 3, func(t *testing.T, net *mem.Network, a *Group, servers []*Group, to []*Member) {
		causes := make(chan error, 1)
		serve(t, a, func(ctx context.Context, _ *Request) ([]byte, error) {
			<-ctx.Done()
			causes <- context.Cause(ctx)
			return nil, ctx.Err()
		}, HandlerConfig{Concurrency: 1})
		call := func(g *Group, d time.Duration) {
			ctx, cancel := context.WithTimeout(context.Background(), d)
			defer cancel()
			if _, err := rpcIn(t, g).Call(ctx, []*Member{a.Local()}, nil, AllReplies); err == nil {
				t.Error("Call: no error")
			}
		}
		var wg sync.WaitGroup
		begin := time.Now()
		wg.Go(func() { call(servers[0], 2*time.Second) })
		if cause := <-causes; cause != ErrTimeout || time.Since(begin) != 2*time.Second {
			t.Errorf("the caller's time is over: %v after %v, want %v after 2s", cause, time.Since(begin), ErrTimeout)
		}
		for range 2 { // the second waits in the queue
			wg.Go(func() { call(servers[1], time.Minute) })
		}
		synctest.Wait()
		wg.Go(func() {
			if err := servers[1].Stop(t.Context()); err != nil {
				t.Errorf("stop: %v", err)
			}
		})
		if cause := <-causes; cause != ErrMemberLeft {
			t.Errorf("the caller leaves: %v, want %v", cause, ErrMemberLeft)
		}
		wg.Go(func() { call(servers[2], 30*time.Second) })
		synctest.Wait()
		net.Crash("d")
		if cause := <-causes; cause != ErrMemberFailed {
			t.Errorf("the caller fails: %v, want %v", cause, ErrMemberFailed)
		}
		wg.Wait()
		synctest.Wait()
		if st := a.Stats().RPC; st.Expired != 1 || st.HandlerErrors != 3 || st.Running+st.Queued != 0 {
			t.Errorf("stats %+v, want 3 that ended and 1 expired", st)
		}
	})
}

// TestStopDuringCalls: handlers may finish, new requests are refused, and calls that
// wait end.
func TestStopDuringCalls(t *testing.T) {
	inGroup(t, 2, func(t *testing.T, _ *mem.Network, a *Group, servers []*Group, to []*Member) {
		serve(t, servers[0], echo("b", 2*time.Second))
		serve(t, servers[1], echo("c", time.Minute))
		var wg sync.WaitGroup
		wg.Go(func() { // ends with the call
			answers, err := rpcIn(t, a).Call(t.Context(), to[:1], []byte("x"), AllReplies)
			if told(answers) != "b:x" || err != nil {
				t.Errorf("a call that was served during the stop = %s, %v", told(answers), err)
			}
		})
		wg.Go(func() { // ends with the call
			answers, err := rpcIn(t, servers[0]).Call(t.Context(), to[1:], []byte("x"), AllReplies)
			if told(answers) != "canceled" || !errors.Is(err, ErrClosed) {
				t.Errorf("a call of the member that stops = %s, %v; want %v", told(answers), err, ErrClosed)
			}
		})
		synctest.Wait()
		servers[0].Close()
		synctest.Wait()
		answers, err := rpcIn(t, a).Call(t.Context(), to[:1], []byte("y"), AllReplies)
		if told(answers) != "no handler" {
			t.Errorf("a call during the stop = %s, %v; want no handler", told(answers), err)
		}
		if _, err := rpcIn(t, servers[0]).Call(t.Context(), to[1:], nil, AllReplies); err != ErrClosed {
			t.Errorf("Call of the member that stops = %v, want %v", err, ErrClosed)
		}
		<-servers[0].Done()
		wg.Wait()
	})
}

// TestOneHandler: there is one at a time, and it can be taken away.
func TestOneHandler(t *testing.T) {
	inGroup(t, 1, func(t *testing.T, _ *mem.Network, a *Group, servers []*Group, to []*Member) {
		r := rpcIn(t, servers[0])
		remove, err := r.Handle(echo("one", 0), HandlerConfig{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Handle(echo("two", 0), HandlerConfig{}); err != ErrHandled {
			t.Errorf("a second Handle = %v, want %v", err, ErrHandled)
		}
		call := func(want string) {
			t.Helper()
			if answers, _ := rpcIn(t, a).Call(t.Context(), to, []byte("x"), AllReplies); told(answers) != want {
				t.Errorf("Call = %s, want %s", told(answers), want)
			}
		}
		call("one:x")
		remove()
		call("no handler")
		removeTwo, err := r.Handle(echo("two", 0), HandlerConfig{})
		if err != nil {
			t.Fatal(err)
		}
		remove() // of the first, which is gone
		call("two:x")
		removeTwo()
		if st := servers[0].Stats().RPC; st.NoHandler != 1 {
			t.Errorf("stats %+v, want one request without a handler", st)
		}
	})
}

// TestPanicsOfHandlers are logged, counted and told.
func TestPanicsOfHandlers(t *testing.T) {
	inGroup(t, 1, func(t *testing.T, _ *mem.Network, a *Group, servers []*Group, to []*Member) {
		serve(t, servers[0], func(context.Context, *Request) ([]byte, error) { panic("oops") })
		for range 2 {
			if _, err := rpcIn(t, a).Call(t.Context(), to, nil, AllReplies); err == nil || !strings.Contains(err.Error(), "oops") {
				t.Errorf("Call = %v, want the panic", err)
			}
		}
		if st := servers[0].Stats().RPC; st.Panics != 2 || st.HandlerErrors != 2 {
			t.Errorf("stats %+v, want 2 panics", st)
		}
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic of a filter did not reach the caller")
				}
			}()
			rpcIn(t, a).Call(t.Context(), []*Member{a.Local()}, nil, AllReplies) // warm
			serve(t, a, echo("a", 0))
			rpcIn(t, a).Call(t.Context(), []*Member{a.Local()}, nil, AllReplies, ReplyFilter(func(*Answer) bool { panic("no") }))
		}()
		if st := a.Stats().RPC; st.Waiting != 0 {
			t.Errorf("stats %+v: a call still waits", st)
		}
	})
}

// TestReplyLimits: too large a reply is an error on both sides.
func TestReplyLimits(t *testing.T) {
	inGroup(t, 1, func(t *testing.T, net *mem.Network, a *Group, servers []*Group, to []*Member) {
		serve(t, servers[0], func(_ context.Context, req *Request) ([]byte, error) { return req.Bytes, nil })
		for _, size := range []int{0, 1000, 100_000} {
			answers, err := rpcIn(t, a).Call(t.Context(), to, make([]byte, size), AllReplies)
			if err != nil || len(answers[0].Bytes) != size {
				t.Errorf("%d bytes: %s, %v", size, answers[0].Outcome, err)
			}
		}
		answers, err := rpcIn(t, a).Call(t.Context(), to, make([]byte, 100_001), AllReplies)
		var failed *HandlerError
		if !errors.As(err, &failed) || !strings.Contains(failed.Reason, "100001 bytes") {
			t.Errorf("the server's limit: %s, %v", told(answers), err)
		}
		small := open(t, net, "small", WithRPC(RPCConfig{MaxReply: 1000}))
		if err := small.WaitMembers(t.Context(), 2); err != nil {
			t.Fatal(err)
		}
		answers, err = rpcIn(t, small).Call(t.Context(), to, make([]byte, 1000), AllReplies)
		if err != nil {
			t.Errorf("at the caller's limit: %s, %v", told(answers), err)
		}
		answers, err = rpcIn(t, small).Call(t.Context(), to, make([]byte, 2000), AllReplies)
		if answers[0].Outcome != CallBadReply || !errors.Is(err, ErrTooLarge) {
			t.Errorf("beyond the caller's limit: %s, %v; want %v", told(answers), err, ErrTooLarge)
		}
	}, WithRPC(RPCConfig{MaxReply: 100_000}))
}

// TestReplyBeyondTheFrameLimit: a reply that the sender refuses becomes an error too.
func TestReplyBeyondTheFrameLimit(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		net := mem.NewNetwork(mem.Config{MaxFrame: 10_000})
		a, b := open(t, net, "a"), open(t, net, "b")
		if err := a.WaitMembers(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		serve(t, b, func(context.Context, *Request) ([]byte, error) { return make([]byte, 20_000), nil })
		answers, err := rpcIn(t, a).Call(t.Context(), []*Member{b.Local()}, nil, AllReplies)
		var failed *HandlerError
		if !errors.As(err, &failed) || !strings.Contains(failed.Reason, "too large") {
			t.Errorf("Call = %s, %v; want the reason", told(answers), err)
		}
		answers, err = rpcIn(t, a).Call(t.Context(), []*Member{b.Local()}, make([]byte, 20_000), AllReplies)
		if answers[0].Outcome != CallSendFailed || !errors.Is(err, ErrTooLarge) {
			t.Errorf("a request that is too large = %s, %v; want %v", told(answers), err, ErrTooLarge)
		}
	})
}

// TestMaxCalls: one call more than may wait is refused.
func TestMaxCalls(t *testing.T) {
	inGroup(t, 1, func(t *testing.T, _ *mem.Network, a *Group, servers []*Group, to []*Member) {
		serve(t, servers[0], echo("b", time.Second))
		var refused atomic.Int64
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() { // ends with its call
				if _, err := rpcIn(t, a).Call(t.Context(), to, nil, AllReplies); err == ErrTooManyCalls {
					refused.Add(1)
				} else if err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		if st := a.Stats().RPC; st.Waiting != 3 {
			t.Errorf("stats %+v, want 3 waiting", st)
		}
		wg.Wait()
		if refused.Load() != 2 {
			t.Errorf("%d calls refused, want 2", refused.Load())
		}
	}, WithRPC(RPCConfig{MaxCalls: 3}))
}

// TestReplyFilter: only what it takes counts.
func TestReplyFilter(t *testing.T) {
	inGroup(t, 3, func(t *testing.T, _ *mem.Network, a *Group, servers []*Group, to []*Member) {
		for i, g := range servers {
			serve(t, g, echo(string(rune('b'+i)), time.Duration(i+1)*time.Second))
		}
		var seen []string
		not := func(name string) CallOption {
			return ReplyFilter(func(x *Answer) bool {
				seen = append(seen, string(x.Bytes))
				return !strings.HasPrefix(string(x.Bytes), name)
			})
		}
		tests := []struct {
			mode        Mode
			option      CallOption
			want, asked string
			fails       bool
		}{
			{FirstReply, not("b"), "reply not taken, c:x, not awaited", "b:x c:x", false},
			{FirstReply, not("c"), "b:x, not awaited, not awaited", "b:x", false},
			{MajorityReply, not("c"), "b:x, reply not taken, d:x", "b:x c:x d:x", false},
			{AllReplies, not("c"), "b:x, reply not taken, d:x", "b:x c:x d:x", true},
			{Mode(2), not(""), "reply not taken, reply not taken, not awaited", "b:x c:x", true},
		}
		for _, tt := range tests {
			seen = nil
			answers, err := rpcIn(t, a).Call(t.Context(), to, []byte("x"), tt.mode, tt.option)
			if told(answers) != tt.want || strings.Join(seen, " ") != tt.asked || (err != nil) != tt.fails {
				t.Errorf("%v: %s, %v, asked about %v; want %s, asked about %s", tt.mode, told(answers), err, seen, tt.want, tt.asked)
			}
			time.Sleep(5 * time.Second) // virtual: let the others answer
		}
	})
}

// TestStuckHandlersAreNamed: once each, with its RPC and its caller.
func TestStuckHandlersAreNamed(t *testing.T) {
	log := new(testlog.Log)
	inGroup(t, 1, func(t *testing.T, _ *mem.Network, a *Group, servers []*Group, to []*Member) {
		release := make(chan struct{})
		serve(t, servers[0], func(context.Context, *Request) ([]byte, error) {
			<-release
			return nil, nil
		}, HandlerConfig{Concurrency: 1})
		for range 2 { // the second waits, which is no fault of the handler
			if _, err := rpcIn(t, a).Call(t.Context(), to, nil, NoReply); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(59 * time.Second) // virtual
		if st := servers[0].Stats().RPC; st.Stuck != 0 || strings.Contains(log.String(), "does not return") {
			t.Errorf("stats %+v before the time is over, log:\n%s", st, log)
		}
		time.Sleep(time.Hour)
		const want = `msg="a handler does not return" layer=rpc rpc=echo member=10.0.0.1:4000`
		if st := servers[0].Stats().RPC; st.Stuck != 1 || strings.Count(log.String(), want) != 1 {
			t.Errorf("stats %+v, want one stuck; log:\n%s", st, log)
		}
		close(release)
		synctest.Wait()
		if st := servers[0].Stats().RPC; st.Stuck != 0 || st.Served != 2 {
			t.Errorf("stats %+v, want none stuck and 2 served", st)
		}
	}, WithStuckAfter(time.Minute), WithLogger(slog.New(slog.NewTextHandler(log, nil))))
}
