package channel_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/message"
)

// guarding is a layer that lets pass what a function says.
type guarding struct {
	plain
	f func(m *message.Message) error
}

func (l *guarding) BindDown(h channel.Host, below channel.Down) (channel.Down, error) {
	h.Guard(l.f)
	return below, nil
}

// What a guard does not let pass reaches no listener, is not counted as received,
// and is told to its sender; the other layers know nothing of it.
func TestGuard(t *testing.T) {
	b := newBottom()
	cfg := b.config()
	errLow, errHigh := errors.New("stopped by the lower"), errors.New("stopped by the upper")
	stop := func(text string, err error) func(m *message.Message) error {
		return func(m *message.Message) error {
			if string(m.Payload()) == text {
				return err
			}
			return nil
		}
	}
	cfg.Interceptors = []channel.Interceptor{
		&guarding{f: stop("high", errHigh)}, new(plain), &guarding{f: stop("low", errLow)},
	}
	var traced int
	cfg.Trace = &channel.Trace{MessageReceived: func(*message.Message, time.Duration, error) { traced++ }}
	c := start(t, cfg)
	j := new(journal)
	c.Listen(channel.ListenerFunc(func(_ context.Context, m *message.Message) error {
		j.add(string(m.Payload()))
		return nil
	}))
	for _, test := range []struct {
		text string
		want error
	}{{"good", nil}, {"low", errLow}, {"high", errHigh}, {"good too", nil}} {
		if err := b.receiver.deliver(named(t, "z"), test.text); !errors.Is(err, test.want) {
			t.Errorf("deliver %q = %v, want %v", test.text, err, test.want)
		}
	}
	if diff := cmp.Diff([]string{"good", "good too"}, j.take()); diff != "" {
		t.Errorf("delivered (-want +got):\n%s", diff)
	}
	if got := c.Stats(); got.Received != 2 || got.Unclaimed != 0 || traced != 2 {
		t.Errorf("Stats() = %+v and %d traced, want 2 received", got, traced)
	}
}
