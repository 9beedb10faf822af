package interceptortest

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"
	"testing/synctest"

	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

var errAbove = errors.New("interceptortest: the application failed")

// sizes are the payloads of the round trips, in bytes: nothing, little, the
// classes of the buffer pool and their neighbours, and much.
var sizes = []int{0, 1, 2, 7, 63, 64, 65, 479, 480, 481, 511, 512, 513, 1000,
	4 << 10, 4<<10 + 1, 16 << 10, 32<<10 - 32, 32 << 10, 100_000, 256 << 10, 1<<20 - 1, 1 << 20}

func checkPassesUp(tb testing.TB, s Suite) {
	if s.ActsOnAll {
		return
	}
	h := s.harness(tb)
	m := h.Message([]byte("as it is"), message.ByteMessage)
	defer m.Release()
	m.Source = Member(2)
	want := m.Clone()
	if err := h.Deliver(context.Background(), m); err != nil {
		tb.Fatalf("Receive = %v, want nil", err)
	}
	synctest.Wait()
	got := h.Top.Received()
	if len(got) != 1 {
		tb.Fatalf("a message that the layer leaves alone was delivered %d times, want 1", len(got))
	}
	if d := differences(want, got[0], 0); d != "" {
		tb.Errorf("a message that the layer leaves alone was changed: %s", d)
	}
}

func checkRoundTrip(tb testing.TB, s Suite) { roundTrip(tb, s, s.options(message.Sync), s.OwnBits) }

func checkRoundTripUnhandled(tb testing.TB, s Suite) {
	roundTrip(tb, s, message.ByteMessage|message.Sync, s.OwnBits)
}

// roundTrip sends payloads of all sizes, of random bytes and of zeros, each way.
func roundTrip(tb testing.TB, s Suite, o, own message.Options) {
	p := s.pair(tb)
	zeros, random := make([]byte, sizes[len(sizes)-1]), make([]byte, sizes[len(sizes)-1])
	rand.NewChaCha8([32]byte{1}).Read(random) // never fails
	for _, size := range sizes {
		p.once(tb, zeros[:size], o, own)
		p.once(tb, random[:size], o, own)
	}
}

// once sends payload from A to B and back.
func (p *Pair) once(tb testing.TB, payload []byte, o, own message.Options) {
	tb.Helper()
	for _, way := range [][2]*Harness{{p.A, p.B}, {p.B, p.A}} {
		from, to := way[0], way[1]
		m := from.Message(payload, o)
		want := m.Clone()
		r := message.NewReceipt(1, nil)
		if err := from.SendMessage(context.Background(), []*membership.Member{to.Local()}, m, r); err != nil {
			tb.Fatalf("Send of %d bytes = %v, want nil", len(payload), err)
		}
		m.Release()
		await(tb, r)
		if !r.OK() {
			tb.Fatalf("Send of %d bytes: %v", len(payload), r.Results([]*membership.Member{to.Local()}, nil)[0].Err)
		}
		synctest.Wait()
		got := to.Top.Received()
		to.Top.Reset()
		if len(got) != 1 {
			tb.Fatalf("%d bytes were delivered %d times, want once", len(payload), len(got))
		}
		if d := differences(want, got[0], own); d != "" {
			tb.Fatalf("%d bytes, options %s, after a round trip: %s", len(payload), o, d)
		}
	}
}

// checkErrorsPassUp: what the application answers is what the sender is told.
func checkErrorsPassUp(tb testing.TB, s Suite) {
	if s.HoldsErrors {
		return
	}
	p := s.pair(tb)
	to := []*membership.Member{p.B.Local()}
	p.B.Top.Handle(func(context.Context, *message.Message) error { return errAbove })
	r := p.A.Post(context.Background(), to, []byte("x"), s.options(message.Sync))
	await(tb, r)
	var remote *message.RemoteError
	res := r.Results(to, nil)[0]
	if res.Outcome != message.Refused || !errors.As(res.Err, &remote) || remote.Reason != errAbove.Error() {
		tb.Errorf("the application failed with %q: outcome %s, %v, want %s with that reason", errAbove, res.Outcome, res.Err, message.Refused)
	}
}
