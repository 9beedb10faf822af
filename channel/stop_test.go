package channel_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// Every callback may end the channel, and what it is handed as a context makes
// Stop return at once.
func TestStopInsideCallbacks(t *testing.T) {
	tests := []struct {
		name    string
		trigger func(c *channel.Channel, b *bottom, end func(ctx context.Context))
	}{
		{"listener", func(c *channel.Channel, b *bottom, end func(ctx context.Context)) {
			c.Listen(channel.ListenerFunc(func(ctx context.Context, _ *message.Message) error { end(ctx); return nil }))
			go b.receiver.deliver(named(t, "a"), "x") // ends with the delivery
		}},
		{"membership listener", func(c *channel.Channel, b *bottom, end func(ctx context.Context)) {
			c.Watch(channel.MembershipListenerFunc(func(ctx context.Context, _ membership.Event) { end(ctx) }))
			b.membership.happen(membership.Joined, named(t, "a"))
		}},
		{"derived context", func(c *channel.Channel, b *bottom, end func(ctx context.Context)) {
			c.Listen(channel.ListenerFunc(func(ctx context.Context, _ *message.Message) error {
				ctx, cancel := context.WithTimeout(ctx, time.Hour)
				defer cancel()
				end(ctx)
				return nil
			}))
			go b.receiver.deliver(named(t, "a"), "x") // ends with the delivery
		}},
		{"callback of Post", func(c *channel.Channel, b *bottom, end func(ctx context.Context)) {
			b.sender.onSend = nil
			c.Post(context.Background(), []*membership.Member{named(t, "a")}, nil, 0, func(message.ID, error) {
				c.Close()
				end(nil)
			})
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				b := newBottom()
				c := start(t, b.config())
				called := make(chan struct{})
				test.trigger(c, b, func(ctx context.Context) {
					defer close(called)
					if ctx != nil {
						stopInside(ctx, t, c)
					}
				})
				<-called
				<-c.Done()
			})
		})
	}
}

// stopInside stops c in one of its callbacks.
func stopInside(ctx context.Context, t *testing.T, c *channel.Channel) {
	if err := c.Stop(ctx); err != nil {
		t.Errorf("Stop inside: %v", err)
	}
	select {
	case <-c.Done():
		t.Error("the channel was done while its callback was running")
	default:
	}
}

// The context of one channel does not make another one return at once.
func TestStopInsideCallbackOfAnother(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b, other := newBottom(), newBottom()
		c, d := start(t, b.config()), start(t, other.config())
		c.Listen(channel.ListenerFunc(func(ctx context.Context, _ *message.Message) error {
			if err := d.Stop(ctx); err != nil {
				t.Errorf("Stop of the other: %v", err)
			}
			select {
			case <-d.Done():
			default:
				t.Error("Stop of another channel did not wait")
			}
			return nil
		}))
		b.receiver.deliver(named(t, "a"), "x")
	})
}

// The context of Stop bounds the wait; the end comes later.
func TestStopContextEnds(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBottom()
		release := make(chan struct{})
		b.sender.onStop = func(context.Context) { <-release }
		c, err := channel.New(b.config())
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		cause := errors.New("enough")
		ctx, cancel := context.WithTimeoutCause(context.Background(), time.Second, cause)
		defer cancel()
		if err := c.Stop(ctx); !errors.Is(err, cause) {
			t.Errorf("Stop() = %v, want %v", err, cause)
		}
		select {
		case <-c.Done():
			t.Error("Done is closed while a part is stopping")
		default:
		}
		close(release)
		<-c.Done()
		if err := c.Stop(ctx); err != nil {
			t.Errorf("Stop() of a stopped channel = %v, also with an ended context", err)
		}
	})
}

// Callbacks and tasks lose their context when the time for an orderly stop is
// over: that of Stop's context, or Config.StopTimeout.
func TestStopCutsOff(t *testing.T) {
	tests := []struct {
		name  string
		stop  func(c *channel.Channel)
		limit time.Duration
		want  time.Duration
	}{
		{"close", func(c *channel.Channel) { c.Close() }, 0, 5 * time.Second},
		{"close, own limit", func(c *channel.Channel) { c.Close() }, time.Minute, time.Minute},
		{"deadline", func(c *channel.Channel) {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			c.Stop(ctx)
		}, time.Minute, time.Second},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				b := newBottom()
				cfg := b.config()
				cfg.StopTimeout = test.limit
				c, err := channel.New(cfg)
				if err != nil {
					t.Fatal(err)
				}
				if err := c.Start(t.Context()); err != nil {
					t.Fatal(err)
				}
				listening := make(chan struct{})
				c.Listen(channel.ListenerFunc(func(ctx context.Context, _ *message.Message) error { <-ctx.Done(); close(listening); return nil }))
				b.sender.onStop = func(context.Context) { <-listening }
				go b.receiver.deliver(named(t, "a"), "x") // ends with the delivery
				synctest.Wait()
				begin := time.Now()
				test.stop(c)
				<-c.Done()
				if took := time.Since(begin); took != test.want {
					t.Errorf("the listener's context ended after %v, want %v", took, test.want)
				}
			})
		})
	}
}

