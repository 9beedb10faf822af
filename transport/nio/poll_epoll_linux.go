package nio

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// epollReactor has a few loops that wait for many connections each, level
// triggered. The sockets of connections are known to epoll alone, not to the
// runtime; that of the listener is waited for by the runtime.
type epollReactor struct {
	r      *Receiver
	listen *os.File // a duplicate of the listener's descriptor
	raw    syscall.RawConn
	loops  []*epollLoop
	next   int // of the goroutine that accepts
	closed atomic.Bool
	wg     sync.WaitGroup
}

func newEpollReactor(r *Receiver) (reactor, error) {
	l, ok := r.listener.(*net.TCPListener)
	if !ok {
		return nil, fmt.Errorf("tribes: receiver: poller epoll: the listener is a %T and no *net.TCPListener", r.listener)
	}
	p := &epollReactor{r: r}
	var err error
	if p.listen, err = duplicate(l); err == nil {
		p.raw, err = p.listen.SyscallConn()
	}
	for range r.cfg.Loops {
		if err != nil {
			break
		}
		var loop *epollLoop
		if loop, err = newEpollLoop(r.cfg.Socket.BusyPoll); err == nil {
			p.loops = append(p.loops, loop)
		}
	}
	if err != nil {
		return nil, p.undo(fmt.Errorf("tribes: receiver: poller epoll: %w", err))
	}
	for _, loop := range p.loops {
		p.wg.Go(loop.run) // ends after epollLoop.stop
	}
	return p, nil
}

// undo closes what a start that failed has opened.
func (p *epollReactor) undo(err error) error {
	for _, loop := range p.loops {
		err = errors.Join(err, loop.closeFiles())
	}
	if p.listen != nil {
		err = closeAll(err, p.listen)
	}
	return err
}

// duplicate makes a descriptor for the socket of l that is ours to accept with:
// the methods of l register each connection with the runtime.
func duplicate(l *net.TCPListener) (*os.File, error) {
	raw, err := l.SyscallConn()
	if err != nil {
		return nil, err
	}
	fd := -1
	var dupErr error
	if err := raw.Control(func(s uintptr) { fd, dupErr = unix.FcntlInt(s, unix.F_DUPFD_CLOEXEC, 0) }); err != nil {
		return nil, err
	}
	if dupErr != nil {
		return nil, os.NewSyscallError("fcntl", dupErr)
	}
	return os.NewFile(uintptr(fd), "tribes listener"), nil
}

func (p *epollReactor) accept() (rxSocket, netip.AddrPort, error) {
	fd := -1
	var sa unix.Sockaddr
	var err error
	waitErr := p.raw.Read(func(l uintptr) bool {
		fd, sa, err = unix.Accept4(int(l), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		return err != unix.EAGAIN
	})
	if waitErr != nil {
		if p.closed.Load() {
			waitErr = net.ErrClosed
		}
		return nil, netip.AddrPort{}, waitErr
	}
	if err != nil {
		return nil, netip.AddrPort{}, os.NewSyscallError("accept4", err)
	}
	from := sockaddr(sa)
	if err := setOptions(fd, &p.r.cfg.Socket); err != nil {
		p.r.optionsRefused(from, err)
	}
	s := &epollSocket{fd: fd}
	s.read = s.readOnce
	return s, from, nil
}

func (p *epollReactor) bind(s rxSocket, c *rxConn) {
	e := s.(*epollSocket)
	e.c = c
	e.loop = p.loops[p.next%len(p.loops)]
	p.next++
}

func (p *epollReactor) add(s rxSocket) error {
	e := s.(*epollSocket)
	return e.loop.add(e)
}

func (p *epollReactor) stopAccept() error {
	p.closed.Store(true)
	return closeAll(p.r.listener.Close(), p.listen)
}

func (p *epollReactor) close() error {
	for _, loop := range p.loops {
		loop.stop()
	}
	p.wg.Wait()
	var errs []error
	for _, loop := range p.loops {
		errs = append(errs, loop.closeFiles())
	}
	return errors.Join(errs...)
}

func sockaddr(sa unix.Sockaddr) netip.AddrPort {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr).Unmap(), uint16(sa.Port))
	}
	return netip.AddrPort{}
}

// setOptions is SocketOptions.apply for a descriptor.
func setOptions(fd int, o *SocketOptions) error {
	set := func(level, option, value int) error {
		return os.NewSyscallError("setsockopt", unix.SetsockoptInt(fd, level, option, value))
	}
	var errs []error
	if !o.Delay {
		errs = append(errs, set(unix.IPPROTO_TCP, unix.TCP_NODELAY, 1))
	}
	if k := o.keepAlive(); k.Enable {
		errs = append(errs, set(unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1),
			set(unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, seconds(k.Idle)),
			set(unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, seconds(k.Interval)))
	}
	if o.ReadBuffer > 0 {
		errs = append(errs, set(unix.SOL_SOCKET, unix.SO_RCVBUF, o.ReadBuffer))
	}
	if o.WriteBuffer > 0 {
		errs = append(errs, set(unix.SOL_SOCKET, unix.SO_SNDBUF, o.WriteBuffer))
	}
	if o.TrafficClass > 0 {
		errs = append(errs, setClass(fd, o.TrafficClass))
	}
	return errors.Join(errs...)
}
