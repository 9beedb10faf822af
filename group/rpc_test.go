package group

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/transport/mem"
)

// rpcIn is the RPC of the tests.
func rpcIn(t *testing.T, g *Group) *RPC {
	t.Helper()
	r, err := g.RPC("echo")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// serve makes h the handler of a member.
func serve(t *testing.T, g *Group, h Handler, cfg ...HandlerConfig) {
	t.Helper()
	remove, err := rpcIn(t, g).Handle(h, append(cfg, HandlerConfig{})[0])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(remove)
}

// echo answers with the name and the request, after d.
func echo(name string, d time.Duration) Handler {
	return func(ctx context.Context, req *Request) ([]byte, error) {
		t := time.NewTimer(d)
		defer t.Stop()
		select {
		case <-t.C:
			return fmt.Appendf(nil, "%s:%s", name, req.Bytes), nil
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// inGroup runs f with a caller, a, and n servers, b, c, ... that the caller sees in
// this order. They have no handlers yet.
func inGroup(t *testing.T, n int, f func(t *testing.T, net *mem.Network, a *Group, servers []*Group, to []*Member), options ...Option) {
	t.Helper()
	bubble.Test(t, func(t *testing.T) {
		net := mem.NewNetwork(mem.Config{})
		a := open(t, net, "a", options...)
		var servers []*Group
		var to []*Member
		for i := range n {
			g := open(t, net, string(rune('b'+i)), options...)
			servers, to = append(servers, g), append(to, g.Local())
		}
		for _, g := range append([]*Group{a}, servers...) {
			if err := g.WaitMembers(t.Context(), n); err != nil {
				t.Fatal(err)
			}
		}
		f(t, net, a, servers, to)
	})
}

// told is what answers say, in short.
func told(answers []Answer) string {
	var all []string
	for _, a := range answers {
		if a.Outcome == CallReplied {
			all = append(all, string(a.Bytes))
			continue
		}
		all = append(all, a.Outcome.String())
	}
	return strings.Join(all, ", ")
}

// TestCallModes has servers that take one to four seconds.
func TestCallModes(t *testing.T) {
	tests := []struct {
		mode Mode
		took time.Duration
		want string
	}{
		{FirstReply, 1 * time.Second, "b:x, not awaited, not awaited, not awaited"},
		{Mode(2), 2 * time.Second, "b:x, c:x, not awaited, not awaited"},
		{MajorityReply, 3 * time.Second, "b:x, c:x, d:x, not awaited"},
		{Mode(4), 4 * time.Second, "b:x, c:x, d:x, e:x"},
		{AllReplies, 4 * time.Second, "b:x, c:x, d:x, e:x"},
		{NoReply, 0, "not awaited, not awaited, not awaited, not awaited"},
	}
	inGroup(t, 4, func(t *testing.T, _ *mem.Network, a *Group, servers []*Group, to []*Member) {
		for i, g := range servers {
			serve(t, g, echo(string(rune('b'+i)), time.Duration(i+1)*time.Second))
		}
		for _, tt := range tests {
			begin := time.Now()
			answers, err := rpcIn(t, a).Call(t.Context(), to, []byte("x"), tt.mode)
			if got, took := told(answers), time.Since(begin); err != nil || got != tt.want || took != tt.took {
				t.Errorf("mode %v: %s, %v after %v; want %s after %v", tt.mode, got, err, took, tt.want, tt.took)
			}
			for i, x := range answers {
				if x.Member != to[i] {
					t.Errorf("mode %v: answer %d is of %v, want %v", tt.mode, i, x.Member, to[i])
				}
			}
		}
		time.Sleep(5 * time.Second) // virtual: all late replies have come
		st := a.Stats().RPC
		if st.Calls != 6 || st.CallsFailed != 0 || st.Waiting != 0 || st.Late != 3+2+1 || st.Unwanted != 0 {
			t.Errorf("stats %+v, want 6 calls, 6 late replies, and none to the call without replies", st)
		}
		if st := servers[0].Stats().RPC; st.Served != 6 || st.Running != 0 || st.Queued != 0 {
			t.Errorf("stats of a server %+v, want 6 served", st)
		}
	})
}

// TestCallAllOutcomes has one server for each reason why there may be no reply.
func TestCallAllOutcomes(t *testing.T) {
	inGroup(t, 7, func(t *testing.T, _ *mem.Network, a *Group, servers []*Group, to []*Member) {
		fails := func(err error) Handler {
			return func(context.Context, *Request) ([]byte, error) { return nil, err }
		}
		serve(t, servers[0], echo("b", 0))
		serve(t, servers[1], fails(errors.New("no such thing")))
		serve(t, servers[2], fails(fmt.Errorf("reading: %w", ErrBadRequest)))
		serve(t, servers[3], fails(ErrBusy))
		serve(t, servers[4], func(context.Context, *Request) ([]byte, error) { panic("oops") })
		serve(t, servers[5], echo("g", time.Minute))
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		answers, err := rpcIn(t, a).Call(ctx, to, []byte("x"), AllReplies)
		const want = "b:x, handler failed, bad request, busy, handler failed, timed out, no handler"
		if got := told(answers); got != want {
			t.Errorf("answers %s, want %s", got, want)
		}
		var failed *CallError
		if !errors.As(err, &failed) || failed.Got != 1 || failed.Want != 7 || len(failed.Answers) != 7 || failed.RPC != "echo" {
			t.Fatalf("Call = %v, want a CallError with 1 of 7 replies", err)
		}
		for _, want := range []error{ErrBadRequest, ErrBusy, ErrTimeout, context.DeadlineExceeded, ErrNoHandler} {
			if !errors.Is(err, want) {
				t.Errorf("Call = %v, want %v in it", err, want)
			}
		}
		var handler *HandlerError
		if !errors.As(answers[1].Err, &handler) || handler.Reason != "no such thing" {
			t.Errorf("error of the handler = %v, want its text", answers[1].Err)
		}
		if !errors.As(answers[4].Err, &handler) || !strings.Contains(handler.Reason, "oops") {
			t.Errorf("error of the panic = %v, want its text", answers[4].Err)
		}
		for _, want := range []string{`"echo"`, "1 of 7 replies", "handler failed", "and 3 more"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("error %q, want %q in it", err, want)
			}
		}
	})
}

// TestCallToDeparted has a member leave and one fail while a call waits for them.
func TestCallToDeparted(t *testing.T) {
	inGroup(t, 3, func(t *testing.T, net *mem.Network, a *Group, servers []*Group, to []*Member) {
		left, gone := make(chan error, 1), make(chan error, 1)
		for i, causes := range []chan error{left, gone} {
			serve(t, servers[i], func(ctx context.Context, _ *Request) ([]byte, error) {
				<-ctx.Done()
				causes <- context.Cause(ctx)
				time.Sleep(time.Minute) // virtual: it does not heed its context
				return nil, ctx.Err()
			})
		}
		serve(t, servers[2], echo("d", 20*time.Second))
		departed := make(chan time.Time, 10)
		a.Watch(MembershipListenerFunc(func(_ context.Context, ev Event) {
			if ev.Kind == Left || ev.Kind == Failed {
				departed <- time.Now()
			}
		}))
		time.AfterFunc(time.Second, func() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			if err := servers[0].Stop(ctx); err != context.DeadlineExceeded {
				t.Errorf("Stop = %v, want %v: a handler runs", err, context.DeadlineExceeded)
			}
		})
		time.AfterFunc(5*time.Second, func() { net.Crash("c") })
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		answers, err := rpcIn(t, a).Call(ctx, to, []byte("x"), AllReplies)
		if got := told(answers); got != "left, failed, d:x" || !errors.Is(err, ErrMemberLeft) || !errors.Is(err, ErrMemberFailed) {
			t.Errorf("answers %s, %v; want left, failed, and a reply", got, err)
		}
		if cause := <-left; cause != ErrClosed {
			t.Errorf("the handler of the stopped member ended with %v, want %v", cause, ErrClosed)
		}
		answers, err = rpcIn(t, a).Call(ctx, to[2:], []byte("y"), AllReplies)
		if told(answers) != "d:y" {
			t.Errorf("answers %s, %v after departures", told(answers), err)
		}
		if len(departed) != 2 {
			t.Errorf("%d departures were told, want 2", len(departed))
		}
	})
}

// TestCallEndsWithTheEvent: a call that only the failed member keeps waiting ends when
// the failure is known, and not at its deadline.
func TestCallEndsWithTheEvent(t *testing.T) {
	inGroup(t, 1, func(t *testing.T, net *mem.Network, a *Group, servers []*Group, to []*Member) {
		serve(t, servers[0], echo("b", time.Hour))
		var known time.Time
		a.Watch(MembershipListenerFunc(func(_ context.Context, ev Event) {
			if ev.Kind == Failed {
				known = time.Now()
			}
		}))
		time.AfterFunc(time.Second, func() { net.Crash("b") })
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		answers, err := rpcIn(t, a).Call(ctx, to, nil, FirstReply)
		ended := time.Now()
		synctest.Wait()
		if told(answers) != "failed" || !errors.Is(err, ErrMemberFailed) || !ended.Equal(known) {
			t.Errorf("answers %s, %v at %v; want failed at %v", told(answers), err, ended, known)
		}
	})
}

// TestCallCannotSucceed: a call for a majority ends when there can be none any more.
func TestCallCannotSucceed(t *testing.T) {
	inGroup(t, 3, func(t *testing.T, _ *mem.Network, a *Group, servers []*Group, to []*Member) {
		serve(t, servers[2], echo("d", time.Minute))
		begin := time.Now()
		answers, err := rpcIn(t, a).Call(t.Context(), to, nil, MajorityReply)
		if got := told(answers); got != "no handler, no handler, not awaited" || !errors.Is(err, ErrNoHandler) || time.Since(begin) > time.Second {
			t.Errorf("answers %s, %v after %v, want the end at once", got, err, time.Since(begin))
		}
	})
}

func TestCallRefusedAtOnce(t *testing.T) {
	inGroup(t, 2, func(t *testing.T, net *mem.Network, a *Group, servers []*Group, to []*Member) {
		r := rpcIn(t, a)
		tests := []struct {
			name string
			to   []*Member
			mode Mode
			want error
		}{
			{"nobody", nil, AllReplies, ErrNoMembers},
			{"too many replies", to, Mode(3), ErrTooFewMembers},
			{"no mode", to, NoReply - 1, errMode},
		}
		for _, tt := range tests {
			if answers, err := r.Call(t.Context(), tt.to, nil, tt.mode); err != tt.want || answers != nil {
				t.Errorf("%s: Call = %v, %v; want %v", tt.name, answers, err, tt.want)
			}
		}
		for _, id := range []string{"", strings.Repeat("x", MaxRPCID+1)} {
			if _, err := a.RPC(id); err == nil {
				t.Errorf("RPC with an id of %d bytes: no error", len(id))
			}
		}
		if _, err := r.Handle(echo("a", 0), HandlerConfig{Concurrency: -1}); err == nil {
			t.Error("Handle with a negative Concurrency: no error")
		}
		c := net.Node("z").Config()
		idle, err := New(WithTransport(c.Sender, c.Receiver), WithMembership(c.Membership))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := rpcIn(t, idle).Call(t.Context(), to, nil, AllReplies); err != ErrNotStarted {
			t.Errorf("Call before the start = %v, want %v", err, ErrNotStarted)
		}
		idle.Close()
		if _, err := rpcIn(t, idle).Call(t.Context(), to, nil, AllReplies); err != ErrClosed {
			t.Errorf("Call after Close = %v, want %v", err, ErrClosed)
		}
		if _, err := New(WithRPC(RPCConfig{MaxCalls: -1, MaxReply: -1})); err == nil ||
			!strings.Contains(err.Error(), "MaxCalls") || !strings.Contains(err.Error(), "MaxReply") {
			t.Errorf("New with negative limits = %v, want both named", err)
		}
	})
}

// TestCallSendFails calls a member that was never there.
func TestCallSendFails(t *testing.T) {
	inGroup(t, 1, func(t *testing.T, net *mem.Network, a *Group, servers []*Group, to []*Member) {
		serve(t, servers[0], echo("b", 0))
		nobody, err := to[0].With(func(at *membership.Attributes) { at.Port++ })
		if err != nil {
			t.Fatal(err)
		}
		for _, mode := range []Mode{AllReplies, NoReply} {
			answers, err := rpcIn(t, a).Call(t.Context(), []*Member{nobody, to[0]}, []byte("x"), mode)
			if len(answers) != 2 || answers[0].Outcome != CallSendFailed || answers[0].Err == nil || err == nil || !errors.Is(err, answers[0].Err) {
				t.Errorf("%v: Call = %s, %v; want a send that failed", mode, told(answers), err)
			}
		}
		answers, err := rpcIn(t, a).Call(t.Context(), []*Member{nobody, to[0]}, []byte("x"), FirstReply)
		if err != nil || answers[1].Outcome != CallReplied {
			t.Errorf("first: Call = %s, %v; want the other's reply", told(answers), err)
		}
	})
}

// TestCallTimeoutOfConfig: a context without a deadline does not wait for ever.
func TestCallTimeoutOfConfig(t *testing.T) {
	inGroup(t, 1, func(t *testing.T, _ *mem.Network, a *Group, servers []*Group, to []*Member) {
		serve(t, servers[0], echo("b", time.Hour))
		begin := time.Now()
		answers, err := rpcIn(t, a).Call(t.Context(), to, nil, FirstReply)
		if told(answers) != "timed out" || !errors.Is(err, ErrTimeout) || time.Since(begin) != 7*time.Second {
			t.Errorf("Call = %s, %v after %v; want a timeout after 7s", told(answers), err, time.Since(begin))
		}
		cause := errors.New("enough")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(cause) })
		answers, err = rpcIn(t, a).Call(ctx, to, nil, FirstReply)
		if told(answers) != "canceled" || !errors.Is(err, cause) {
			t.Errorf("Call = %s, %v; want canceled for %v", told(answers), err, cause)
		}
	}, WithRPC(RPCConfig{Timeout: 7 * time.Second}))
}

// TestCallToSelf goes over the network like any other, as in Tribes.
func TestCallToSelf(t *testing.T) {
	inGroup(t, 1, func(t *testing.T, net *mem.Network, a *Group, servers []*Group, to []*Member) {
		serve(t, a, echo("a", 0))
		serve(t, servers[0], echo("b", 0))
		answers, err := rpcIn(t, a).Call(t.Context(), []*Member{a.Local(), to[0], a.Local()}, []byte("x"), AllReplies)
		if told(answers) != "a:x, b:x, a:x" || err != nil {
			t.Errorf("Call = %s, %v", told(answers), err)
		}
	})
}
