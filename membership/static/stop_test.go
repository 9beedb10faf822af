package static

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/internal/javaser"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

func TestStartNeedsALayer(t *testing.T) {
	s, err := New(Config{Members: list(1, 1)})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(t.Context(), membership.Env{}); err == nil {
		t.Error("Start() without a channel = nil, want an error")
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Errorf("Stop() = %v, want nil", err)
	}
}

func TestOneServiceServesOneChannel(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := newWire(t)
		e := w.end(1, Config{Members: list(1, 1)})
		if _, err := e.BindDown(e, channel.Down{}); err == nil {
			t.Error("second BindDown() = nil, want an error")
		}
	})
}

func TestStartOnlyOnce(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := newWire(t)
		e := w.end(1, Config{Members: list(1, 2)})
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if err := e.Start(ended, e.env(true, true)); !errors.Is(err, context.Canceled) {
			t.Errorf("Start with an ended context = %v, want %v", err, context.Canceled)
		}
		e.start()
		if err := e.Start(t.Context(), e.env(true, true)); err == nil {
			t.Error("second Start() = nil, want an error")
		}
		e.stop()
		if err := e.Start(t.Context(), e.env(true, true)); err == nil {
			t.Error("Start() after Stop = nil, want an error")
		}
	})
}

// Stop at every stage ends everything at once: before the start, at the start,
// in the middle of calls that nobody answers, and again.
func TestStopAtEveryStage(t *testing.T) {
	for _, test := range []struct {
		name  string
		after time.Duration // the start; negative: not started
	}{
		{"before the start", -1},
		{"at the start", 0},
		{"during the first calls", hop / 2},
		{"during connection attempts", holeTimeout / 2},
		{"in a pause", time.Minute},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				w := newWire(t)
				w.swallow(addr(2), true)
				e := w.end(1, Config{Members: append(list(1, 5), Peer{Addr: "[2001:db8::1]:1"})})
				if test.after >= 0 {
					e.start()
					time.Sleep(test.after)
				}
				begin := time.Now()
				for range 2 {
					if err := e.Stop(t.Context()); err != nil {
						t.Errorf("Stop() = %v, want nil", err)
					}
				}
				if took := time.Since(begin); took != 0 {
					t.Errorf("Stop took %v, want no time: there is nobody to tell", took)
				}
				if len(e.calls) != 0 || e.checking != 0 || e.answering != 0 {
					t.Errorf("%d calls, %d checks, %d answers are left, want none", len(e.calls), e.checking, e.answering)
				}
			})
		})
	}
}

func TestStopDuringStart(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		for range 50 {
			w := newWire(t)
			e := w.end(1, Config{Members: list(1, 3)})
			var both sync.WaitGroup
			both.Go(func() { _ = e.Start(context.Background(), e.env(true, true)) }) // the stop may be first
			both.Go(e.stop)
			both.Wait()
		}
	})
}

// The goodbye waits for a sender that does not get rid of it, as long as ctx and
// Timeout allow.
func TestGoodbyeIsBounded(t *testing.T) {
	for _, test := range []struct {
		name          string
		timeout, ctx  time.Duration
		within        time.Duration
		wantErr       error
		alsoSecondOne bool
	}{
		{"by ctx", 0, 300 * time.Millisecond, 300 * time.Millisecond, context.DeadlineExceeded, true},
		{"by Timeout", 700 * time.Millisecond, time.Hour, 700 * time.Millisecond, context.DeadlineExceeded, false},
		{"by the sender", time.Hour, time.Hour, holeTimeout, nil, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				w := newWire(t)
				all := w.group(3, Config{Timeout: test.timeout})
				until(t, time.Second, "a whole group", whole(all))
				w.swallow(addr(2), true)
				ctx, cancel := context.WithTimeout(t.Context(), test.ctx)
				defer cancel()
				begin := time.Now()
				var second sync.WaitGroup
				if test.alsoSecondOne {
					second.Go(func() { _ = all[0].Stop(ctx) }) // waits for the same goodbye
				}
				if err := all[0].Stop(ctx); !errors.Is(err, test.wantErr) {
					t.Errorf("Stop() = %v, want %v", err, test.wantErr)
				}
				if took := time.Since(begin); took != test.within {
					t.Errorf("Stop took %v, want %v", took, test.within)
				}
				second.Wait()
				w.swallow(addr(2), false)
				if ev := all[2].lastEvent(all[0].local); ev.Kind != membership.Left {
					t.Errorf("the one that can be reached was told %v, want left", ev.Kind)
				}
			})
		})
	}
}

