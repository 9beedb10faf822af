package nio

import (
	"errors"
	"os"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// epollLoop waits for its connections and reads them. It alone closes their
// descriptors, between two rounds, so that no event of a round can meet a
// descriptor that has got another owner.
type epollLoop struct {
	fd   int // of epoll
	wake int // an eventfd, among those waited for

	habit habit // of run

	mu      sync.Mutex
	sockets map[int32]*epollSocket
	todo    []*epollSocket // with wishes
	woken   bool           // wake was written to and not read yet
	ending  bool
}

func newEpollLoop(busyPoll time.Duration) (*epollLoop, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	l := &epollLoop{fd: fd, wake: -1, habit: habit{limit: busyPoll}, sockets: make(map[int32]*epollSocket)}
	if l.wake, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return nil, errors.Join(os.NewSyscallError("eventfd", err), l.closeFiles())
	}
	event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(l.wake)}
	if err := unix.EpollCtl(fd, unix.EPOLL_CTL_ADD, l.wake, &event); err != nil {
		return nil, errors.Join(os.NewSyscallError("epoll_ctl", err), l.closeFiles())
	}
	return l, nil
}

func (l *epollLoop) closeFiles() error {
	var errs []error
	for _, fd := range []int{l.wake, l.fd} {
		if fd >= 0 {
			errs = append(errs, os.NewSyscallError("close", unix.Close(fd)))
		}
	}
	return errors.Join(errs...)
}

// add begins to wait for s. After an error the loop does not have it.
func (l *epollLoop) add(s *epollSocket) error {
	l.mu.Lock()
	l.sockets[int32(s.fd)] = s
	l.mu.Unlock()
	s.mu.Lock()
	err := s.set(unix.EPOLLIN)
	s.added = err == nil
	s.mu.Unlock()
	if err != nil {
		l.remove(s)
	}
	return err
}

// remove forgets s. Its descriptor may be another one's by now: something may be posted for
// s after it was closed.
func (l *epollLoop) remove(s *epollSocket) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sockets[int32(s.fd)] == s {
		delete(l.sockets, int32(s.fd))
	}
}

// post makes the loop look at s between two rounds.
func (l *epollLoop) post(s *epollSocket) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.todo = append(l.todo, s)
	l.signal()
}

// stop ends the loop.
func (l *epollLoop) stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ending = true
	l.signal()
}

// signal wakes the loop. Called with mu held.
func (l *epollLoop) signal() {
	if l.woken {
		return
	}
	l.woken = true
	one := [8]byte{7: 1}
	if _, err := unix.Write(l.wake, one[:]); err != nil && err != unix.EAGAIN {
		panic("tribes: receiver: eventfd: " + err.Error()) // our own descriptor, and its counter is at most 1
	}
}

// epollRound is how many connections one round serves.
const epollRound = 128

func (l *epollLoop) run() {
	events := make([]unix.EpollEvent, epollRound)
	ready := make([]*epollSocket, epollRound)
	var todo []*epollSocket
	for {
		n := l.wait(events)
		l.find(events[:n], ready)
		for i := range n {
			if s := ready[i]; s != nil {
				s.serve(events[i].Events)
			}
			ready[i] = nil
		}
		var ending bool
		todo, ending = l.take(todo)
		for _, s := range todo {
			l.oblige(s)
		}
		if ending {
			return
		}
	}
}

// wait returns the number of events. It blocks a thread only when nothing else
// in the process has anything to do at this moment: a goroutine in a system call
// keeps its place in the scheduler for a while.
func (l *epollLoop) wait(events []unix.EpollEvent) int {
	if n := l.poll(events, 0); n > 0 {
		return n
	}
	runtime.Gosched()
	if n := l.poll(events, 0); n > 0 {
		return n
	}
	if l.habit.wants() {
		n := 0
		met := l.habit.poll(func() bool {
			n = l.poll(events, 0)
			return n > 0
		})
		if met {
			return n
		}
	}
	begin := pollClock()
	n := l.poll(events, -1)
	l.habit.slept(pollClock() - begin)
	return n
}

func (l *epollLoop) poll(events []unix.EpollEvent, timeout int) int {
	n, err := unix.EpollWait(l.fd, events, timeout)
	if err != nil && err != unix.EINTR {
		panic("tribes: receiver: epoll_wait: " + err.Error()) // our own descriptor, which is open
	}
	return max(n, 0)
}

// find fills in the sockets of the events, nil for what is none.
func (l *epollLoop) find(events []unix.EpollEvent, ready []*epollSocket) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range events {
		if events[i].Fd != int32(l.wake) {
			ready[i] = l.sockets[events[i].Fd]
			continue
		}
		var count [8]byte
		if _, err := unix.Read(l.wake, count[:]); err != nil && err != unix.EAGAIN {
			panic("tribes: receiver: eventfd: " + err.Error()) // our own descriptor
		}
		l.woken = false
	}
}

// take returns what was posted, in the memory of old.
func (l *epollLoop) take(old []*epollSocket) (todo []*epollSocket, ending bool) {
	clear(old)
	l.mu.Lock()
	defer l.mu.Unlock()
	todo, l.todo = l.todo, old[:0]
	return todo, l.ending
}

// oblige does what was posted for s.
func (l *epollLoop) oblige(s *epollSocket) {
	shrink, stop, end := s.wishes()
	if shrink {
		s.c.buffer.shrink()
	}
	if stop || end {
		s.c.endRead()
	}
	if !end {
		s.pause(0)
		return
	}
	l.remove(s)
	s.shut()
	s.c.closed()
}

func seconds(d time.Duration) int { return max(1, int((d+time.Second-1)/time.Second)) }

func setClass(fd, class int) error {
	err := unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_TOS, class)
	if domain, e := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN); e == nil && domain == unix.AF_INET6 {
		err = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_TCLASS, class)
	}
	return os.NewSyscallError("setsockopt", err)
}
