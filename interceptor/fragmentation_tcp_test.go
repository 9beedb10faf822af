package interceptor

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/message"
)

// A message that is much larger than frames may be travels over sockets, beside small
// ones, and without the layer it does not.
func TestMessagesLargerThanFrames(t *testing.T) {
	const maxFrame, size = 64 << 10, 20 << 20
	large := noise(size)
	for _, split := range []bool{true, false} {
		var f *Fragmentation
		node := func() *channel.Channel {
			var layers []channel.Interceptor
			if split {
				f = &Fragmentation{MaxSize: 60_000}
				layers = []channel.Interceptor{f}
			}
			return startedNode(t, nioConfig(t, maxFrame, layers...))
		}
		a, b := node(), node()
		got := make(chan *message.Message, 10)
		b.Listen(channel.ListenerFunc(func(_ context.Context, m *message.Message) error {
			got <- m.Clone()
			return nil
		}))
		_, err := a.Send(t.Context(), one(b.Local()), large, message.Sync)
		if !split {
			if !errors.Is(err, message.ErrTooLarge) {
				t.Errorf("Send without the layer = %v, want %v", err, message.ErrTooLarge)
			}
			continue
		}
		if err != nil {
			t.Fatalf("Send of %d bytes = %v, want nil", size, err)
		}
		if _, err := a.Send(t.Context(), one(b.Local()), []byte("small"), message.Sync); err != nil {
			t.Errorf("Send of a small one = %v, want nil", err)
		}
		for _, want := range [][]byte{large, []byte("small")} {
			if m := <-got; !bytes.Equal(m.Payload(), want) {
				t.Errorf("a message of %d bytes arrived, want the one of %d that was sent", m.Len(), len(want))
			}
		}
		if st := f.Stats(); st.Assembled != 1 || st.Whole != 1 || st.HeldBytes != 0 {
			t.Errorf("Stats() = %+v, want one message in parts and one whole", st)
		}
	}
}

// startedNode starts a channel, which is stopped when the test ends.
func startedNode(t *testing.T, cfg channel.Config) *channel.Channel {
	t.Helper()
	c, err := channel.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(context.Background()); err != nil {
			t.Errorf("Stop = %v, want nil", err)
		}
	})
	return c
}
