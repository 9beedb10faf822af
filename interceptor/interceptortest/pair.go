package interceptortest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// Pair is two stacks of one kind: what one sends to the other travels as the
// bytes of a frame and arrives there before the send returns.
type Pair struct {
	A, B *Harness // the members 1 and 2
}

// NewPair makes and starts two stacks of the layers that layers returns, and
// lets each member join the other's group.
func NewPair(tb testing.TB, cfg Config, layers func() []channel.Interceptor) *Pair {
	tb.Helper()
	b := cfg
	cfg.Local, b.Local = Member(1), Member(2)
	p := &Pair{A: New(tb, cfg, layers()...), B: New(tb, b, layers()...)}
	join(p.A, p.B)
	join(p.B, p.A)
	for _, h := range []*Harness{p.A, p.B} {
		h.Start()
	}
	p.A.Join(p.B.Local())
	p.B.Join(p.A.Local())
	return p
}

// join makes what from sends to to arrive there. Messages of one sender are
// delivered one at a time, and settled by what their delivery returns.
func join(from, to *Harness) {
	var mu sync.Mutex
	from.Bottom.Use(func(_ context.Context, dest []*membership.Member, m *message.Message, r *message.Receipt) error {
		mu.Lock()
		defer mu.Unlock()
		frame := m.Copy()
		defer frame.Release()
		from.Bottom.Note(dest, m)
		for _, d := range slices.Clone(dest) {
			settle(d, from, to, frame, r)
		}
		return nil
	})
}

var errNobody = errors.New("interceptortest: no such member")

func settle(d *membership.Member, from, to *Harness, m *message.Message, r *message.Receipt) {
	if d.Key() != to.Local().Key() {
		r.Settle(d, message.NotSent, errNobody)
		return
	}
	err := to.arriveFrame(m)
	switch {
	case err != nil && m.Options.SyncAcked():
		r.Settle(d, message.Refused, &message.RemoteError{Reason: err.Error()})
	case m.Options.Acked():
		from.Learn(d, to.announced)
		r.Settle(d, message.Acknowledged, nil)
	default:
		r.Settle(d, message.Written, nil)
	}
}
