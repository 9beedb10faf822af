package mcast

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/internal/wire"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// ear takes messages.
type ear struct {
	pool message.Pool
	hook func(ctx context.Context)

	mu       sync.Mutex
	got      []string
	rejected []string
}

func (r *ear) deliver(ctx context.Context, m *message.Message) error {
	r.mu.Lock()
	text := fmt.Sprintf("%s %s", m.Source.Host(), m.Payload())
	if m.Options.Has(message.Secure) {
		text += ", secure"
	}
	r.got = append(r.got, text)
	r.mu.Unlock()
	if r.hook != nil {
		r.hook(ctx)
	}
	return errors.New("the listener failed") // nobody is told
}

func (r *ear) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	got := r.got
	r.got = nil
	return got
}

// attach lets messages of n go to a new ear.
func (n *node) attach() *ear {
	r := new(ear)
	trace := &channel.Trace{Rejected: func(_ netip.AddrPort, reason string) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.rejected = append(r.rejected, reason)
	}}
	n.Open(channel.Env{Deliver: r.deliver, Pool: &r.pool, Trace: trace.WithDefaults()})
	return r
}

func newMessage(pool *message.Pool, source *membership.Member, payload []byte) *message.Message {
	m := pool.New(len(payload))
	copy(m.Payload(), payload)
	m.ID, m.Source, m.Options = message.NewID(), source, message.ByteMessage|message.Multicast
	return m
}

func (n *node) broadcast(payload string) {
	n.Helper()
	var pool message.Pool
	m := newMessage(&pool, n.local, []byte(payload))
	defer m.Release()
	if err := n.Broadcast(context.Background(), m); err != nil {
		n.Errorf("Broadcast(%.20q) = %v, want nil", payload, err)
	}
}

func TestMessages(t *testing.T) {
	const anyone, members = "anyone", "members"
	for _, c := range []struct {
		name     string
		messages Messages
		want     []string
		rejected map[string]uint64
	}{
		{"none", NoMessages, nil, map[string]uint64{messagesOff.String(): 4}},
		{members, FromMembers, []string{"10.0.0.2 one", "10.0.0.2 two"}, map[string]uint64{notMember.String(): 2}},
		{anyone, FromAnyone, []string{"10.0.0.2 one", "10.0.0.2 two", "10.0.0.7 three", "10.0.0.7 four"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				e := newEther()
				a := e.newNode(t, newMember(t, 1, nil), func(cfg *Config) { cfg.Messages = c.messages })
				r := a.attach()
				a.start()
				b := e.join(t, 2)
				pass(roundTrip)
				b.broadcast("one")
				a.broadcast("my own")
				b.broadcast("two")
				e.inject(host(7), append(frameOf("three"), frameOf("four")...))
				pass(roundTrip)
				if got := r.take(); !slices.Equal(got, c.want) {
					t.Errorf("delivered %q, want %q", got, c.want)
				}
				a.wantRejected(c.rejected)
				if st := a.Stats(); st.MessagesSent != 1 || st.MessagesReceived != uint64(len(c.want)) {
					t.Errorf("messages sent, received = %d, %d, want 1, %d", st.MessagesSent, st.MessagesReceived, len(c.want))
				}
				r.mu.Lock()
				defer r.mu.Unlock()
				if want := 4 - len(c.want); len(r.rejected) != want {
					t.Errorf("trace of rejected %q, want %d", r.rejected, want)
				}
			})
		})
	}
}

// TestMessagesAreNeverSecure forges the option Secure, by which a message would
// look as if it had come over TLS.
func TestMessagesAreNeverSecure(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		e := newEther()
		a := e.newNode(t, newMember(t, 1, nil), func(cfg *Config) { cfg.Messages = FromAnyone })
		r := a.attach()
		a.start()
		var pool message.Pool
		m := newMessage(&pool, newMember(t, 7, nil), []byte("forged"))
		defer m.Release()
		m.Options |= message.Secure
		e.inject(host(7), message.AppendFrame(nil, m, 0))
		pass(roundTrip)
		if got, want := r.take(), []string{"10.0.0.7 forged"}; !slices.Equal(got, want) {
			t.Errorf("delivered %q, want %q", got, want)
		}
	})
}

