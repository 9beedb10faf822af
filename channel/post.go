package channel

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/gotribes/tribes/internal/name"
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
	if p.c.completions.put(p.complete) {
		return
	}
	p.c.lateMu.Lock() // the channel has stopped, and the message was still on its way down
	defer p.c.lateMu.Unlock()
	p.tell()
}

// tell calls the sender back.
func (p *posting) tell() {
	defer p.recycle()
	p.c.posted.now.Store(p.done)
	watched := p.c.posted.guard.enter(nil, 0)
	defer watched.leave()
	p.done(p.id, p.err)
}

// postedCalls is the callback that the watchdog sees for all Posts.
type postedCalls struct {
	guard *guard
	now   atomic.Value // the done that runs, or ran last: its posting may be another's already
}

// String names the callback.
func (pc *postedCalls) String() string { return name.Of(pc.now.Load()) }

func (p *posting) recycle() {
	clear(p.to)
	p.to, p.done, p.err = p.to[:0], nil, nil
	p.c.postings.Put(p)
}

// stopwatch measures how long something takes if anybody wants to know, because
// the trace or the log tells it: reading the clock is dear beside sending a small
// message.
type stopwatch struct {
	log    *slog.Logger
	traced bool
}

// begin returns the time, or none if nobody wants it.
func (w *stopwatch) begin() time.Time {
	if !w.traced && !w.log.Enabled(context.Background(), slog.LevelDebug) {
		return time.Time{}
	}
	return time.Now()
}

// since is the time that has passed since begin, 0 if that returned none.
func (*stopwatch) since(begin time.Time) time.Duration {
	if begin.IsZero() {
		return 0
	}
	return time.Since(begin)
}
