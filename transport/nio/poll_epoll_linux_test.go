package nio

import (
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// state is what the epoll instance of a connection waits for.
func (s *epollSocket) state() (events uint32, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.events, s.known
}

// TestEpollPausesAndResumes looks at what is waited for while an inbox is full,
// while answers stall, and when both have passed: anything more would make a
// loop spin.
func TestEpollPausesAndResumes(t *testing.T) {
	w := newRxGate()
	g := newRx(t, ReceiverConfig{Poller: PollerEpoll, InboxBytes: 2 << 10, Socket: SocketOptions{WriteBuffer: 4 << 10}}, w.receive)
	c, f := g.dial(), newFrames(t)
	c.put(f.frame(optNone, "a"))
	w.wantEntered(t, "a")
	s := g.conn().sock.(*epollSocket)
	waits := func(what string, events uint32) {
		t.Helper()
		g.poll(what, func() bool {
			got, known := s.state()
			return known && got == events
		})
	}
	waits("reading", unix.EPOLLIN)
	const before = 1 + 20 // frames
	for range before - 1 {
		c.put(f.frame(optNone, strings.Repeat("x", 1000)))
	}
	waits("a pause", 0)
	close(w.open)
	waits("reading again", unix.EPOLLIN)
	if err := c.Conn.(*net.TCPConn).SetReadBuffer(4 << 10); err != nil {
		t.Fatal(err)
	}
	answers := 0
	stalled := func() bool {
		events, _ := s.state()
		return events&unix.EPOLLOUT != 0
	}
	for !stalled() {
		c.put(strings.Repeat(f.frame(optAck, ""), 100))
		answers += 100
		g.poll("frames, or a stall", func() bool { return stalled() || g.r.Stats().Frames == before+uint64(answers) })
	}
	c.get(answers * len(ackPlainOK))
	waits("reading at the end", unix.EPOLLIN)
}

// TestEpollForgetsBroken has connections that were reset or ended in both
// directions while they are not read: epoll tells that again and again, unless
// it is told to forget them.
func TestEpollForgetsBroken(t *testing.T) {
	w := newRxGate()
	g := newRx(t, ReceiverConfig{Poller: PollerEpoll}, w.receive)
	f := newFrames(t)
	c := g.dial()
	c.put(f.frame(optNone, "a"))
	w.wantEntered(t, "a")
	s := g.conn().sock.(*epollSocket)
	c.closeWrite()
	g.poll("the end of the stream", func() bool { events, _ := s.state(); return events == 0 })
	c.reset()
	g.poll("the reset", func() bool { _, known := s.state(); return !known })
	close(w.open)
	g.poll("the end of the connection", func() bool { return g.r.Stats().Conns == 0 })
}

// TestEpollLateWish asks something of a connection that has ended, as the watch does that
// looked at it a moment before, when its descriptor belongs to another one: that one is
// served.
func TestEpollLateWish(t *testing.T) {
	g := newRx(t, ReceiverConfig{Poller: PollerEpoll}, nil)
	f := newFrames(t)
	c := g.dial()
	old := g.conn().sock.(*epollSocket)
	c.Close()
	g.poll("the end of the connection", func() bool { return g.r.Stats().Conns == 0 && old.isShut() })
	var next *rxPeer
	for range 20 {
		next = g.dial()
		next.put(f.frame(optSync, "x"))
		next.want(ackPlainOK)
		if l := old.loop; l.has(old.fd) {
			old.stopReading()
			g.poll("the wish to be looked at", func() bool { l.mu.Lock(); defer l.mu.Unlock(); return len(l.todo) == 0 && !l.woken })
			next.put(f.frame(optSync, "y"))
			next.want(ackPlainOK)
			return
		}
	}
	t.Fatalf("descriptor %d was not used again", old.fd)
}

func (s *epollSocket) isShut() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shutDown
}

func (l *epollLoop) has(fd int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sockets[int32(fd)] != nil
}

// TestEpollLoops spreads connections over loops.
func TestEpollLoops(t *testing.T) {
	g := newRx(t, ReceiverConfig{Poller: PollerEpoll, Loops: 3}, nil)
	f := newFrames(t)
	for range 9 {
		c := g.dial()
		c.put(f.frame(optSync, "x"))
		c.want(ackPlainOK)
	}
	for i, l := range g.r.reactor.(*epollReactor).loops {
		l.mu.Lock()
		if len(l.sockets) != 3 {
			t.Errorf("loop %d has %d connections, want 3", i, len(l.sockets))
		}
		l.mu.Unlock()
	}
}

// TestEpollSocketOptions looks at the options of an accepted socket.
func TestEpollSocketOptions(t *testing.T) {
	for _, address := range []string{"127.0.0.1", "::1"} {
		g := newRx(t, ReceiverConfig{Address: address, Poller: PollerEpoll, Socket: SocketOptions{KeepAlive: 1500 * time.Millisecond, TrafficClass: 28}}, nil)
		c, f := g.dial(), newFrames(t)
		c.put(f.frame(optSync, "x"))
		c.want(ackPlainOK)
		fd := g.conn().sock.(*epollSocket).fd
		level, class := unix.IPPROTO_IP, unix.IP_TOS
		if address == "::1" {
			level, class = unix.IPPROTO_IPV6, unix.IPV6_TCLASS
		}
		for _, o := range []struct{ level, name, want int }{
			{unix.IPPROTO_TCP, unix.TCP_NODELAY, 1},
			{unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
			{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 2},
			{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, 2},
			{level, class, 28},
		} {
			if got, err := unix.GetsockoptInt(fd, o.level, o.name); err != nil || got != o.want {
				t.Errorf("%s: option %d/%d = %d, %v, want %d", address, o.level, o.name, got, err, o.want)
			}
		}
	}
}
