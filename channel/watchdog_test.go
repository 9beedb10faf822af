package channel_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/internal/testlog"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// blocker is a listener of every kind that blocks until it is released.
type blocker struct{ release chan struct{} }

func (b *blocker) Accept(*message.Message) bool { return true }

func (b *blocker) Receive(context.Context, *message.Message) error {
	<-b.release
	return nil
}

func (b *blocker) MemberEvent(context.Context, membership.Event) { <-b.release }

func (b *blocker) done(message.ID, error) { <-b.release }

// A callback that does not return is named in the log, once, and counted until
// it returns.
func TestStuckListenerIsNamed(t *testing.T) {
	tests := []struct {
		name  string
		block func(t *testing.T, c *channel.Channel, b *bottom, l *blocker)
		want  string // in the log
	}{
		{"listener", func(t *testing.T, c *channel.Channel, b *bottom, l *blocker) {
			c.Listen(l)
			go b.receiver.deliver(named(t, "a"), "x") // ends with the release
		}, "listener=*channel_test.blocker"},
		{"function", func(t *testing.T, c *channel.Channel, b *bottom, l *blocker) {
			c.Listen(channel.ListenerFunc(l.Receive))
			go b.receiver.deliver(named(t, "a"), "x") // ends with the release
		}, "listener=github.com/gotribes/tribes/channel_test.(*blocker).Receive"},
		{"membership listener", func(t *testing.T, c *channel.Channel, b *bottom, l *blocker) {
			c.Watch(channel.MembershipListenerFunc(l.MemberEvent))
			b.membership.happen(membership.Joined, named(t, "a"))
		}, "(*blocker).MemberEvent"},
		{"done of a Post", func(t *testing.T, c *channel.Channel, b *bottom, l *blocker) {
			if _, err := c.Post(t.Context(), members(t, "a"), nil, 0, l.done); err != nil {
				t.Fatal(err)
			}
		}, "(*blocker).done"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				const after = 20 * time.Second
				b, log, l := newBottom(), new(testlog.Log), &blocker{make(chan struct{})}
				cfg := b.config()
				cfg.StuckAfter, cfg.Logger = after, slog.New(slog.NewTextHandler(log, nil))
				c := start(t, cfg)
				tt.block(t, c, b, l)
				time.Sleep(after - time.Millisecond)
				if got := log.Take(); strings.Contains(got, "does not return") || c.Stats().Stuck != 0 {
					t.Errorf("too early: %d stuck, log %s", c.Stats().Stuck, got)
				}
				time.Sleep(after/2 + time.Minute)
				got := log.Take()
				if strings.Count(got, "a listener does not return") != 1 || !strings.Contains(got, tt.want) || c.Stats().Stuck != 1 {
					t.Errorf("%d stuck, and the log is %q, want 1 and one line with %q", c.Stats().Stuck, got, tt.want)
				}
				close(l.release)
				synctest.Wait()
				if got := c.Stats().Stuck; got != 0 {
					t.Errorf("%d stuck after the return, want 0", got)
				}
			})
		})
	}
}

// The function of a Post that is named may return just then: with the race detector that
// is seen. It says nothing to the watchdog, as it would in the test above.
func TestStuckPostReturnsWhenItIsNamed(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		const after = 20 * time.Second
		b, log := newBottom(), new(testlog.Log)
		cfg := b.config()
		cfg.StuckAfter, cfg.Logger = after, slog.New(slog.NewTextHandler(log, nil))
		c := start(t, cfg)
		for range 10 {
			if _, err := c.Post(t.Context(), members(t, "a"), nil, 0, func(message.ID, error) { time.Sleep(2 * after) }); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(21 * after)
		if got := log.Take(); strings.Count(got, "a listener does not return") != 10 || strings.Count(got, "TestStuckPostReturnsWhenItIsNamed") != 10 {
			t.Errorf("the log is %q, want 10 lines with the function", got)
		}
	})
}

// Many short calls are never taken for a long one.
func TestBusyListenerIsNotStuck(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b, log := newBottom(), new(testlog.Log)
		cfg := b.config()
		cfg.StuckAfter, cfg.Logger = time.Second, slog.New(slog.NewTextHandler(log, nil))
		c := start(t, cfg)
		c.Listen(channel.ListenerFunc(func(context.Context, *message.Message) error {
			time.Sleep(900 * time.Millisecond)
			return nil
		}))
		for range 100 {
			if err := b.receiver.deliver(named(t, "a"), "x"); err != nil {
				t.Fatal(err)
			}
		}
		if got := log.Take(); strings.Contains(got, "does not return") {
			t.Errorf("log %s, want nothing about listeners", got)
		}
	})
}

// More calls than are watched at a time do no harm, and the watch can be off.
func TestManyStuckCalls(t *testing.T) {
	for after, want := range map[time.Duration]int{time.Second: 64, -1: 0} {
		bubble.Test(t, func(t *testing.T) {
			b, log, l := newBottom(), new(testlog.Log), &blocker{make(chan struct{})}
			cfg := b.config()
			cfg.StuckAfter, cfg.Logger = after, slog.New(slog.NewTextHandler(log, nil))
			c := start(t, cfg)
			remove := c.Listen(l)
			for range 100 {
				go b.receiver.deliver(named(t, "a"), "x") // ends with the release
			}
			time.Sleep(time.Minute)
			if got := c.Stats().Stuck; got != want {
				t.Errorf("StuckAfter %v: %d stuck, want %d", after, got, want)
			}
			if lines := strings.Count(log.Take(), "does not return"); lines > 1 {
				t.Errorf("%d lines about one listener, want at most 1", lines)
			}
			close(l.release)
			remove()
			synctest.Wait()
		})
	}
}
