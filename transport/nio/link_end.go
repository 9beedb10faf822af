package nio

import (
	"time"

	"github.com/gotribes/tribes/message"
)

// bury clears up after a link that has ended: each message that it had is
// settled, or goes back to the head of the queue to be written again by
// another link. It runs when nobody reads or writes any more.
func (l *link) bury() {
	p := l.p
	p.mu.Lock()
	now := p.s.now()
	busy := l.flight.count+l.batch.len+p.queue.len > 0
	again := l.sort(now)
	ids := retried(&again)
	p.stats.retried += uint64(len(ids))
	p.dated = p.dated || again.len > 0
	p.queue.prepend(&again)
	p.remove(l)
	l.blame(now, busy)
	p.kick()
	p.mu.Unlock()
	p.s.settle(&l.out)
	for _, id := range ids {
		p.s.env.Trace.Retry(p.member, id, l.cause)
	}
	if l.conn == nil {
		return
	}
	err := l.cause
	if l.end == endCut {
		err = nil // it was us
	}
	p.s.env.Trace.LinkDown(p.member, err)
}

// sort settles what cannot be sent again and returns the rest in order. It is
// called with p.mu held.
func (l *link) sort(now int64) (again frameList) {
	fresh := l.uses == l.batch.len // not one frame was written completely
	for l.flight.span() > 0 {
		if f := l.flight.advance(); f != nil && !f.writing && !l.give(f, now) {
			again.push(f)
		}
	}
	for first := true; l.batch.len > 0; first = false {
		f := l.batch.pop()
		f.writing = false
		f.begun = f.begun || first && (fresh || l.end == endStuck)
		if f.settled {
			l.p.store.recycle(f)
		} else if !l.give(f, now) {
			again.push(f)
		}
	}
	return again
}

// give settles f if it is not to be sent again and reports whether it did. What a
// peer that is closed would get back nobody would ever take. It is called with p.mu
// held.
func (l *link) give(f *frame, now int64) bool {
	p := l.p
	up := false
	switch {
	case p.closed != nil:
		p.give(f, p.closed, false, &l.out)
		return true
	case !f.begun:
	case l.end == endStuck:
		up = f.copies == 0
	case l.end == endSilent:
		if f.deadline == 0 {
			f.deadline = after(now, p.s.cfg.Timeouts.Ack)
		}
		up = f.deadline <= now
	default:
		f.tries++
		f.deadline = 0
		up = f.tries >= p.s.cfg.tries()
	}
	if up {
		p.give(f, l.cause, true, &l.out)
	}
	return up
}

// retried returns the ids of those frames that were begun before.
func retried(l *frameList) []message.ID {
	var ids []message.ID
	for f := l.first; f != nil; f = f.next {
		if f.begun {
			ids = append(ids, f.id)
		}
	}
	return ids
}

// blame draws the conclusions about the member. It is called with p.mu held.
func (l *link) blame(now int64, busy bool) {
	p := l.p
	if l.cause != nil {
		p.stats.lastErr = l.cause
	}
	switch l.end {
	case endUnreached:
		p.notBefore = after(now, pause)
		if !p.connected() {
			p.failQueue(l.cause, &l.out)
		}
	case endSilent, endStuck:
		p.stalled = true
		p.notBefore = after(now, pause)
		p.sweep(now, &l.out)
	case endBroken:
		l.strike(now, busy)
	}
}

// strike counts links that broke before any answer while there was work. One
// may be bad luck and is replaced at once. When as many as a message survives
// break in a row, the member is as good as unreachable.
func (l *link) strike(now int64, busy bool) {
	p := l.p
	if !busy || l.answered > 0 {
		return
	}
	if now-l.born > int64(time.Second) {
		p.strikes = 0
	}
	p.strikes++
	if p.strikes > 1 {
		p.notBefore = after(now, pause)
	}
	if p.strikes > p.s.cfg.tries() && !p.connected() {
		p.failQueue(l.cause, &l.out)
	}
}
