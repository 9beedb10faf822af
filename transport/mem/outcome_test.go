package mem_test

import (
	"context"
	"errors"
	"net/netip"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
	"github.com/gotribes/tribes/transport/mem"
)

const second = time.Second

// pair is two channels of which the first knows where the second is.
type pair struct {
	n    *mem.Network
	a, b *channel.Channel
	to   []*membership.Member
	got  atomic.Int32 // messages that b was given
}

func newPair(t *testing.T, cfg mem.Config) *pair {
	t.Helper()
	n := mem.NewNetwork(cfg)
	t.Logf("seed %d", n.Seed())
	p := &pair{n: n, a: startChannel(t, n.Node("a")), b: startChannel(t, n.Node("b"))}
	p.to = []*membership.Member{p.b.Local()}
	p.b.Listen(channel.ListenerFunc(func(context.Context, *message.Message) error { p.got.Add(1); return nil }))
	return p
}

// send returns what became of a message and how long it took.
func (p *pair) send(t *testing.T, o message.Options, payload string) (message.Result, time.Duration) {
	t.Helper()
	begin := time.Now()
	_, err := p.a.Send(t.Context(), p.to, []byte(payload), o)
	took := time.Since(begin)
	var se *message.SendError
	switch {
	case errors.As(err, &se):
		return se.Results[0], took
	case err != nil:
		t.Fatalf("Send: %v", err)
	case o.Acked():
		return message.Result{Outcome: message.Acknowledged}, took
	}
	return message.Result{Outcome: message.Written}, took
}

func TestOutcomes(t *testing.T) {
	cut := func(from, to string) func(*pair) { return func(p *pair) { p.n.Cut(from, to) } }
	crash := func(p *pair) { p.n.Crash("b") }
	tests := []struct {
		name      string
		connected bool // a message was sent before
		fault     func(p *pair)
		options   message.Options
		want      message.Outcome
		err       error
		took      time.Duration
		delivered int32
	}{
		{"well", false, func(*pair) {}, message.Sync, message.Acknowledged, nil, 0, 1},
		{"nobody there", false, crash, message.Sync, message.NotSent, syscall.ECONNREFUSED, 0, 0},
		{"nobody there any more", true, crash, message.Sync, message.NotSent, syscall.ECONNREFUSED, 0, 0},
		{"nobody there, no ack", true, crash, 0, message.NotSent, syscall.ECONNREFUSED, 0, 0},
		{"cut there, no connection", false, cut("a", "b"), message.UseAck, message.NotSent, message.ErrTimeout, 3 * second, 0},
		{"cut back, no connection", false, cut("b", "a"), message.UseAck, message.NotSent, message.ErrTimeout, 3 * second, 0},
		{"cut there, no connection, no ack", false, cut("a", "b"), 0, message.NotSent, message.ErrTimeout, 3 * second, 0},
		{"cut there", true, cut("a", "b"), message.UseAck, message.Unknown, message.ErrTimeout, 3 * second, 0},
		{"cut back", true, cut("b", "a"), message.UseAck, message.Unknown, message.ErrTimeout, 3 * second, 1},
		{"cut back, sync", true, cut("b", "a"), message.Sync, message.Unknown, message.ErrTimeout, 3 * second, 1},
		{"cut there, no ack", true, cut("a", "b"), 0, message.Written, nil, 0, 0},
		{"cut back, no ack", true, cut("b", "a"), 0, message.Written, nil, 0, 1},
		{"crash and cut", true, func(p *pair) { p.n.Cut("b", "a"); p.n.Crash("b") }, message.UseAck, message.Unknown, message.ErrTimeout, 3 * second, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				p := newPair(t, mem.Config{})
				if test.connected {
					if r, _ := p.send(t, message.Sync, ""); r.Err != nil {
						t.Fatal(r.Err)
					}
					p.got.Store(0)
				}
				test.fault(p)
				r, took := p.send(t, test.options, "x")
				if r.Outcome != test.want || !errors.Is(r.Err, test.err) {
					t.Errorf("outcome = %v (%v), want %v (%v)", r.Outcome, r.Err, test.want, test.err)
				}
				if took != test.took {
					t.Errorf("it took %v, want %v", took, test.took)
				}
				synctest.Wait()
				if p.got.Load() != test.delivered {
					t.Errorf("delivered %d times, want %d", p.got.Load(), test.delivered)
				}
			})
		})
	}
}

// A fault that ends in time is a delay; one that does not makes the connection
// end, and what was lost with it never arrives.
func TestHeal(t *testing.T) {
	tests := []struct {
		name  string
		after time.Duration
		want  message.Outcome
		took  time.Duration
	}{
		// Transmissions at 0, 0.2, 0.6, 1, 1.4 s and so on.
		{"in time", 1300 * time.Millisecond, message.Acknowledged, 1400 * time.Millisecond},
		{"too late", 3001 * time.Millisecond, message.Unknown, 3 * second},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				p := newPair(t, mem.Config{})
				p.send(t, message.Sync, "connect")
				p.got.Store(0)
				p.n.Partition([]string{"a"}, []string{"b"})
				heal := time.AfterFunc(test.after, p.n.Heal)
				defer heal.Stop()
				r, took := p.send(t, message.Sync, "x")
				if r.Outcome != test.want || took != test.took {
					t.Errorf("%v after %v, want %v after %v", r.Outcome, took, test.want, test.took)
				}
				time.Sleep(10 * second)
				if arrived := p.got.Load() == 1; arrived != r.Outcome.OK() {
					t.Errorf("delivered %d times with the outcome %v", p.got.Load(), r.Outcome)
				}
				if r, _ := p.send(t, message.Sync, "next"); r.Err != nil {
					t.Errorf("after the heal: %v", r.Err)
				}
			})
		})
	}
}

