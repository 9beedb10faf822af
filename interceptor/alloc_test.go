//go:build !race

package interceptor

import (
	"context"
	"testing"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/interceptor/interceptortest"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// takesAll is a sender that accepts everything and keeps nothing.
func takesAll(_ context.Context, to []*membership.Member, _ *message.Message, r *message.Receipt) error {
	r.SettleAll(to, message.Written, nil)
	return nil
}

func TestMessagesThatPassAllocateNothing(t *testing.T) {
	for _, layer := range []channel.Interceptor{new(Dispatch), new(TCPFailureDetector)} {
		h := interceptortest.New(t, interceptortest.Config{}, layer)
		h.Start()
		h.Bottom.Use(takesAll)
		to := interceptortest.Members(2, 4)
		m := h.Message(make([]byte, 1024), message.ByteMessage|message.Sync)
		r := message.NewReceipt(0, nil)
		allocs := testing.AllocsPerRun(1000, func() {
			r.Reset(len(to), nil)
			if err := h.SendMessage(context.Background(), to, m, r); err != nil {
				t.Fatal(err)
			}
			<-r.Done()
		})
		if allocs != 0 {
			t.Errorf("%T: Send of a message that is not its own: %v allocations, want 0", layer, allocs)
		}
		m.Release()
	}
}

func TestReceiveOfTheDetectorAllocatesNothing(t *testing.T) {
	d := new(TCPFailureDetector)
	d.above.Receive = func(context.Context, *message.Message) error { return nil }
	var pool message.Pool
	for _, payload := range []string{"hello", probeBytes} {
		m := pool.New(len(payload))
		copy(m.Payload(), payload)
		m.Options = message.ByteMessage
		allocs := testing.AllocsPerRun(1000, func() {
			if err := d.receive(context.Background(), m); err != nil {
				t.Fatal(err)
			}
		})
		if allocs != 0 {
			t.Errorf("Receive of %d bytes: %v allocations, want 0", len(payload), allocs)
		}
		m.Release()
	}
}

// One allocation is the result that a receipt hands out.
func TestAsyncMessagesAllocateLittle(t *testing.T) {
	h := interceptortest.New(t, interceptortest.Config{}, new(Dispatch))
	h.Start()
	h.Bottom.Use(takesAll)
	to := interceptortest.Members(2, 2)
	m := h.Message(make([]byte, 1024), message.ByteMessage|message.Async)
	defer m.Release()
	r := message.NewReceipt(0, nil)
	allocs := testing.AllocsPerRun(1000, func() {
		r.Reset(len(to), nil)
		if err := h.SendMessage(context.Background(), to, m, r); err != nil {
			t.Fatal(err)
		}
		<-r.Done()
	})
	if allocs > 1 {
		t.Errorf("async Send: %v allocations, want at most 1", allocs)
	}
}
