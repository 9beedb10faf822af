package interceptor

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

const (
	markSize    = 1         // behind a whole message: 0
	partTrailer = 4 + 4 + 1 // behind a part: index, count, 1
)

var (
	errPartAbandoned = errors.New("tribes: fragmentation: the sender does not wait any more")
	errPartPending   = errors.New("pending")
)

// send is the layer's SendFunc.
func (f *Fragmentation) send(ctx context.Context, to []*membership.Member, m *message.Message, r *message.Receipt) error {
	size := m.Len()
	switch {
	case size <= f.set.size || !m.Options.Has(f.set.flag) || len(to) == 0:
		m.Extend(markSize)[0] = 0
		return f.next(ctx, to, m, r)
	case size > f.set.limit:
		return fmt.Errorf("tribes: fragmentation: %d bytes, and the limit is %d: %w", size, f.set.limit, message.ErrTooLarge)
	}
	s := splitting{f: f, m: m, r: r, to: slices.Clone(to), room: make(chan struct{}, f.set.flights),
		count: (size + f.set.size - 1) / f.set.size}
	f.counts.split.Add(1)
	r.Add(len(to) * (s.count - 1))
	s.run(ctx)
	return nil
}

// splitting is one message that is sent in parts.
type splitting struct {
	f     *Fragmentation
	m     *message.Message
	r     *message.Receipt
	to    []*membership.Member // who has got all parts so far, as far as known
	count int
	room  chan struct{} // has as many values as parts are on their way
}

func (s *splitting) run(ctx context.Context) {
	for i := range s.count {
		err := s.wait(ctx)
		if left := s.count - i; i > 0 && !s.narrow(left) {
			return
		}
		if err == nil {
			err = s.part(ctx, i)
		}
		if err != nil {
			s.fail(s.to, s.count-i, err)
			return
		}
	}
}

// wait waits until one more part may be on its way.
func (s *splitting) wait(ctx context.Context) error {
	select {
	case s.room <- struct{}{}:
		return nil
	default:
	}
	select {
	case s.room <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// part sends part number i.
func (s *splitting) part(ctx context.Context, i int) error {
	size := s.f.set.size
	p := s.m.Part(i*size, min((i+1)*size, s.m.Len()))
	defer p.Release()
	if i < s.count-1 && s.f.set.flights == 1 && p.Options.Acked() {
		// A Java node that has acknowledged a part may not have processed it when the next
		// one comes, over another connection: with the last it delivers the message twice.
		p.Options |= message.Sync
	}
	tail := p.Extend(partTrailer) // copies the part, since it shares its memory
	binary.BigEndian.PutUint32(tail, uint32(i))
	binary.BigEndian.PutUint32(tail[4:], uint32(s.count))
	tail[8] = 1
	t := s.f.flight(s)
	if err := s.f.next(ctx, s.to, p, t.part); err != nil {
		t.recycle()
		return err
	}
	s.f.counts.parts.Add(1)
	return nil
}

// flight is one part on its way. It is used again when it has arrived.
type flight struct {
	f      *Fragmentation
	part   *message.Receipt
	settle func(*message.Receipt) // t.settled; made once

	r    *message.Receipt // of the message
	to   []*membership.Member
	room chan struct{}
}

func (f *Fragmentation) flight(s *splitting) *flight {
	t, ok := f.flights.Get().(*flight)
	if !ok {
		t = &flight{f: f, part: message.NewReceipt(0, nil)}
		t.settle = t.settled
	}
	t.r, t.to, t.room = s.r, s.to, s.room
	t.part.Reset(len(s.to), t.settle)
	return t
}

// settled is told what became of the part at all destinations.
func (t *flight) settled(part *message.Receipt) {
	r, room, results := t.r, t.room, part.Results(t.to, nil)
	t.recycle()
	for _, res := range results {
		r.SettleResult(res)
	}
	<-room
}

func (t *flight) recycle() {
	t.r, t.to, t.room = nil, nil, nil
	t.f.flights.Put(t)
}

// narrow leaves out the destinations where a part has failed: the parts that are
// left would be of no use there. It returns false if nobody is left.
func (s *splitting) narrow(left int) bool {
	if s.r.Abandoned() {
		s.fail(s.to, left, errPartAbandoned)
		return false
	}
	if s.r.OK() {
		return true
	}
	var good []*membership.Member
	for i, res := range s.r.Results(s.to, errPartPending) {
		if res.Outcome.OK() || res.Err == errPartPending {
			good = append(good, s.to[i])
			continue
		}
		s.fail(s.to[i:i+1], left, res.Err)
	}
	s.to = good
	return len(good) > 0
}

// fail settles what is left to be sent to some destinations.
func (s *splitting) fail(to []*membership.Member, parts int, cause error) {
	err := fmt.Errorf("%w: %w", ErrPartLost, cause)
	for range parts {
		s.r.SettleAll(to, message.NotSent, err)
	}
}
