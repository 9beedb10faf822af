package channel_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/membership"
)

func TestStartAndStopOrder(t *testing.T) {
	b := newBottom()
	cfg := b.config()
	cfg.Interceptors = []channel.Interceptor{&stepper{name: "top", b: b}, new(plain), &stepper{name: "low", b: b}}
	c := start(t, cfg)
	want := []string{"receiver starts", "sender starts", "low starts", "top starts", "membership starts"}
	if diff := cmp.Diff(want, b.take()); diff != "" {
		t.Errorf("start (-want +got):\n%s", diff)
	}
	if a := c.Local().Attributes(); a.Host != here || a.Port != 4321 || a.SecurePort != 4322 || a.UDPPort != membership.NoPort || a.ID.IsZero() {
		t.Errorf("Local() = %+v, want the address of the receiver and an id", a)
	}
	if b.sender.env.Local() != c.Local() || b.receiver.env.Local() != c.Local() || b.membership.env.Local != c.Local() {
		t.Error("a part does not know the local member")
	}
	stop(t, c)
	want = []string{"top drains", "low drains", "membership stops", "sender stops", "receiver stops"}
	if diff := cmp.Diff(want, b.take()); diff != "" {
		t.Errorf("stop (-want +got):\n%s", diff)
	}
}

// stepper is a layer with a step in start and stop.
type stepper struct {
	plain
	name string
	b    *bottom
	err  error
}

func (l *stepper) BindDown(h channel.Host, below channel.Down) (channel.Down, error) {
	h.OnStart(func(context.Context) error { l.b.add(l.name + " starts"); return l.err })
	h.OnDrain(func(context.Context) { l.b.add(l.name + " drains") })
	return below, nil
}

// When one part does not start, those before it are ended, and those after it
// are not begun.
func TestStartFails(t *testing.T) {
	oops := errors.New("oops")
	stops := []string{"membership stops", "sender stops", "receiver stops"}
	tests := []struct {
		name  string
		spoil func(b *bottom, low, top *stepper)
		want  []string
	}{
		{"receiver", func(b *bottom, _, _ *stepper) { b.receiver.startErr = oops },
			slices.Concat([]string{"receiver starts"}, stops)},
		{"sender", func(b *bottom, _, _ *stepper) { b.sender.startErr = oops },
			slices.Concat([]string{"receiver starts", "sender starts"}, stops)},
		{"low layer", func(_ *bottom, low, _ *stepper) { low.err = oops },
			slices.Concat([]string{"receiver starts", "sender starts", "low starts"}, stops)},
		{"top layer", func(_ *bottom, _, top *stepper) { top.err = oops },
			slices.Concat([]string{"receiver starts", "sender starts", "low starts", "top starts", "low drains"}, stops)},
		{"membership", func(b *bottom, _, _ *stepper) { b.membership.startErr = oops },
			slices.Concat([]string{"receiver starts", "sender starts", "low starts", "top starts", "membership starts", "top drains", "low drains"}, stops)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				b := newBottom()
				low, top := &stepper{name: "low", b: b}, &stepper{name: "top", b: b}
				test.spoil(b, low, top)
				cfg := b.config()
				cfg.Interceptors = []channel.Interceptor{top, low}
				c, err := channel.New(cfg)
				if err != nil {
					t.Fatal(err)
				}
				if err := c.Start(t.Context()); !errors.Is(err, oops) {
					t.Errorf("Start() = %v, want %v", err, oops)
				}
				select {
				case <-c.Done():
				default:
					t.Error("Start has failed and the channel is not closed")
				}
				if diff := cmp.Diff(test.want, b.take()); diff != "" {
					t.Errorf("steps (-want +got):\n%s", diff)
				}
				if err := c.Start(t.Context()); !errors.Is(err, channel.ErrClosed) {
					t.Errorf("second Start() = %v, want %v", err, channel.ErrClosed)
				}
			})
		})
	}
}

// A message that has come before a part failed to start does not hold up the end.
func TestStartFailsWhileMessagesWait(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBottom()
		oops := errors.New("oops")
		delivered := make(chan error, 1)
		b.sender.onStart = func(context.Context) error {
			go func() { delivered <- b.receiver.deliver(named(t, "a"), "x") }() // ends with the channel
			synctest.Wait()
			return oops
		}
		c, err := channel.New(b.config())
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		if err := c.Start(t.Context()); !errors.Is(err, oops) || time.Since(begin) > 0 {
			t.Errorf("Start() = %v after %v, want %v at once", err, time.Since(begin), oops)
		}
		if err := <-delivered; !errors.Is(err, channel.ErrClosed) {
			t.Errorf("the message: %v, want %v", err, channel.ErrClosed)
		}
	})
}

func TestStartWithoutAddress(t *testing.T) {
	b := newBottom()
	b.receiver.noAddress = true
	c, err := channel.New(b.config())
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(t.Context()); err == nil {
		t.Error("Start() = nil with a receiver that has no address")
	}
	<-c.Done()
}

// A channel without membership has an empty view; one whose part does not stop
// in order says so, to who stops it and in its log.
func TestWithoutMembership(t *testing.T) {
	b := newBottom()
	var log bytes.Buffer
	cfg := b.config()
	cfg.Membership = nil
	cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
	b.receiver.stopErr = errors.New("somebody is still inside")
	c := start(t, cfg)
	if n := c.View().Len(); n != 0 {
		t.Errorf("the view has %d members", n)
	}
	if err := c.Stop(context.Background()); !errors.Is(err, b.receiver.stopErr) || c.Stop(t.Context()) == nil {
		t.Errorf("Stop() = %v, want %v, each time", err, b.receiver.stopErr)
	}
	if !strings.Contains(log.String(), "part=receiver") || !strings.Contains(log.String(), "still inside") {
		t.Errorf("log of the stop: %s", log.String())
	}
}

// Stop ends a Start that hangs.
func TestStopDuringStart(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBottom()
		b.sender.onStart = func(ctx context.Context) error { <-ctx.Done(); return context.Cause(ctx) }
		c, err := channel.New(b.config())
		if err != nil {
			t.Fatal(err)
		}
		result := make(chan error)
		go func() { result <- c.Start(context.Background()) }() // ends with the start
		synctest.Wait()
		begin := time.Now()
		stop(t, c)
		if err := <-result; !errors.Is(err, channel.ErrClosed) {
			t.Errorf("Start() = %v, want %v", err, channel.ErrClosed)
		}
		if took := time.Since(begin); took != 0 {
			t.Errorf("the stop took %v", took)
		}
		want := []string{"receiver starts", "sender starts", "membership stops", "sender stops", "receiver stops"}
		if diff := cmp.Diff(want, b.take()); diff != "" {
			t.Errorf("steps (-want +got):\n%s", diff)
		}
	})
}

// A Close during a Start that succeeds nevertheless is not lost.
func TestCloseDuringStart(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBottom()
		var c *channel.Channel
		b.membership.onStart = func() { c.Close() }
		c, err := channel.New(b.config())
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(t.Context()); !errors.Is(err, channel.ErrClosed) {
			t.Errorf("Start() = %v, want %v", err, channel.ErrClosed)
		}
		<-c.Done()
	})
}
