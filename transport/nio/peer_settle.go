package nio

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gotribes/tribes/message"
)

// ErrForgotten is why a message is settled when [Sender.Forget] was called for
// its destination.
var ErrForgotten = errors.New("tribes: nio: the member was forgotten")

// settlement is an outcome that is not yet told.
type settlement struct {
	receipt *message.Receipt
	result  message.Result
	id      message.ID
	fault   bool // the failure detector is told too
}

// settlements are collected under the lock of a peer and told after it.
type settlements []settlement

// settle tells what l has and empties it. No lock may be held.
func (s *Sender) settle(l *settlements) {
	for i := range *l {
		e := &(*l)[i]
		if e.fault {
			s.env.Fault(e.result.Member, e.id, e.result.Err)
		}
		e.receipt.SettleResult(e.result)
	}
	if cap(*l) > spareFrames {
		*l = nil
	}
	clear(*l)
	*l = (*l)[:0]
}

// finish notes the outcome of f, which is in no list any more, and takes it
// back, unless it is being written: then the link does that. It is called with
// mu held.
func (p *peer) finish(f *frame, o message.Outcome, err error, fault bool, out *settlements) {
	res := message.Result{Member: f.member, Outcome: o, Err: err}
	res.Retried = f.copies > 1 && p.kind != numberedKind
	*out = append(*out, settlement{f.receipt, res, f.id, fault})
	p.stats.outcome(o)
	p.done()
	if f.writing {
		f.settled = true
		return
	}
	p.store.recycle(f)
}

// give gives f up because of err. It is called with mu held.
func (p *peer) give(f *frame, err error, fault bool, out *settlements) {
	o := message.NotSent
	if f.copies > 0 {
		o = message.Unknown
	}
	p.finish(f, o, err, fault, out)
}

// failQueue gives up everything that waits. It is called with mu held.
func (p *peer) failQueue(err error, out *settlements) {
	for f := p.queue.pop(); f != nil; f = p.queue.pop() {
		p.give(f, err, true, out)
	}
	p.grant()
}

// sweep gives up what waits in vain. It is called with mu held.
func (p *peer) sweep(now int64, out *settlements) {
	p.queue.filter(func(f *frame) bool {
		vain := p.inVain(f, now)
		if vain != nil {
			p.give(f, vain, isFault(vain), out)
		}
		return vain != nil
	})
	if p.queue.len == 0 {
		p.dated = false
	}
	p.grant()
}

// inVain says why a frame in the queue need not be sent any more: nobody waits
// for it and it was not begun, or it has waited too long. It returns nil if
// there is no reason, and is called with mu held.
func (p *peer) inVain(f *frame, now int64) error {
	switch {
	case !f.begun && f.receipt.Abandoned():
		return context.Canceled
	case p.expiry(f) <= now:
		return p.timedOut("no answer", p.s.cfg.Timeouts.Ack)
	}
	return nil
}

// isFault reports whether an error says something about the member.
func isFault(err error) bool { return err != context.Canceled }

// timedOut is the error for a time limit that ran out.
func (p *peer) timedOut(what string, limit time.Duration) error {
	return fmt.Errorf("tribes: send: %s: %s within %v: %w", p.member, what, limit, message.ErrTimeout)
}

// expiry is until when f may wait in the queue. It is called with mu held.
func (p *peer) expiry(f *frame) int64 {
	switch {
	case f.deadline != 0:
		return f.deadline
	case p.stalled:
		return after(f.queued, p.s.cfg.Timeouts.Ack)
	}
	return int64(never)
}

// nextExpiry is when the next frame in the queue has waited too long. It is
// called with mu held.
func (p *peer) nextExpiry() int64 {
	next := int64(never)
	if p.stalled || p.dated {
		for f := p.queue.first; f != nil; f = f.next {
			next = min(next, p.expiry(f))
		}
	}
	return next
}
