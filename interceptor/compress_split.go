package interceptor

import (
	"context"
	"time"

	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// split is the destinations of one message: those that can expand it, and the others.
type split struct {
	able, others []*membership.Member
}

// split sorts destinations; put takes it back.
func (c *Compress) split(to []*membership.Member, caps message.Caps) *split {
	s, ok := c.splits.Get().(*split)
	if !ok {
		s = new(split)
	}
	for _, m := range to {
		if c.host.Understands(m).Has(caps) {
			s.able = append(s.able, m)
		} else {
			s.others = append(s.others, m)
		}
	}
	return s
}

func (c *Compress) put(s *split) {
	clear(s.able)
	clear(s.others)
	s.able, s.others = s.able[:0], s.others[:0]
	c.splits.Put(s)
}

// packed is a compressed payload: n bytes of buf, with the option that says how.
type packed struct {
	buf    *message.Buffer
	n      int
	option message.Options
}

// sendBoth hands m down compressed for those that can expand it and as it is for the
// others. Those that kept the last caller waiting come last, so that they delay the
// others as little as possible.
func (c *Compress) sendBoth(ctx context.Context, s *split, m *message.Message, p packed, r *message.Receipt) error {
	small := m.Fork(p.buf)
	defer small.Release()
	small.Trim(len(p.buf.Bytes()) - p.n)
	small.Options |= p.option
	c.counts.split.Add(1)
	c.counts.sent.note(true, m.Len(), p.n)
	c.counts.sent.note(false, m.Len(), m.Len())
	first, last := half{s.able, small}, half{s.others, m}
	othersFirst := c.slow.Load()
	if othersFirst {
		first, last = last, first
	}
	begin := time.Now()
	errFirst := c.next(ctx, first.to, first.m, r)
	if time.Since(begin) > slowAccept {
		c.slow.Store(!othersFirst)
	}
	errLast := c.next(ctx, last.to, last.m, r)
	switch {
	case errFirst != nil && errLast != nil:
		return errFirst
	case errFirst != nil:
		r.SettleAll(first.to, message.NotSent, errFirst)
	case errLast != nil:
		r.SettleAll(last.to, message.NotSent, errLast)
	}
	return nil
}

// half is one of the two messages that a split one becomes.
type half struct {
	to []*membership.Member
	m  *message.Message
}