// A goodbye is said even if there is no time left for the stop, and the queue of the
// Dispatch layer is closed by then; who does not take it is not waited for.
func TestGoodbyeWithEndedContext(t *testing.T) {
	for _, swallowed := range []bool{false, true} {
		bubble.Test(t, func(t *testing.T) {
			w := newWire(t)
			all := w.group(2, Config{})
			until(t, time.Second, "a whole group", whole(all))
			w.mu.Lock()
			w.ended[all[0].local.Key()] = true
			w.mu.Unlock()
			w.swallow(addr(2), swallowed)
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			begin := time.Now()
			if err := all[0].Stop(ctx); swallowed != errors.Is(err, context.Canceled) || !swallowed && err != nil {
				t.Errorf("swallowed %v: Stop() = %v, want %v if it is", swallowed, err, context.Canceled)
			}
			if took := time.Since(begin); took > lastWord {
				t.Errorf("Stop took %v, want at most %v", took, lastWord)
			}
			w.swallow(addr(2), false)
			time.Sleep(hop)
			if ev := all[1].lastEvent(all[0].local); !swallowed && ev.Kind != membership.Left {
				t.Errorf("the other one was told %v, want left", ev.Kind)
			}
		})
	}
}

// Nothing is said after the goodbye: questions that come then are left to the
// layers above, which say that nobody serves them.
func TestGoodbyeIsTheLastWord(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := newWire(t)
		all := w.group(5, Config{Ping: 20 * time.Millisecond, Expiration: time.Second})
		until(t, time.Second, "a whole group", whole(all))
		time.Sleep(333 * time.Millisecond)
		e := all[0]
		e.stop()
		time.Sleep(2 * time.Second)
		for i := 2; i <= 5; i++ {
			var said []int32
			for _, p := range w.parcels(addr(i)) {
				if p.from.Key() != e.local.Key() {
					continue
				}
				if mm, err := javaser.DecodeMemberMessage(p.payload, javaser.Limits{}); err == nil {
					said = append(said, mm.Type)
				} else if call, err := javaser.DecodeRPC(p.payload, javaser.Limits{}); err == nil && !call.NoChannel {
					said = append(said, javaser.MemberPing)
				}
			}
			if n := slices.Index(said, javaser.MemberStop); n != len(said)-1 {
				t.Errorf("the goodbye to %v is message %d of %d, want the last one", addr(i), n+1, len(said))
			}
		}
		if got := len(e.told()); got != 4 {
			t.Errorf("told %v, want four joins", e.told())
		}
		if len(e.passed) == 0 {
			t.Error("no question passed to the layers above, want those that came after the stop")
		}
	})
}

