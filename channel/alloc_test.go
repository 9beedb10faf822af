//go:build !race

package channel_test

import (
	"context"
	"testing"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// A send that waits for its outcome allocates nothing in the channel.
func TestSendAllocatesNothing(t *testing.T) {
	b := newBottom()
	b.sender.onSend = func(_ context.Context, to []*membership.Member, _ *message.Message, r *message.Receipt) error {
		for _, m := range to {
			r.Settle(m, message.Acknowledged, nil)
		}
		return nil
	}
	cfg := b.config()
	for _, layers := range [][]channel.Interceptor{nil, {new(plain), new(plain)}} {
		cfg.Interceptors = layers
		c := start(t, cfg)
		ctx, to, payload := t.Context(), members(t, "a", "b", "c"), make([]byte, 1000)
		got := testing.AllocsPerRun(1000, func() {
			if _, err := c.Send(ctx, to, payload, message.Sync); err != nil {
				t.Error(err)
			}
		})
		if got != 0 {
			t.Errorf("with %d layers a send makes %v allocations, want 0", len(layers), got)
		}
	}
}

// A send that does not wait allocates nothing in the channel, whether it is told
// the outcome or not.
func TestPostAllocatesNothing(t *testing.T) {
	b := newBottom()
	b.sender.onSend = func(_ context.Context, to []*membership.Member, _ *message.Message, r *message.Receipt) error {
		for _, m := range to {
			r.Settle(m, message.Written, nil)
		}
		return nil
	}
	c := start(t, b.config())
	ctx, to, payload := t.Context(), members(t, "a", "b", "c"), make([]byte, 1000)
	told := make(chan struct{})
	for name, done := range map[string]func(message.ID, error){
		"nobody":   nil,
		"somebody": func(message.ID, error) { told <- struct{}{} },
	} {
		got := testing.AllocsPerRun(1000, func() {
			if _, err := c.Post(ctx, to, payload, 0, done); err != nil {
				t.Error(err)
			}
			if done != nil {
				<-told
			}
		})
		if got != 0 {
			t.Errorf("a send of which %s is told the outcome makes %v allocations, want 0", name, got)
		}
	}
}

// A delivery allocates nothing in the channel.
func TestDeliverAllocatesNothing(t *testing.T) {
	b := newBottom()
	c := start(t, b.config())
	c.Listen(channel.ListenerFunc(func(context.Context, *message.Message) error { return nil }))
	from := named(t, "a")
	got := testing.AllocsPerRun(1000, func() {
		if err := b.receiver.deliver(from, "x"); err != nil {
			t.Error(err)
		}
	})
	if got != 0 {
		t.Errorf("a delivery makes %v allocations, want 0", got)
	}
}