func TestDamagedMessages(t *testing.T) {
	good := frameOf("good")
	damage := func(at int, with ...byte) []byte {
		b := slices.Clone(good)
		copy(b[at:], with)
		return b
	}
	for _, c := range []struct {
		name string
		b    []byte
		want reason
	}{
		{"end magic", damage(len(good)-1, 'x'), badFrame + reason(wire.BadEnd)},
		{"negative length", damage(7, 0xff), badFrame + reason(wire.BadLength)},
		{"id length past the end", damage(23, 0, 0, 0xff, 0xff), badFrame + reason(wire.LengthPastEnd)},
		{"sender of another kind", damage(43+4, 'X'), badFrame + reason(wire.BadMagic)},
		{"no sender", damage(43, 0, 0, 0, 0), badFrame + reason(wire.NoSender)},
		{"an ack", []byte(message.AckFrame), badFrame + reason(wire.LengthMismatch)},
		{"good and then noise", append(slices.Clone(good), "noise"...), badFrame + reason(wire.BadMagic)},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, Config{Messages: FromAnyone})
			taken := b.collect()
			b.feed(c.b)
			for _, m := range taken() {
				m.Release()
			}
			got := b.Stats().Rejected
			if len(got) != 1 || got[c.want.String()] != 1 {
				t.Errorf("rejected %v, want %s", got, c.want)
			}
		})
	}
}

// The network doubles datagrams; each is delivered once.
func TestRepeatedMessages(t *testing.T) {
	b := newBench(t, Config{Messages: FromAnyone})
	taken := b.collect()
	var frames [][]byte
	for i := range 2 * maxRecent {
		frames = append(frames, frameOf(fmt.Sprint(i)))
	}
	for i := range frames {
		b.feed(frames[i])
		b.feed(frames[max(0, i-50)])
	}
	got := taken()
	if len(got) != len(frames) {
		t.Errorf("%d messages delivered, want %d", len(got), len(frames))
	}
	for _, m := range got {
		m.Release()
	}
	if n := len(b.talkers.recent); n > maxRecent {
		t.Errorf("%d messages remembered, want at most %d", n, maxRecent)
	}
}

func TestTalkersAreBounded(t *testing.T) {
	var ts talkers
	for i := range 3 * maxTalkers {
		m := newMember(t, i, nil)
		f := message.Frame{Sender: []byte(m.Image())}
		for range 2 {
			if got, err := ts.sender(m.Key(), &f); err != nil || got.Key() != m.Key() {
				t.Fatalf("sender() = %v, %v, want %v", got, err, m)
			}
		}
		if len(ts.members) > maxTalkers {
			t.Fatalf("%d senders kept, want at most %d", len(ts.members), maxTalkers)
		}
	}
	m := newMember(t, 1, nil)
	if _, err := ts.sender(m.Key(), &message.Frame{Sender: []byte(m.Image() + "x")}); err == nil {
		t.Error("sender() of an image with bytes behind it = nil, want an error")
	}
}

// A listener that hangs costs messages but no heartbeats, and memory has a bound.
func TestSlowListener(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		e := newEther()
		a := e.newNode(t, newMember(t, 1, nil), func(c *Config) { c.Messages, c.MaxQueue = FromAnyone, maxDatagram })
		r := a.attach()
		release := make(chan struct{})
		r.hook = func(context.Context) { <-release }
		a.start()
		b := e.join(t, 2)
		for range 10 {
			b.broadcast(string(make([]byte, 10_000)))
		}
		pass(time.Minute)
		a.wantTold("joined 10.0.0.2")
		a.wantRejected(map[string]uint64{queueFull.String(): 4})
		a.inbox.mu.Lock()
		if a.inbox.bytes > maxDatagram {
			t.Errorf("%d bytes wait, want at most %d", a.inbox.bytes, maxDatagram)
		}
		a.inbox.mu.Unlock()
		close(release)
		pass(time.Second)
		if got := len(r.take()); got != 6 {
			t.Errorf("%d messages delivered, want 6", got)
		}
		b.broadcast(string(make([]byte, 50_000))) // there is room again
		pass(time.Second)
		if got := len(r.take()); got != 1 {
			t.Errorf("%d messages delivered afterwards, want 1", got)
		}
	})
}

