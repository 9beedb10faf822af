package channel

import (
	"time"

	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// posting is a message on its way whose sender does not wait. It is used again
// when its outcome was told.
type posting struct {
	c        *Channel
	receipt  *message.Receipt
	settled  func(*message.Receipt) // p.settle; made once
	complete func()                 // p.tell; made once

	id    message.ID
	to    []*membership.Member
	bytes int
	begin time.Time
	done  func(message.ID, error)
	err   error
}

func (c *Channel) posting(id message.ID, to []*membership.Member, bytes int, done func(message.ID, error)) *posting {
	p, ok := c.postings.Get().(*posting)
	if !ok {
		p = &posting{c: c, receipt: message.NewReceipt(0, nil)}
		p.settled, p.complete = p.settle, p.tell
	}
	p.id, p.bytes, p.done = id, bytes, done
	p.to = append(p.to[:0], to...)
	p.begin = c.sendWatch.begin()
	p.receipt.Reset(len(to), p.settled)
	return p
}

// settle is told that the outcome is known everywhere.
func (p *posting) settle(r *message.Receipt) {
	p.err = outcome(p.id, p.to, r)
	p.c.sent(p.id, len(p.to), p.bytes, p.begin, p.err)
	if p.done == nil {
		p.recycle()
		return
	}
	p.c.completions.put(p.complete)
}

// tell calls the sender back.
func (p *posting) tell() {
	id, err, done := p.id, p.err, p.done
	p.recycle()
	done(id, err)
}

func (p *posting) recycle() {
	clear(p.to)
	p.to, p.done, p.err = p.to[:0], nil, nil
	p.c.postings.Put(p)
}

// stopwatch measures how long something takes if anybody wants to know: reading
// the clock is dear beside sending a small message.
type stopwatch bool

func (w stopwatch) begin() time.Time {
	if !w {
		return time.Time{}
	}
	return time.Now()
}

func (w stopwatch) since(begin time.Time) time.Duration {
	if !w {
		return 0
	}
	return time.Since(begin)
}
