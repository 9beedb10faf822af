package nio

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// reactor accepts connections and moves bytes from their sockets into rxConns.
// It never runs layers or listeners.
type reactor interface {
	// accept waits for a connection. After stopAccept it returns net.ErrClosed.
	accept() (rxSocket, netip.AddrPort, error)
	// bind says that s will be the socket of c.
	bind(s rxSocket, c *rxConn)
	// add begins to read s.
	add(s rxSocket) error
	// stopAccept closes the listener.
	stopAccept() error
	// close ends everything. On return no rxConn is touched any more. All
	// connections must be closed.
	close() error
}

// netReactor has a goroutine per connection and leaves the waiting to the
// runtime. It works with every net.Listener.
type netReactor struct {
	r        *Receiver
	listener net.Listener
	readers  sync.WaitGroup
}

func (p *netReactor) accept() (rxSocket, netip.AddrPort, error) {
	conn, err := p.listener.Accept()
	if err != nil {
		return nil, netip.AddrPort{}, err
	}
	from := addrPort(conn.RemoteAddr())
	if err := p.r.cfg.Socket.apply(conn); err != nil {
		p.r.optionsRefused(from, err)
	}
	return &netSocket{conn: conn, wake: make(chan struct{}, 1)}, from, nil
}

func (p *netReactor) bind(s rxSocket, c *rxConn) {
	n := s.(*netSocket)
	n.c, n.readers = c, &p.readers
	n.in = newPollReader(n.conn, p.r.cfg.Socket.BusyPoll)
	c.mayDeliver, c.keeps = !p.r.workers.bounded, rxSmall
}

func (p *netReactor) add(s rxSocket) error {
	n := s.(*netSocket)
	p.readers.Go(func() { n.read(0) }) // ends when the connection is not read any more
	return nil
}

func (p *netReactor) stopAccept() error { return p.listener.Close() }

func (p *netReactor) close() error {
	p.readers.Wait()
	return nil
}

// netSocket is an rxSocket on a net.Conn.
//
// Its goroutine also delivers what it has read: handing that over to another
// one costs more than a short delivery. When a delivery takes long, the watch of
// the receiver calls relieve, and another goroutine goes on reading.
type netSocket struct {
	conn    net.Conn
	in      *pollReader
	c       *rxConn
	readers *sync.WaitGroup
	wake    chan struct{} // has room for one
	stop    atomic.Bool   // it is not to be read any more
	quiet   atomic.Bool   // it is to part with its memory
	gone    atomic.Bool   // it is closed

	// turn is even while a goroutine reads, and that plus one while the same one
	// delivers. Each goroutine that takes over has the next even turn.
	turn atomic.Uint64
}

// read is the goroutine that reads in that turn.
func (s *netSocket) read(turn uint64) {
	read := s.readOnce
	for !s.stop.Load() {
		if s.quiet.Swap(false) {
			s.c.buffer.shrink()
		}
		what := s.c.fill(read)
		if s.c.here && !s.deliver(turn) {
			return
		}
		if what == readEnd {
			return
		}
		if what == readNot && s.c.hold.Load() != 0 {
			<-s.wake
		}
	}
	s.c.endRead()
}

// deliver delivers what was read. It reports whether it is still this
// goroutine's turn to read.
func (s *netSocket) deliver(turn uint64) bool {
	c := s.c
	c.here = false
	c.hereSince.Store(c.r.now())
	s.turn.Store(turn + 1)
	c.drain()
	if !s.turn.CompareAndSwap(turn+1, turn) {
		return false
	}
	c.hereSince.Store(0)
	return true
}

func (s *netSocket) relieve() {
	turn := s.turn.Load()
	if turn%2 == 0 || !s.turn.CompareAndSwap(turn, turn+1) {
		return // it reads again
	}
	s.c.hereSince.Store(0)
	s.c.relieved.Store(true)
	s.readers.Go(func() { s.read(turn + 1) }) // ends when the connection is not read any more
}

// readOnce reads. A read that interrupt has ended is no error.
func (s *netSocket) readOnce(b []byte) (int, error) {
	n, err := s.in.Read(b)
	if err == nil || !errors.Is(err, os.ErrDeadlineExceeded) {
		return n, err
	}
	if err := s.conn.SetReadDeadline(time.Time{}); err != nil {
		return n, err
	}
	return n, errWouldBlock
}

var longAgo = time.Unix(1, 0)

// interrupt ends a read that waits. A connection that has no deadlines is closed.
func (s *netSocket) interrupt() {
	if err := s.conn.SetReadDeadline(longAgo); err != nil {
		s.close()
	}
}

func (s *netSocket) write(b []byte) (int, error) { return s.conn.Write(b) }

// awaitWrite is never needed: write does not return errWouldBlock.
func (s *netSocket) awaitWrite() {}

func (s *netSocket) resume() {
	select {
	case s.wake <- struct{}{}:
	default: // it is awake
	}
}

func (s *netSocket) stopReading() {
	s.stop.Store(true)
	s.resume()
	s.interrupt()
}

func (s *netSocket) shrink() {
	s.quiet.Store(true)
	s.interrupt()
}

// close cuts the connection. What the system says to that is of no use: the
// connection is gone in any case.
func (s *netSocket) close() {
	if s.gone.Swap(true) {
		return
	}
	s.stop.Store(true)
	s.conn.Close()
	s.resume()
}

func (s *netSocket) broken() bool { return connBroken(s.conn) }