// While the layers drain, messages still leave, and nobody was told goodbye.
func TestDrain(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBottom()
		l := &drainer{t: t}
		cfg := b.config()
		cfg.Interceptors = []channel.Interceptor{l}
		var sent []string
		b.sender.onSend = func(_ context.Context, to []*membership.Member, m *message.Message, r *message.Receipt) error {
			sent = append(sent, string(m.Payload()))
			r.SettleAll(to, message.Written, nil)
			return nil
		}
		c := start(t, cfg)
		b.take()
		stop(t, c)
		if len(sent) != 1 || sent[0] != "last words" {
			t.Errorf("sent %q, want the layer's last words", sent)
		}
		if !l.waited {
			t.Error("the task of the layer was not ended")
		}
	})
}

// drainer sends something in its last step, and has a task that runs until the
// stop.
type drainer struct {
	plain
	t      *testing.T
	waited bool
}

func (l *drainer) BindDown(h channel.Host, below channel.Down) (channel.Down, error) {
	h.OnDrain(func(ctx context.Context) {
		if _, bounded := ctx.Deadline(); !bounded {
			l.t.Error("the time for draining has no end")
		}
		m := h.NewMessage(0)
		defer m.Release()
		copy(m.Extend(10), "last words")
		to := []*membership.Member{named(l.t, "a")}
		r := message.NewReceipt(1, nil)
		if err := below.Send(ctx, to, m, r); err != nil {
			l.t.Errorf("Send while draining: %v", err)
			return
		}
		<-r.Done()
	})
	h.Go("waiter", func(ctx context.Context) {
		<-ctx.Done()
		l.waited = true
	})
	return below, nil
}

// Tasks that were asked for before the start run after it; Every does so at its
// times; none begins after the stop.
func TestTasks(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBottom()
		l := &tracer{name: "it", j: new(journal)}
		cfg := b.config()
		cfg.Interceptors = []channel.Interceptor{l}
		c, err := channel.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		early, late, ticks := 0, 0, 0
		l.host.Go("early", func(context.Context) { early++ })
		l.host.Every(time.Second, func(context.Context) {
			ticks++
			time.Sleep(1500 * time.Millisecond) // never twice at a time
		})
		synctest.Wait()
		if early != 0 {
			t.Error("a task ran before the start")
		}
		if err := c.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if early != 1 {
			t.Errorf("a task asked for early ran %d times, want once", early)
		}
		running := 0
		l.host.Go("running", func(context.Context) { running++ })
		time.Sleep(10*time.Second - 1)
		stop(t, c)
		if running != 1 {
			t.Errorf("a task asked for while running ran %d times, want once", running)
		}
		if ticks != 6 {
			t.Errorf("%d ticks of 1.5 s each in 10 s, want 6", ticks)
		}
		l.host.Go("late", func(context.Context) { late++ })
		l.host.Every(time.Second, func(context.Context) { late++ })
		time.Sleep(10 * time.Second)
		if late != 0 {
			t.Error("a task began after the stop")
		}
	})
}

// lingering is a layer whose sends are on their way down, on the goroutines of those who
// send, until the channel has stopped.
type lingering struct{ done <-chan struct{} }

func (l *lingering) BindDown(_ channel.Host, below channel.Down) (channel.Down, error) {
	below.Send = func(_ context.Context, to []*membership.Member, _ *message.Message, r *message.Receipt) error {
		<-l.done
		r.SettleAll(to, message.NotSent, channel.ErrClosed)
		return nil
	}
	return below, nil
}

func (l *lingering) BindUp(above channel.Up) channel.Up { return above }

// A Post that is still on its way down when the channel has stopped tells its outcome, too.
func TestStopDuringPost(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBottom()
		layer := new(lingering)
		cfg := b.config()
		cfg.Interceptors = []channel.Interceptor{layer}
		c := start(t, cfg)
		layer.done = c.Done()
		outcomes := make(chan error, 2)
		posted := make(chan error, 2)
		for range cap(posted) {
			go func() { // ends with the test
				_, err := c.Post(context.Background(), []*membership.Member{named(t, "a")}, nil, 0, func(_ message.ID, err error) { outcomes <- err })
				posted <- err
			}()
		}
		synctest.Wait()
		stop(t, c)
		synctest.Wait()
		for range cap(posted) {
			if err := <-posted; err != nil {
				t.Errorf("Post = %v, want nil: it was accepted", err)
			}
		}
		if len(outcomes) != cap(outcomes) {
			t.Fatalf("%d outcomes were told, want %d", len(outcomes), cap(outcomes))
		}
		if err := <-outcomes; !errors.Is(err, channel.ErrClosed) {
			t.Errorf("outcome %v, want %v", err, channel.ErrClosed)
		}
	})
}
