package interceptor

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

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
	s := splitting{f: f, m: m, r: r, to: to, count: (size + f.set.size - 1) / f.set.size}
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
}

func (s *splitting) run(ctx context.Context) {
	for i := range s.count {
		if err := s.part(ctx, i); err != nil {
			s.fail(s.to, s.count-i, err)
			return
		}
		if left := s.count - 1 - i; left > 0 && !s.narrow(left) {
			return
		}
	}
}

// part sends part number i.
func (s *splitting) part(ctx context.Context, i int) error {
	size := s.f.set.size
	p := s.m.Part(i*size, min((i+1)*size, s.m.Len()))
	defer p.Release()
	tail := p.Extend(partTrailer) // copies the part, since it shares its memory
	binary.BigEndian.PutUint32(tail, uint32(i))
	binary.BigEndian.PutUint32(tail[4:], uint32(s.count))
	tail[8] = 1
	if err := s.f.next(ctx, s.to, p, s.r); err != nil {
		return err
	}
	s.f.counts.parts.Add(1)
	return nil
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