// A member that does not listen says goodbye to those who have taken it, though
// it sees nobody; one that does not announce itself says nothing.
func TestServicesApart(t *testing.T) {
	for _, test := range []struct {
		name             string
		listen, announce bool
		seen, sees       bool
	}{
		{"both", true, true, true, true},
		{"listen", true, false, false, true},
		{"announce", false, true, true, false},
	} {
		for _, listed := range []bool{true, false} { // which of both has the other on its list
			t.Run(test.name, func(t *testing.T) {
				bubble.Test(t, func(t *testing.T) {
					w := newWire(t)
					mine, others := list(2, 2), list(9, 9)
					if !listed {
						mine, others = others, list(1, 1)
					}
					e, a := w.end(1, Config{Members: mine}), w.end(2, Config{Members: others})
					if err := e.Start(t.Context(), e.env(test.listen, test.announce)); err != nil {
						t.Fatal(err)
					}
					a.start()
					time.Sleep(time.Minute)
					if got := e.sees(a); got != test.sees {
						t.Errorf("sees the other: %v, want %v", got, test.sees)
					}
					if got := a.sees(e); got != test.seen {
						t.Errorf("is seen: %v, want %v", got, test.seen)
					}
					joined := len(a.told())
					e.stop()
					time.Sleep(2 * hop)
					if ev := a.lastEvent(e.local); test.seen && ev.Kind != membership.Left {
						t.Errorf("after the stop the other was told %v, want left", ev.Kind)
					}
					if got := len(a.told()) - joined; !test.seen && got != 0 {
						t.Errorf("the other was told %v, want nothing", a.told())
					}
					if joined > 1 {
						t.Errorf("the other was told %v, want at most one join", a.told())
					}
				})
			})
		}
	}
}

// A stop waits for a resolver that is at work, but says goodbye before.
func TestResolverDoesNotDelayTheGoodbye(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := newWire(t)
		release := make(chan struct{})
		deaf := ResolverFunc(func(context.Context) ([]netip.AddrPort, error) {
			<-release // heeds nothing
			return nil, nil
		})
		a := w.end(1, Config{Members: list(2, 2), Resolver: deaf})
		b := w.end(2, Config{Members: list(1, 1)})
		a.start()
		b.start()
		until(t, time.Second, "a whole group", whole([]*end{a, b}))
		stopped := make(chan struct{})
		go func() { // ends with Stop
			defer close(stopped)
			a.stop()
		}()
		until(t, 2*hop, "the goodbye", func() bool { return b.sees() })
		select {
		case <-stopped:
			t.Error("Stop returned while the resolver was at work")
		default:
		}
		close(release)
		<-stopped
	})
}

// A layer below that queues messages with the option Async, and has no room or
// is closed, neither makes members fail nor keeps the goodbye.
func TestQueueWithoutRoom(t *testing.T) {
	for _, test := range []struct {
		name string
		send channel.SendFunc // of messages with the option
	}{
		{"closed", func(context.Context, []*membership.Member, *message.Message, *message.Receipt) error {
			return channel.ErrClosed
		}},
		{"full", func(ctx context.Context, _ []*membership.Member, _ *message.Message, _ *message.Receipt) error {
			<-ctx.Done()
			return context.Cause(ctx)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				w := newWire(t)
				a, b := w.end(1, Config{Members: list(1, 2)}), w.end(2, Config{Members: list(1, 2)})
				a.send = func(ctx context.Context, to []*membership.Member, m *message.Message, r *message.Receipt) error {
					if m.Options.Has(message.Async) {
						return test.send(ctx, to, m, r)
					}
					return w.send(ctx, to, m, r)
				}
				a.start()
				b.start()
				until(t, 3*DefaultPing, "both see each other", whole([]*end{a, b}))
				time.Sleep(2 * time.Minute)
				if len(a.told()) != 1 || len(b.told()) != 1 {
					t.Errorf("told %v and %v, want one join each", a.told(), b.told())
				}
				a.stop()
				time.Sleep(2 * hop)
				if ev := b.lastEvent(a.local); ev.Kind != membership.Left {
					t.Errorf("told %v, want that it left", b.told())
				}
			})
		})
	}
}

// A send that fails for good, as when the channel has no sender, is an answer
// too: tries go on.
func TestSendThatIsRefused(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := newWire(t)
		e := w.end(1, Config{Members: list(2, 2)})
		refused := 0
		var mu sync.Mutex
		e.send = func(context.Context, []*membership.Member, *message.Message, *message.Receipt) error {
			mu.Lock()
			defer mu.Unlock()
			refused++
			return channel.ErrServiceOff
		}
		e.start()
		time.Sleep(time.Minute)
		mu.Lock()
		defer mu.Unlock()
		if refused < 16 || refused > 32 {
			t.Errorf("%d tries in a minute, want two of about a dozen questions each", refused)
		}
	})
}
