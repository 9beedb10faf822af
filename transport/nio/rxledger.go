package nio

import (
	"slices"
	"sync"
	"sync/atomic"
)

// rxBudget bounds the memory of all connections of a receiver together:
//
//	a share of each connection's own     a quarter of the bound, in equal parts
//	common memory                        for who comes first
//	a reserve, for one partial frame     the memory of the largest frame and of half of it
//
// A connection that needs more than its share when the common memory is used up
// waits in line. The first in line that waits in the middle of a frame may use
// the reserve until that frame is complete; so there is always one that can go
// on, and partial frames that wait for each other cannot block all.
type rxBudget struct {
	share, common, reserve int64

	used    atomic.Int64 // bytes beyond the shares
	waiters atomic.Int32 // length of line; set before who joins it first tries

	mu     sync.Mutex
	line   []*rxLedger
	holder *rxLedger // who may use the reserve
}

func newRxBudget(cfg *ReceiverConfig) *rxBudget {
	total := int64(cfg.Limits.MaxBytes)
	if cfg.Limits.MaxBytes == unbounded {
		return &rxBudget{share: total}
	}
	conns := int64(cfg.Limits.MaxConns)
	if cfg.Limits.MaxConns == unbounded {
		conns = defaultConns
	}
	b := &rxBudget{share: max(total/4/conns, rxSmall)}
	b.reserve = int64(max(wholeClass(cfg.MaxFrame)+wholeClass((cfg.MaxFrame+1)/2), rxSmall))
	b.common = max(total-total/4-b.reserve, 0)
	return b
}

// rxLedger is the account of one connection with the budget.
type rxLedger struct {
	budget *rxBudget
	resume func() // called when what was asked for is granted; must not block

	held    atomic.Int64
	granted atomic.Bool // what was asked for is held; set under budget.mu

	// guarded by budget.mu
	asked   int64
	partial bool // it asked in the middle of a frame

	// of the goroutine that reads
	waiting bool // ask has returned false
	holder  bool // budget.holder may be this
}

// take gets n bytes if they are there. It never waits.
func (l *rxLedger) take(n int) bool {
	if l.waiting {
		return false
	}
	b := l.budget
	if b.waiters.Load() > 0 && l.held.Load()+int64(n) > b.share {
		return false // others were first
	}
	return l.attempt(int64(n))
}

// attempt tries to take n bytes of the common memory. While it fails, its bytes
// are in the books for a moment, and what was given back just then may have
// looked too little to who is in line; so they try once more.
func (l *rxLedger) attempt(n int64) bool {
	if l.try(n, l.budget.common) {
		return true
	}
	l.budget.wake()
	return false
}

// ask gets n bytes, or returns false and gets in line; then resume is called
// when they are there, and ask must be called again, or decline. partial says
// that the memory is for the rest of a frame that has begun.
func (l *rxLedger) ask(n int, partial bool) bool {
	b := l.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	l.join(int64(n), partial)
	b.advance(l)
	if !l.granted.Load() {
		return false
	}
	l.granted.Store(false)
	l.waiting = false
	l.holder = b.holder == l
	return true
}

// join puts l in line, unless it is there or what it asked for is granted. Who
// gives back from now on sees that somebody waits: it changes what is in use and
// then looks at waiters, and who is in line does the opposite, so that one of the
// two sees the other. Called with mu held.
func (l *rxLedger) join(n int64, partial bool) {
	b := l.budget
	if l.granted.Load() && l.asked != n { // no longer what is needed: be first again
		l.granted.Store(false)
		l.change(-l.asked)
		b.line = slices.Insert(b.line, 0, l)
	}
	if !l.waiting {
		l.waiting = true
		b.line = append(b.line, l)
	}
	if !l.granted.Load() {
		l.asked, l.partial = n, partial
	}
	b.waiters.Store(int32(len(b.line)))
}

// decline says that what was asked for is no longer needed.
func (l *rxLedger) decline() {
	if !l.waiting {
		return
	}
	b := l.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	l.waiting = false
	b.line = slices.DeleteFunc(b.line, func(x *rxLedger) bool { return x == l })
	if l.granted.Load() {
		l.granted.Store(false)
		l.change(-l.asked)
	}
	b.advance(l)
}

