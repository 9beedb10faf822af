package nio

import (
	"context"
	"sync"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// kind says how a member answers acked frames. Nothing but an answer tells.
type kind uint8

const (
	unknownKind  kind = iota
	numberedKind      // with numbered acks: one of us
	plainKind         // with plain acks, as a Java node does
)

var kindText = [...]string{unknownKind: "unknown", numberedKind: "numbered", plainKind: "plain"}

func (k kind) String() string { return kindText[k] }

// pause is how long a peer that cannot be reached is left alone before the next
// connection is tried.
const pause = 100 * time.Millisecond

// peer is what a sender keeps for one member: a queue, and the links that take
// from it. One queue for all links keeps them equally busy, and gives back in
// order what a broken link had.
type peer struct {
	s      *Sender
	member *membership.Member
	secure int             // the port for TLS; 0 if the links are clear
	ctx    context.Context // ends when the peer is closed
	cancel context.CancelCauseFunc
	udp    udpSide

	mu        sync.Mutex // guards what follows, and the links where they say so
	store     store
	queue     frameList
	waiters   []*waiter
	promised  room  // what was granted to waiters and is not queued yet
	swept     int64 // when the queue was last searched for what nobody waits for
	links     []*link
	kind      kind
	caps      message.Caps
	closed    error         // why nothing is taken any more, and why all was settled
	ending    bool          // nothing is taken any more; what was is still sent
	stalled   bool          // it has stopped answering: messages do not wait longer than Timeouts.Ack
	dated     bool          // frames in the queue may have a deadline
	strikes   int           // links in a row that broke before any answer
	notBefore int64         // when the next connection may be tried
	pending   int           // messages accepted and not settled
	drained   chan struct{} // of drain, nil before
	stats     peerStats
}

func newPeer(s *Sender, m *membership.Member) *peer {
	p := &peer{s: s, member: m}
	p.store.pool = s.env.Pool
	p.ctx, p.cancel = context.WithCancelCause(s.ctx)
	p.udp.waiting = make(chan struct{}, s.cfg.Pool.Size)
	if s.cfg.Window == 1 {
		p.kind = plainKind // we ask for nothing else
	}
	return p
}

// offer queues the frame of o to m, or returns false if there is no room. The
// error means that the peer is closed. In both cases nothing was done.
func (p *peer) offer(o *outgoing, head []byte, m *membership.Member) (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.refusal(); err != nil {
		return false, err
	}
	if len(p.waiters) > 0 || !p.fits(o.size) {
		return false, nil
	}
	p.accept(o, head, m)
	return true, nil
}

// refusal is why nothing is taken any more, nil if something is. It is called
// with mu held.
func (p *peer) refusal() error {
	if p.closed == nil && p.ending {
		return channel.ErrClosed
	}
	return p.closed
}

// accept queues the frame of o to m. It is called with mu held.
func (p *peer) accept(o *outgoing, head []byte, m *membership.Member) {
	p.queue.push(p.store.frame(o, head, m))
	p.pending++
	p.kick()
}

// fits reports whether a frame of size bytes may wait. It is called with mu held.
func (p *peer) fits(size int) bool {
	n, bytes := p.queue.len+p.promised.frames, p.queue.bytes+p.promised.bytes
	return n == 0 || n < p.s.cfg.QueueMessages && bytes+size <= p.s.cfg.QueueBytes
}

// kick finds a link for the first frame of the queue: one that rests, else a
// new one if the rules allow it. Links that are busy come back by themselves.
// It is called with mu held, whenever a frame was queued or a link has changed.
func (p *peer) kick() {
	f := p.queue.first
	if f == nil || p.closed != nil {
		return
	}
	free := 0
	for _, l := range p.links {
		switch {
		case l.state == linkDialing:
			free++
		case l.parked && l.mayTake(f):
			l.unpark()
			return
		case !l.parked && l.state == linkOpen && l.mayTake(f) && l.soon():
			free++
		}
	}
	if p.mayGrow(free) {
		p.links = append(p.links, newLink(p))
	}
}

// soon reports whether a link that does not rest will look at the queue next:
// it writes nothing, or what was answered already. It is called with p.mu held.
func (l *link) soon() bool {
	return l.batch.len == 0 || l.batch.acked > 0 && l.flight.count == 0
}

// mayGrow reports whether another link should be made when free ones are about
// to take from the queue. While the kind is unknown there is one link, so that
// the order is kept if the member is one of us.
func (p *peer) mayGrow(free int) bool {
	n := len(p.links)
	switch p.kind {
	case plainKind:
		return n == 0 || free < p.queue.acked && n < p.s.cfg.Pool.Size
	case numberedKind:
		return n == 0 || free == 0 && n < p.s.cfg.Pool.Links
	}
	return n == 0
}

// preconnect makes the first link.
func (p *peer) preconnect() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed == nil && len(p.links) == 0 {
		p.links = append(p.links, newLink(p))
	}
}

// connected reports whether any link has a connection. It is called with mu held.
func (p *peer) connected() bool {
	for _, l := range p.links {
		if l.state == linkOpen || l.state == linkDraining {
			return true
		}
	}
	return false
}

// remove takes a link that has ended out. It is called with mu held.
func (p *peer) remove(l *link) {
	for i, x := range p.links {
		if x == l {
			p.links = append(p.links[:i], p.links[i+1:]...)
			return
		}
	}
}

// close ends the peer: what waits is settled with err, links are cut. It does
// not wait for them.
func (p *peer) close(err error) {
	p.mu.Lock()
	p.shut(err)
}

// closeIdle is close if no message waits; it reports whether that is so.
func (p *peer) closeIdle(err error) (idle bool) {
	p.mu.Lock()
	if p.pending > 0 || len(p.waiters) > 0 || p.promised.frames > 0 {
		p.mu.Unlock()
		return false
	}
	p.shut(err)
	return true
}

// shut closes the peer. It is called with mu held, which it gives back.
func (p *peer) shut(err error) {
	var out settlements
	if p.closed != nil {
		p.mu.Unlock()
		return
	}
	p.closed = err
	p.refuse(err)
	for f := p.queue.pop(); f != nil; f = p.queue.pop() {
		p.give(f, err, false, &out)
	}
	links := append([]*link(nil), p.links...)
	for _, l := range links {
		l.cut(err)
	}
	p.store.close()
	p.mu.Unlock()
	p.cancel(err)
	p.udp.close()
	for _, l := range links {
		l.hangUp()
	}
	p.s.settle(&out)
}

// drain takes no more messages. The channel that it returns is closed when those
// that were taken are settled. It is called once.
func (p *peer) drain() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ending = true
	p.refuse(channel.ErrClosed)
	p.drained = make(chan struct{})
	if p.pending == 0 {
		close(p.drained)
	}
	return p.drained
}

// done counts a message that is settled. It is called with mu held.
func (p *peer) done() {
	p.pending--
	if p.pending == 0 && p.drained != nil {
		close(p.drained)
	}
}
