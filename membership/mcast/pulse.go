package mcast

import (
	"sync/atomic"
	"time"
)

// pulse tells whether the process itself was running. The heart feels it at each
// heartbeat; when one is late by a good part of the drop time, the process was
// stopped or starved, nothing of what others sent could be read, and they are
// given grace before silence counts against them.
type pulse struct {
	base  time.Time
	late  time.Duration // lateness that counts
	grace time.Duration
	next  atomic.Int64  // time since base at which it will be felt, 0 while that is open
	until atomic.Int64  // time since base at which the grace ends
	n     atomic.Uint64 // times that grace was given
}

func (p *pulse) start(drop time.Duration) {
	p.base, p.late, p.grace = time.Now(), drop/3, drop/2
}

// expect says when the pulse will be felt next.
func (p *pulse) expect(at time.Time) { p.next.Store(int64(at.Sub(p.base))) }

// pause says that the time of the next beat is open.
func (p *pulse) pause() { p.next.Store(0) }

// felt notes that the process is running, and whether it is too late.
func (p *pulse) felt(now time.Time) {
	if next := p.next.Load(); next != 0 {
		p.check(now, p.base.Add(time.Duration(next)))
	}
}

// check gives grace if what was to happen at due happens only now.
func (p *pulse) check(now, due time.Time) {
	if now.Sub(due) <= p.late {
		return
	}
	at := now.Sub(p.base)
	if until := p.until.Swap(int64(at + p.grace)); until <= int64(at) {
		p.n.Add(1)
	}
}

// graceAt returns when the grace that holds at the time now ends; it is not
// after now if there is none.
func (p *pulse) graceAt(now time.Time) time.Time {
	p.felt(now) // the heart may wake up later than the listener
	return p.base.Add(time.Duration(p.until.Load()))
}