// A node that dies while its listener has a message.
func TestCrashDuringDelivery(t *testing.T) {
	for _, host := range []string{"a", "b"} {
		t.Run(host, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				p := newPair(t, mem.Config{})
				inside, release := make(chan struct{}), make(chan struct{})
				p.b.Listen(channel.ListenerFunc(func(context.Context, *message.Message) error { close(inside); <-release; return nil }))
				result := make(chan error, 1)
				if _, err := p.a.Post(t.Context(), p.to, []byte("x"), message.Sync, func(_ message.ID, err error) { result <- err }); err != nil {
					t.Fatal(err)
				}
				<-inside
				begin := time.Now()
				p.n.Crash(host)
				var se *message.SendError
				want := map[string]error{"a": mem.ErrCrashed, "b": syscall.ECONNRESET}[host]
				if err := <-result; !errors.As(err, &se) || se.Results[0].Outcome != message.Unknown || !errors.Is(err, want) {
					t.Errorf("outcome: %v, want %v and %v", err, message.Unknown, want)
				}
				if took := time.Since(begin); took != 0 {
					t.Errorf("it took %v", took)
				}
				close(release)
			})
		})
	}
}

// What a crashed channel does reaches nobody.
func TestCrashedIsDead(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		p := newPair(t, mem.Config{DropTime: second})
		if err := p.b.WaitMembers(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		p.send(t, message.Sync, "connect")
		p.n.Crash("a")
		p.got.Store(0)
		if r, _ := p.send(t, 0, "x"); r.Outcome != message.NotSent || !errors.Is(r.Err, mem.ErrCrashed) {
			t.Errorf("outcome = %v (%v), want %v (%v)", r.Outcome, r.Err, message.NotSent, mem.ErrCrashed)
		}
		if _, err := p.a.Send(t.Context(), p.to, nil, message.Multicast); !errors.Is(err, mem.ErrCrashed) {
			t.Errorf("multicast: %v, want %v", err, mem.ErrCrashed)
		}
		if _, err := p.b.Send(t.Context(), []*membership.Member{p.a.Local()}, nil, 0); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("to the crashed: %v, want %v", err, syscall.ECONNREFUSED)
		}
		begin := time.Now()
		left := make(chan membership.Event, 2)
		p.b.Watch(channel.MembershipListenerFunc(func(_ context.Context, ev membership.Event) { left <- ev }))
		<-left
		if err := p.a.Stop(t.Context()); err != nil { // and says no goodbye
			t.Errorf("Stop: %v", err)
		}
		if ev := <-left; ev.Kind != membership.Failed || time.Since(begin) < second/2 {
			t.Errorf("after %v: %v, want %v after the drop time", time.Since(begin), ev.Kind, membership.Failed)
		}
		if p.got.Load() != 0 {
			t.Errorf("%d messages of the crashed node arrived", p.got.Load())
		}
	})
}

func TestNoSuchHost(t *testing.T) {
	p := newPair(t, mem.Config{})
	stranger, err := membership.New(membership.Attributes{Host: netip.MustParseAddr("192.0.2.1"), Port: 4000, UDPPort: 4000, ID: membership.NewID()})
	if err != nil {
		t.Fatal(err)
	}
	p.to = []*membership.Member{stranger}
	if r, _ := p.send(t, message.Sync, ""); r.Outcome != message.NotSent || !errors.Is(r.Err, syscall.EHOSTUNREACH) {
		t.Errorf("outcome = %v (%v), want %v (%v)", r.Outcome, r.Err, message.NotSent, syscall.EHOSTUNREACH)
	}
	if r, _ := p.send(t, message.UDP, ""); r.Outcome != message.Written {
		t.Errorf("outcome of a datagram = %v (%v), want %v", r.Outcome, r.Err, message.Written)
	}
}

// A second node on a host cannot start while the first runs; a part starts once.
func TestStartErrors(t *testing.T) {
	n := mem.NewNetwork(mem.Config{})
	first := n.Node("a")
	c := startChannel(t, first)
	second, err := channel.New(n.Node("a").Config())
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Start(t.Context()); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("second node: %v, want %v", err, syscall.EADDRINUSE)
	}
	env := channel.Env{}
	if err := first.Sender.Start(t.Context(), env); !errors.Is(err, channel.ErrStarted) {
		t.Errorf("second start of a sender: %v, want %v", err, channel.ErrStarted)
	}
	if err := c.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := first.Receiver.Start(t.Context(), env); !errors.Is(err, channel.ErrClosed) {
		t.Errorf("start of a stopped receiver: %v, want %v", err, channel.ErrClosed)
	}
	third := n.Node("a")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := third.Sender.Start(ended, env); !errors.Is(err, context.Canceled) {
		t.Errorf("start with an ended context: %v, want %v", err, context.Canceled)
	}
	startChannel(t, third)
	n.Crash("a")
	startChannel(t, n.Node("a"))
	if got := first.Addr(); got != third.Addr() {
		t.Errorf("one host has the addresses %v and %v", got, third.Addr())
	}
}
