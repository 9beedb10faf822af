package nio

import (
	"github.com/gotribes/tribes/membership"
)

// room is a share of a queue.
type room struct{ frames, bytes int }

// waiter is a destination of a send that waits for room in a queue.
type waiter struct {
	p       *peer
	member  *membership.Member
	size    int
	ready   chan *waiter // shared by all waiters of one send, with room for all
	granted bool         // room is reserved
	err     error        // there will be none
}

// queueUp adds w to those that wait, or grants it at once. Now and then it
// looks for messages in the queue that nobody waits for any more.
func (p *peer) queueUp(w *waiter, now int64) {
	var out settlements
	p.mu.Lock()
	if w.err = p.refusal(); w.err != nil {
		w.ready <- w
	} else {
		p.waiters = append(p.waiters, w)
		p.grant()
		if !w.granted && now-p.swept > int64(pause) {
			p.swept = now
			p.sweep(now, &out)
		}
	}
	p.mu.Unlock()
	p.s.settle(&out)
}

// grant reserves room for those who have waited longest. It is called with mu
// held, whenever the queue has become shorter.
func (p *peer) grant() {
	for len(p.waiters) > 0 && p.fits(p.waiters[0].size) {
		w := p.waiters[0]
		p.waiters[0] = nil
		p.waiters = p.waiters[1:]
		p.promised.frames++
		p.promised.bytes += w.size
		w.granted = true
		w.ready <- w
	}
}

// refuse ends the wait of all. It is called with mu held.
func (p *peer) refuse(err error) {
	for _, w := range p.waiters {
		w.err = err
		w.ready <- w
	}
	p.waiters = nil
}

// use queues the frame of o for w, which was granted room.
func (p *peer) use(w *waiter, o *outgoing, head []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.promised.frames--
	p.promised.bytes -= w.size
	if err := p.refusal(); err != nil {
		return err
	}
	p.accept(o, head, w.member)
	return nil
}

// leave takes w out if it still waits and reports whether it did.
func (p *peer) leave(w *waiter) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, x := range p.waiters {
		if x == w {
			p.waiters = append(p.waiters[:i], p.waiters[i+1:]...)
			p.grant()
			return true
		}
	}
	return false
}
