package nio

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/gotribes/tribes/message"
)

// linkState says where a link is in its life; see the diagram in doc.go. How
// far an open link is proven is its proof.
type linkState uint8

const (
	linkDialing linkState = iota
	linkOpen
	linkDraining // takes nothing more and ends when everything is answered
	linkClosed
)

// end says why a link has ended, which decides what becomes of its messages.
type end uint8

const (
	endOrderly   end = iota // we closed it and nothing was pending
	endUnreached            // no connection could be made
	endBroken               // the connection failed, or the other end broke the rules
	endSilent               // no answer within Timeouts.Ack
	endStuck                // not a byte could be written within Timeouts.Write
	endCut                  // the peer was closed
)

// link is one connection to a member. It has two goroutines: run, which dials,
// writes, and clears up at the end, and read, which takes the answers and minds
// the time.
type link struct {
	p        *peer
	conn     net.Conn      // set before dialed is closed
	dialed   chan struct{} // closed when dialling has ended
	wake     chan struct{} // ends a rest of run; has room for one
	readDone chan struct{} // closed when read has ended
	hung     atomic.Bool   // hangUp was called

	// Guarded by p.mu.
	state    linkState
	proof    kind // what an answer on this connection has shown
	parked   bool // run rests, or is about to
	end      end
	cause    error // why the link has ended, nil if it ended in order
	flight   flight
	batch    frameList // what run is writing
	born     int64
	used     int64 // when it last wrote or was answered
	uses     int   // frames written
	answered int
	armed    int64 // when read wakes up next, 0 if it waits for answers alone

	w     linkWriter  // of run
	crowd bool        // of run: there was more than one message at the last write
	out   settlements // of run
	rd    linkReader  // of read
}

// newLink makes a link and starts its goroutines. It is called with p.mu held.
func newLink(p *peer) *link {
	l := &link{
		p:        p,
		dialed:   make(chan struct{}),
		wake:     make(chan struct{}, 1),
		readDone: make(chan struct{}),
	}
	if p.s.cfg.Window == 1 {
		l.proof = plainKind
	}
	p.s.wg.Go(l.run)  // ends when the link does
	p.s.wg.Go(l.read) // ends when the connection does, or was not made
	return l
}

// run is the life of the link.
func (l *link) run() {
	if conn, err := l.dial(); err != nil {
		l.fail(endUnreached, fmt.Errorf("tribes: send: %s: %w", l.p.member, err))
	} else {
		l.open(conn)
	}
	close(l.dialed)
	l.work()
	<-l.readDone
	l.bury()
}

// dial makes the connection, not before the peer's pause is over.
func (l *link) dial() (net.Conn, error) {
	s := l.p.s
	l.p.mu.Lock()
	wait := l.p.notBefore - s.now()
	l.p.mu.Unlock()
	if wait > 0 {
		timer := time.NewTimer(time.Duration(wait))
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-l.p.ctx.Done():
			return nil, context.Cause(l.p.ctx)
		}
	}
	return l.p.connect()
}

// connect makes a TCP connection with the options of the sender.
func (s *Sender) connect(ctx context.Context, address string, within time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	conn, err := s.cfg.Dial(ctx, "tcp", address)
	if err != nil {
		if isTimeout(err) || errors.Is(ctx.Err(), context.DeadlineExceeded) {
			err = fmt.Errorf("%w: %w", message.ErrTimeout, err)
		}
		return nil, err
	}
	if err := s.cfg.Socket.apply(conn); err != nil {
		s.env.Logger.Debug("socket options were refused", "addr", address, "err", err)
	}
	return conn, nil
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}

// open makes conn the connection of the link.
func (l *link) open(conn net.Conn) {
	p := l.p
	p.mu.Lock()
	l.conn = conn
	l.w.brittle = inner(conn) != conn
	alive := l.state == linkDialing
	if alive {
		l.state = linkOpen
		l.born = p.s.now()
		l.used = l.born
		l.arm(l.retire(l.born))
	}
	p.mu.Unlock()
	if alive {
		p.s.env.Trace.LinkUp(p.member)
	} else {
		l.hangUp()
	}
}

// step is what run does next.
type step uint8

const (
	stepRest step = iota
	stepWrite
	stepPart // close in order
	stepGone // the link has ended
)

// work writes what there is until the link ends. It alone calls next and flush,
// and parked says whether it is about to: whoever clears that under p.mu could
// call them in its place, so that callers write themselves. On loopback that
// was no faster for one caller and slower for eight.
func (l *link) work() {
	for {
		if l.crowd {
			// Others who are ready to run may have more for the same write. Without
			// this 64 callers have half the rate.
			runtime.Gosched()
		}
		next := l.next()
		l.p.s.settle(&l.out)
		switch next {
		case stepWrite:
			l.flush()
		case stepRest:
			select {
			case <-l.wake:
			case <-l.readDone:
			}
		case stepPart:
			l.part()
		case stepGone:
			return
		}
	}
}

// next decides what run does, and fills the batch if it is to write.
func (l *link) next() step {
	p := l.p
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.s.now()
	if l.state == linkOpen && (l.uses >= p.s.cfg.Pool.MaxUses || now >= after(l.born, p.s.cfg.Pool.MaxAge)) {
		l.state = linkDraining
	}
	switch {
	case l.state == linkClosed:
		return stepGone
	case l.state == linkDraining && l.flight.count == 0:
		return stepPart
	case l.state == linkOpen:
		l.take(now)
		if l.batch.len > 0 {
			p.kick() // for what is left
			l.crowd = p.pending > 1
			return stepWrite
		}
	}
	l.parked = true
	return stepRest
}

// unpark ends the rest of run. It is called with p.mu held.
func (l *link) unpark() {
	l.parked = false
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// retire is when the link will have been idle, or alive, for too long. It is
// called with p.mu held.
func (l *link) retire(used int64) int64 {
	pool := &l.p.s.cfg.Pool
	return min(after(used, pool.IdleClose), after(l.born, pool.MaxAge))
}

// fail ends the link, unless it has ended before: the first reason counts.
func (l *link) fail(why end, err error) {
	l.p.mu.Lock()
	defer l.p.mu.Unlock()
	l.failLocked(why, err)
}

func (l *link) failLocked(why end, err error) {
	if l.state == linkClosed {
		return
	}
	l.state, l.end, l.cause = linkClosed, why, err
	if l.proof == numberedKind {
		l.p.learn(0) // who answers the next one is to tell again
	}
	if l.parked {
		l.unpark()
	}
}

// cut ends the link because its peer is closed. It is called with p.mu held;
// hangUp must follow.
func (l *link) cut(err error) { l.failLocked(endCut, err) }

// hangUp closes the connection. What is pending cannot arrive afterwards: the
// connection is reset.
func (l *link) hangUp() {
	l.p.mu.Lock()
	conn := l.conn
	clean := l.flight.count == 0 && l.batch.len == 0
	l.p.mu.Unlock()
	switch {
	case conn == nil || l.hung.Swap(true):
	case clean:
		_ = conn.Close() // an error means that it is closed already
	default:
		abort(conn)
	}
}

// part closes the connection in order: the other end is told, and its own close
// awaited. When it comes everything was read there, and what the next link
// writes cannot overtake.
func (l *link) part() {
	if half, ok := l.conn.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
		timer := time.NewTimer(min(l.p.s.cfg.Timeouts.Write, defaultWrite))
		defer timer.Stop()
		select {
		case <-l.readDone:
		case <-timer.C:
		}
	}
	l.fail(endOrderly, nil)
	l.hangUp()
}