// complete says that the frame that had begun is whole.
func (l *rxLedger) complete() {
	if l.holder {
		l.holder = false
		b := l.budget
		b.mu.Lock()
		defer b.mu.Unlock()
		b.release(l)
		b.advance(l)
	}
}

// give returns n bytes and lets others go on. Any goroutine may call it.
func (l *rxLedger) give(n int) {
	l.change(-int64(n))
	l.budget.wake()
}

// close says that nothing more will be taken; what is held may be given later.
func (l *rxLedger) close() {
	l.decline()
	b := l.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	b.release(l)
	b.advance(l)
}

// release ends the right of l to use the reserve. Called with mu held.
func (b *rxBudget) release(l *rxLedger) {
	if b.holder == l {
		b.holder = nil
	}
}

// wake lets those in line go on, if there are any.
func (b *rxBudget) wake() {
	if b.waiters.Load() > 0 {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.advance(nil)
	}
}

// advance grants what can be granted to those in line. It resumes them, except
// for self, who is asking. Called with mu held.
func (b *rxBudget) advance(self *rxLedger) {
	left := b.line[:0]
	for _, l := range b.line {
		limit := b.common
		switch {
		case l.partial && (b.holder == nil || b.holder == l):
			limit += b.reserve
		case len(left) > 0:
			limit = -1 // only what is in its share
		}
		if !l.try(l.asked, limit) {
			left = append(left, l)
			continue
		}
		if limit > b.common && b.used.Load() > b.common {
			b.holder = l
		}
		l.granted.Store(true)
		if l != self {
			l.resume()
		}
	}
	clear(b.line[len(left):])
	b.line = left
	b.waiters.Store(int32(len(left)))
}

// try takes n bytes if they are in the share, or if then no more than limit of
// what is beyond the shares is in use.
func (l *rxLedger) try(n, limit int64) bool {
	now, used := l.change(n)
	if now <= l.budget.share || used <= limit {
		return true
	}
	l.change(-n)
	return false
}

// change adds n to what the connection holds and returns the sum, and what is in
// use beyond the shares. As held changes in one step, the parts beyond the share
// add up whoever else changes it at the same time.
func (l *rxLedger) change(n int64) (now, used int64) {
	b := l.budget
	now = l.held.Add(n)
	beyond := max(now-b.share, 0) - max(now-n-b.share, 0)
	if beyond == 0 {
		return now, b.used.Load()
	}
	return now, b.used.Add(beyond)
}

// rxPassed keeps the books of memory that messages still refer to when the
// reader is done with it: it is given back when the last of them is delivered.
// parsed belongs to the goroutine that reads, pass to the one that delivers.
type rxPassed struct {
	ledger *rxLedger
	parsed uint64 // messages taken from the memory so far

	done atomic.Uint64 // messages delivered
	due  atomic.Uint64 // owed[0].after; 0 if nothing is owed

	mu   sync.Mutex
	owed []rxOwed
}

type rxOwed struct {
	after uint64 // given back when so many messages are delivered
	bytes int
}

// owe gives n bytes back when all messages parsed so far are delivered.
func (p *rxPassed) owe(n int) {
	if p.done.Load() >= p.parsed {
		p.ledger.give(n)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.owed = append(p.owed, rxOwed{p.parsed, n})
	p.due.Store(p.owed[0].after)
	p.settle() // in case the last was delivered meanwhile
}

// pass notes that one more message is delivered.
func (p *rxPassed) pass() {
	done := p.done.Add(1)
	if due := p.due.Load(); due != 0 && done >= due {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.settle()
	}
}

// settle gives back what is due. Called with mu held.
func (p *rxPassed) settle() {
	done, n, bytes := p.done.Load(), 0, 0
	for ; n < len(p.owed) && p.owed[n].after <= done; n++ {
		bytes += p.owed[n].bytes
	}
	p.owed = slices.Delete(p.owed, 0, n)
	if len(p.owed) == 0 {
		p.due.Store(0)
	} else {
		p.due.Store(p.owed[0].after)
	}
	if bytes > 0 {
		p.ledger.give(bytes)
	}
}
