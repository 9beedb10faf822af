package nio

import (
	"io"
	"net"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// epollSocket is an rxSocket on a non-blocking descriptor of our own.
type epollSocket struct {
	fd   int
	loop *epollLoop
	c    *rxConn
	read func([]byte) (int, error) // readOnce; made once

	mu       sync.Mutex // held over system calls on fd: none of them blocks
	events   uint32     // what epoll waits for
	added    bool       // the loop has it, and alone closes it
	known    bool       // epoll knows the descriptor
	stalled  bool       // awaitWrite was called since the last look
	quiet    bool       // it is to part with its memory
	silent   bool       // it is not to be read any more
	closing  bool       // it is to be closed
	shutDown bool       // it is closed
}

// moreReads is how many times one round reads a connection that has more.
const moreReads = 4

// serve does what the events are about. Called by the loop.
func (s *epollSocket) serve(events uint32) {
	if events&unix.EPOLLOUT != 0 {
		s.serveWrite()
	}
	if events&(unix.EPOLLIN|unix.EPOLLERR|unix.EPOLLHUP) == 0 {
		return
	}
	for range moreReads {
		before := s.c.watch.bytes.Load()
		if s.c.fill(s.read) != readOn {
			s.pause(events)
			break
		}
		if s.c.watch.bytes.Load()-before < rxMedium {
			break // that was all, most likely
		}
	}
	s.c.buffer.rest()
}

func (s *epollSocket) serveWrite() {
	s.mu.Lock()
	s.stalled = false
	s.mu.Unlock()
	if s.c.writable() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.stalled {
		s.set(s.events &^ unix.EPOLLOUT)
	}
}

// pause stops waiting for what a connection that is not read could have. An
// error or the end of both directions is told whether one waits for it or not,
// until epoll does not know the descriptor any more.
func (s *epollSocket) pause(events uint32) {
	s.mu.Lock()
	held := s.c.hold.Load() != 0
	ended := events&(unix.EPOLLERR|unix.EPOLLHUP) != 0
	switch {
	case !held && !s.c.ended: // it was resumed meanwhile
	case ended:
		s.forget()
	default:
		s.set(s.events &^ unix.EPOLLIN)
	}
	cut := held && ended && fdBroken(s.fd)
	s.mu.Unlock()
	if cut {
		s.c.cut()
	}
}

// want changes what epoll waits for.
func (s *epollSocket) want(more, less uint32) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.set(s.events&^less | more)
}

// set makes epoll wait for events. Called with mu held.
func (s *epollSocket) set(events uint32) error {
	op := unix.EPOLL_CTL_MOD
	switch {
	case s.shutDown || s.known && s.events == events:
		return nil
	case !s.known:
		op = unix.EPOLL_CTL_ADD
	}
	e := unix.EpollEvent{Events: events, Fd: int32(s.fd)}
	if err := unix.EpollCtl(s.loop.fd, op, s.fd, &e); err != nil {
		return os.NewSyscallError("epoll_ctl", err)
	}
	s.known, s.events = true, events
	return nil
}

// forget takes the descriptor out of epoll. Called with mu held.
func (s *epollSocket) forget() {
	if s.known {
		s.known, s.events = false, 0
		unix.EpollCtl(s.loop.fd, unix.EPOLL_CTL_DEL, s.fd, nil) // fails only for what epoll does not know
	}
}

func (s *epollSocket) readOnce(b []byte) (int, error) {
	n, err := unix.Read(s.fd, b)
	switch {
	case err == unix.EAGAIN || err == unix.EINTR:
		return 0, errWouldBlock
	case err != nil:
		return 0, os.NewSyscallError("read", err)
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

func (s *epollSocket) write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return 0, net.ErrClosed
	}
	sent := 0
	for sent < len(b) {
		n, err := unix.SendmsgN(s.fd, b[sent:], nil, nil, unix.MSG_NOSIGNAL)
		switch {
		case err == unix.EAGAIN:
			return sent, errWouldBlock
		case err == unix.EINTR:
		case err != nil:
			return sent, os.NewSyscallError("send", err)
		default:
			sent += n
		}
	}
	return sent, nil
}

func (s *epollSocket) awaitWrite() {
	s.mu.Lock()
	s.stalled = true
	err := s.set(s.events | unix.EPOLLOUT)
	s.mu.Unlock()
	if err != nil {
		s.c.cut()
	}
}

func (s *epollSocket) resume() {
	if err := s.want(unix.EPOLLIN, 0); err != nil {
		s.close()
	}
}

func (s *epollSocket) stopReading() {
	s.mu.Lock()
	s.silent = true
	s.mu.Unlock()
	s.loop.post(s)
}

func (s *epollSocket) shrink() {
	s.mu.Lock()
	s.quiet = true
	s.mu.Unlock()
	s.loop.post(s)
}

// relieve has nothing to do: a loop does not deliver.
func (s *epollSocket) relieve() {}

func (s *epollSocket) close() {
	s.mu.Lock()
	first, added := !s.closing, s.added
	s.closing = true
	s.mu.Unlock()
	switch {
	case !first:
	case added:
		s.loop.post(s)
	default:
		s.shut()
	}
}

// wishes returns what was asked for since the last call. Called by the loop.
func (s *epollSocket) wishes() (shrink, stop, end bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	shrink, s.quiet = s.quiet, false
	return shrink, s.silent, s.closing
}

// shut closes the descriptor, once. Called by the loop, or before add.
func (s *epollSocket) shut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shutDown {
		return
	}
	s.shutDown = true
	s.forget()
	unix.Close(s.fd) // the descriptor is gone whatever the system says
}

func (s *epollSocket) broken() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.shutDown && fdBroken(s.fd)
}
