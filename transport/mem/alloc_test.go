//go:build !race

package mem_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/message"
	"github.com/gotribes/tribes/transport/mem"
)

// A send through whole channels, with the delivery at each destination, makes
// no allocation.
func TestSendAllocatesNothing(t *testing.T) {
	for _, destinations := range []int{1, 3} {
		n := mem.NewNetwork(mem.Config{Window: 32 << 10}) // soon full: a steady state
		from := startChannel(t, n.Node("from"))
		for i := range destinations {
			c := startChannel(t, n.Node(fmt.Sprint("to ", i)))
			c.Listen(channel.ListenerFunc(func(context.Context, *message.Message) error { return nil }))
		}
		if err := from.WaitMembers(t.Context(), destinations); err != nil {
			t.Fatal(err)
		}
		to := from.View().Members
		for _, size := range []int{0, 100, 16 << 10} {
			payload := make([]byte, size)
			for _, o := range []message.Options{0, message.UseAck, message.Sync} {
				ctx := t.Context()
				send := func() {
					if _, err := from.Send(ctx, to, payload, o); err != nil {
						t.Error(err)
					}
				}
				for range 1000 {
					send()
				}
				if got := testing.AllocsPerRun(2000, send); got != 0 {
					t.Errorf("%d destinations, %d bytes, %v: %v allocations for each send, want 0", destinations, size, o, got)
				}
			}
		}
	}
}

func BenchmarkSend(b *testing.B) {
	n := mem.NewNetwork(mem.Config{})
	from, to := startChannel(b, n.Node("from")), startChannel(b, n.Node("to"))
	to.Listen(channel.ListenerFunc(func(context.Context, *message.Message) error { return nil }))
	if err := from.WaitMembers(b.Context(), 1); err != nil {
		b.Fatal(err)
	}
	dst := from.View().Members
	for _, size := range []int{100, 16 << 10} {
		for _, o := range []message.Options{0, message.UseAck, message.Sync} {
			payload := make([]byte, size)
			b.Run(fmt.Sprintf("%d bytes/%v", size, o), func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(int64(size))
				for b.Loop() {
					if _, err := from.Send(b.Context(), dst, payload, o); err != nil {
						b.Error(err)
					}
				}
			})
		}
	}
}