// Stop delivers what waits, as long as its context lasts.
func TestStopDelivers(t *testing.T) {
	for _, c := range []struct {
		name    string
		each    time.Duration // of a delivery
		patient time.Duration
		want    int
		err     error
	}{
		{"all", time.Second, time.Minute, 10, nil},
		{"some", time.Second, 2500 * time.Millisecond, 3, context.DeadlineExceeded},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				e := newEther()
				a := e.newNode(t, newMember(t, 1, nil), func(c *Config) { c.Messages = FromAnyone })
				r := a.attach()
				r.hook = func(context.Context) { time.Sleep(c.each) }
				if err := a.Start(t.Context(), a.env()); err != nil {
					t.Fatal(err)
				}
				for range 10 {
					e.inject(host(7), frameOf("x"))
				}
				pass(roundTrip)
				ctx, cancel := context.WithTimeout(t.Context(), c.patient)
				defer cancel()
				if err := a.Stop(ctx); !errors.Is(err, c.err) {
					t.Errorf("Stop() = %v, want %v", err, c.err)
				}
				pass(time.Minute)
				if got := len(r.take()); got != c.want {
					t.Errorf("%d messages delivered, want %d", got, c.want)
				}
				if got := a.Stats().Rejected[notDelivered.String()]; got != uint64(10-c.want) {
					t.Errorf("%d counted as not delivered, want %d", got, 10-c.want)
				}
			})
		})
	}
}

// The context of a delivery that outlives the stop ends.
func TestStopEndsDelivery(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		e := newEther()
		a := e.newNode(t, newMember(t, 1, nil), func(c *Config) { c.Messages = FromAnyone })
		r := a.attach()
		r.hook = func(ctx context.Context) { <-ctx.Done() }
		if err := a.Start(t.Context(), a.env()); err != nil {
			t.Fatal(err)
		}
		e.inject(host(7), frameOf("x"))
		pass(roundTrip)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := a.Stop(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("Stop() = %v, want %v", err, context.Canceled)
		}
	})
}

func TestBroadcastErrors(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		e := newEther()
		a := e.newNode(t, newMember(t, 1, nil), nil)
		var pool message.Pool
		try := func(size int) error {
			m := newMessage(&pool, a.local, make([]byte, size))
			defer m.Release()
			return a.Broadcast(context.Background(), m)
		}
		if err := try(1); !errors.Is(err, channel.ErrNotStarted) {
			t.Errorf("before the start: %v, want %v", err, channel.ErrNotStarted)
		}
		a.start()
		pass(time.Second)
		e.count()
		largest := maxDatagram - 135
		if err := try(largest); err != nil {
			t.Errorf("the largest message: %v, want nil", err)
		}
		if err := try(largest + 1); !errors.Is(err, message.ErrTooLarge) {
			t.Errorf("a message too large: %v, want %v", err, message.ErrTooLarge)
		}
		if got := e.count(); got != 1 {
			t.Errorf("%d datagrams sent, want 1", got)
		}
		broken := errors.New("broken")
		a.lastPort().failWrites(broken)
		if err := try(1); !errors.Is(err, broken) {
			t.Errorf("with a broken socket: %v, want %v", err, broken)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(broken)
		m := newMessage(&pool, a.local, nil)
		if err := a.Broadcast(ctx, m); !errors.Is(err, broken) {
			t.Errorf("with an ended context: %v, want its cause", err)
		}
		m.Release()
		a.setWreck(func(context.Context, *port) error { return broken })
		_ = a.lastPort().Close()
		pass(time.Second)
		if err := try(1); !errors.Is(err, errNoSocket) {
			t.Errorf("without a socket: %v, want %v", err, errNoSocket)
		}
		a.stop()
		if err := try(1); !errors.Is(err, channel.ErrClosed) {
			t.Errorf("after the stop: %v, want %v", err, channel.ErrClosed)
		}
	})
}
