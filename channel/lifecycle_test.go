package channel_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/membership"
)

// phases bring a channel to a point of its life and return how to go on from
// there to the end. Each runs in a bubble.
var phases = []struct {
	name string
	to   func(t *testing.T, b *bottom, c *channel.Channel) (end func())
}{
	{"new", func(_ *testing.T, _ *bottom, c *channel.Channel) func() { return c.Close }},
	{"starting", func(t *testing.T, b *bottom, c *channel.Channel) func() {
		release, ended := make(chan struct{}), make(chan struct{})
		b.sender.onStart = func(context.Context) error { <-release; return nil }
		go func() { // ends when the start has
			defer close(ended)
			if err := c.Start(context.Background()); err != nil && !errors.Is(err, channel.ErrClosed) {
				t.Errorf("Start: %v", err)
			}
		}()
		synctest.Wait()
		return func() { close(release); <-ended; c.Close() }
	}},
	{"running", func(t *testing.T, _ *bottom, c *channel.Channel) func() {
		if err := c.Start(context.Background()); err != nil {
			t.Errorf("Start: %v", err)
		}
		return c.Close
	}},
	{"stopping", func(t *testing.T, b *bottom, c *channel.Channel) func() {
		release := make(chan struct{})
		b.sender.onStop = func(context.Context) { <-release }
		if err := c.Start(context.Background()); err != nil {
			t.Errorf("Start: %v", err)
		}
		c.Close()
		synctest.Wait()
		return func() { close(release) }
	}},
	{"stopped", func(t *testing.T, _ *bottom, c *channel.Channel) func() {
		if err := c.Start(context.Background()); err != nil {
			t.Errorf("Start: %v", err)
		}
		if err := c.Stop(context.Background()); err != nil {
			t.Errorf("Stop: %v", err)
		}
		return func() {}
	}},
	{"never started and stopped", func(t *testing.T, _ *bottom, c *channel.Channel) func() {
		if err := c.Stop(context.Background()); err != nil {
			t.Errorf("Stop: %v", err)
		}
		return func() {}
	}},
}

func TestLifeCycle(t *testing.T) {
	to := []*membership.Member{named(t, "a")}
	ctx := context.Background()
	notStarted, closed, started := channel.ErrNotStarted, channel.ErrClosed, channel.ErrStarted
	calls := []struct {
		name string
		call func(c *channel.Channel) error
		want []error // per phase
	}{
		{"Start", func(c *channel.Channel) error { return c.Start(ctx) },
			[]error{nil, started, started, closed, closed, closed}},
		{"Send", func(c *channel.Channel) error { _, err := c.Send(ctx, to, nil, 0); return err },
			[]error{notStarted, notStarted, nil, closed, closed, closed}},
		{"SendAll", func(c *channel.Channel) error { _, err := c.SendAll(ctx, nil, 0); return err },
			[]error{notStarted, notStarted, channel.ErrNoMembers, closed, closed, closed}},
		{"Post", func(c *channel.Channel) error { _, err := c.Post(ctx, to, nil, 0, nil); return err },
			[]error{notStarted, notStarted, nil, closed, closed, closed}},
		{"UpdateLocal", func(c *channel.Channel) error { return c.UpdateLocal(func(*membership.Attributes) {}) },
			[]error{notStarted, nil, nil, closed, closed, closed}},
		{"WaitMembers 0", func(c *channel.Channel) error { return c.WaitMembers(ctx, 0) },
			[]error{nil, nil, nil, nil, nil, nil}},
		{"Listen", func(c *channel.Channel) error { c.Listen(listen(func(string) error { return nil }))(); return nil },
			[]error{nil, nil, nil, nil, nil, nil}},
		{"Watch", func(c *channel.Channel) error {
			c.Watch(channel.MembershipListenerFunc(func(context.Context, membership.Event) {}))()
			return nil
		}, []error{nil, nil, nil, nil, nil, nil}},
		{"View and Stats", func(c *channel.Channel) error {
			if c.View().Len() != 0 || c.Stats().Members != 0 {
				return errors.New("there are members")
			}
			return nil
		}, []error{nil, nil, nil, nil, nil, nil}},
		{"Close", func(c *channel.Channel) error { c.Close(); return nil },
			[]error{nil, nil, nil, nil, nil, nil}},
	}
	for _, call := range calls {
		for i, phase := range phases {
			t.Run(call.name+"/"+phase.name, func(t *testing.T) {
				bubble.Test(t, func(t *testing.T) {
					b := newBottom()
					c, err := channel.New(b.config())
					if err != nil {
						t.Fatal(err)
					}
					end := phase.to(t, b, c)
					if err := call.call(c); !errors.Is(err, call.want[i]) {
						t.Errorf("%s = %v, want %v", call.name, err, call.want[i])
					}
					end()
					<-c.Done()
				})
			})
		}
	}
}

func TestErrClosedIsNetErrClosed(t *testing.T) {
	if !errors.Is(channel.ErrClosed, net.ErrClosed) {
		t.Errorf("%v is not %v", channel.ErrClosed, net.ErrClosed)
	}
}
