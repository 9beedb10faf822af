//go:build !race

package static

import (
	"context"
	"testing"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/message"
)

// A byte message costs nothing of note, whoever it is from.
func TestByteMessagesAllocateNothing(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := newWire(t)
		all := w.group(2, Config{})
		until(t, time.Second, "a whole group", whole(all))
		up := all[0].BindUp(channel.Up{Receive: func(context.Context, *message.Message) error { return nil }}).Receive
		m := object([]byte("payload"), all[1].local, nil)
		m.Options = message.ByteMessage
		n := testing.AllocsPerRun(100, func() {
			if err := up(context.Background(), m); err != nil {
				t.Error(err)
			}
		})
		if n != 0 {
			t.Errorf("%v allocations for a byte message, want 0", n)
		}
	})
}
