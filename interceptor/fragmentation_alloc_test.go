//go:build !race

package interceptor

import (
	"context"
	"testing"

	"github.com/gotribes/tribes/interceptor/interceptortest"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// receivingAs is receiving for payloads and options that change.
func receivingAs(tb testing.TB, h *interceptortest.Harness, next func(m *message.Message) []byte) func() {
	m := h.Message(nil, message.ByteMessage)
	tb.Cleanup(m.Release)
	return func() {
		m.Source = peer
		m.Trim(m.Len())
		b := next(m)
		copy(m.Extend(len(b)), b)
		if err := h.Deliver(context.Background(), m); err != nil {
			tb.Fatal(err)
		}
	}
}

func TestFragmentationAllocatesLittle(t *testing.T) {
	whole := append(noise(4000), 0)
	large := noise(40_000)
	parts := fragments(large, 4000)
	toSmall := sending(t, new(Fragmentation), interceptortest.Members(2, 9), whole)
	h := interceptortest.New(t, interceptortest.Config{}, silent{}, new(Fragmentation))
	h.Start()
	toLarge := sendingParts(t, &Fragmentation{MaxSize: 4000}, large)
	small := receivingAs(t, h, func(*message.Message) []byte { return whole })
	id, i := message.ID{}, 0
	together := receivingAs(t, h, func(m *message.Message) []byte {
		m.ID = id
		i++
		if i == len(parts) {
			i = 0
			id[0]++
		}
		return parts[i]
	})
	for _, tt := range []struct {
		name string
		most float64 // for a part
		f    func()
	}{
		{"sends what is whole", 0, toSmall},
		{"receives what is whole", 0, small},
		{"sends ten parts", 12, toLarge},
		{"receives a part", 2, together}, // the id, and a tenth of what is for the message
	} {
		for range 1000 {
			tt.f() // fills the pools
		}
		if got := testing.AllocsPerRun(1000, tt.f); got > tt.most {
			t.Errorf("Fragmentation %s: %v allocations, want at most %v", tt.name, got, tt.most)
		}
	}
}

// sendingParts returns a function that sends a message in parts to one member.
func sendingParts(tb testing.TB, f *Fragmentation, payload []byte) func() {
	h := newFragmentation(tb, f, interceptortest.Config{})
	h.Bottom.Use(takesAll)
	to := []*membership.Member{peer}
	r := message.NewReceipt(0, nil)
	return func() {
		r.Reset(len(to), nil)
		m := h.Message(payload, 0)
		if err := h.SendMessage(context.Background(), to, m, r); err != nil {
			tb.Fatal(err)
		}
		m.Release()
		<-r.Done()
	}
}

// A lie about the length of a message costs no more than what has come of it.
func TestFragmentationTakesNoMemoryForPromises(t *testing.T) {
	f := new(Fragmentation)
	h := newFragmentation(t, f, interceptortest.Config{})
	const size = 1000
	for i := range 50 {
		id := message.NewID()
		count := f.set.limit / size
		for _, p := range [][]byte{fragment(noise(size), count-1, count), fragment(noise(size), i, count)} {
			if err := (arrival{peer, id, p, 0}).at(h); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got, most := f.Stats().HeldBytes, 50*(heldEntry+2*(size+heldExtra)); got > most {
		t.Errorf("%d bytes are kept for 50 messages of %d bytes each of which two parts of %d came, want at most %d", got, f.set.limit, size, most)
	}
}
