package channel_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/membership"
)

// agreeing is a layer that provides agreed views.
type agreeing struct{ up channel.Up }

func (l *agreeing) BindDown(_ channel.Host, below channel.Down) (channel.Down, error) {
	return below, nil
}

func (l *agreeing) BindUp(above channel.Up) channel.Up {
	l.up = above
	return above
}

// Agreed views reach the channel, also through layers that know nothing of them
// and make a channel.Up of their own.
func TestAgreedViews(t *testing.T) {
	b := newBottom()
	cfg := b.config()
	provider := new(agreeing)
	var traced []*membership.Agreed
	cfg.Trace = &channel.Trace{ViewAgreed: func(v *membership.Agreed) { traced = append(traced, v) }}
	cfg.Interceptors = []channel.Interceptor{&tracer{name: "top", j: new(journal)}, new(plain), provider}
	c := start(t, cfg)
	if got := c.Agreed(); got != nil {
		t.Fatalf("Agreed() before any = %v, want nil", got)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	got := make(chan *membership.Agreed)
	go func() { // ends with ctx at the latest
		v, err := c.WaitAgreed(ctx, func(v *membership.Agreed) bool { return v.Seq == 2 })
		if err != nil {
			t.Errorf("WaitAgreed = %v, want nil", err)
		}
		got <- v
	}()
	views := []*membership.Agreed{{Seq: 1, Members: []*membership.Member{c.Local()}}, {Seq: 2, Members: []*membership.Member{c.Local()}}}
	for _, v := range views {
		provider.up.View(v)
	}
	if v := <-got; v != views[1] || c.Agreed() != v {
		t.Errorf("WaitAgreed gave %v and Agreed() is %v, want both %v", v, c.Agreed(), views[1])
	}
	if len(traced) != 2 || traced[1] != views[1] {
		t.Errorf("the trace was told of %v, want %v", traced, views)
	}
}

func TestWaitAgreedEnds(t *testing.T) {
	cfg := newBottom().config()
	c := start(t, cfg)
	never := func(*membership.Agreed) bool { return false }
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("no patience")
	cancel(why)
	if _, err := c.WaitAgreed(ctx, never); !errors.Is(err, why) {
		t.Errorf("WaitAgreed with an ended context = %v, want %v", err, why)
	}
	if err := c.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.WaitAgreed(t.Context(), never); !errors.Is(err, channel.ErrClosed) {
		t.Errorf("WaitAgreed after Stop = %v, want %v", err, channel.ErrClosed)
	}
}
