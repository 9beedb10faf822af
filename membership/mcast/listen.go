package mcast

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"time"

	"github.com/gotribes/tribes/membership"
)

const (
	latest    = 10 * time.Millisecond // lateness from which datagrams may be waiting unread
	drainWait = 2 * time.Millisecond  // how long an empty socket is looked at
	maxDrain  = 200 * time.Millisecond
	longDeaf  = 30 * time.Second // silence after which a socket is opened anew if our own heartbeats do not come back
)

// errDeaf means that a socket hears nothing, not even ourselves.
var errDeaf = errors.New("tribes: mcast: the socket hears nothing")

// listener reads the socket. It is the only one that changes the table and
// notifies, so the events have the order of the changes. All of it belongs to
// the goroutine of listen.
type listener struct {
	*Service
	reader   reader
	deadline time.Time // something is to be done then, see check
	armed    time.Time // read deadline of the socket
	heard    time.Time // when the last datagram came, or the socket was opened
	pause    time.Duration

	peers     map[membership.Key]*peer
	ids       map[membership.ID]membership.Key
	addrs     map[netip.AddrPort]membership.Key // the last that joined on each address
	sources   map[netip.Addr]int                // members by the source of their first heartbeat
	suspects  map[membership.Key]suspicion
	graves    graves // of members
	strangers graves // of those who left before they were heard
	talkers   talkers
}

func newListener(s *Service) *listener {
	return &listener{
		Service:  s,
		peers:    make(map[membership.Key]*peer),
		ids:      make(map[membership.ID]membership.Key),
		addrs:    make(map[netip.AddrPort]membership.Key),
		sources:  make(map[netip.Addr]int),
		suspects: make(map[membership.Key]suspicion),
	}
}

// listen reads from sock, and from those opened in its place, until ctx ends
// and the socket is closed.
func (s *Service) listen(ctx context.Context, sock *socket) {
	l := newListener(s)
	for sock != nil {
		sock.giveUp(l.serve(ctx, sock))
		s.sock.CompareAndSwap(sock, nil)
		if ctx.Err() != nil {
			return
		}
		sock = l.recover(ctx, sock)
	}
}

// serve reads until the socket has failed, and returns why.
func (l *listener) serve(ctx context.Context, sock *socket) error {
	if !l.env.Listen {
		select {
		case <-sock.gone:
		case <-ctx.Done():
			<-sock.gone // Stop closes it after the goodbye
		}
		return sock.cause
	}
	l.reader = newReader(sock.conn)
	l.heard, l.armed = time.Now(), time.Time{}
	l.plan(l.heard, sock)
	for {
		if err := l.arm(sock); err != nil {
			return err
		}
		got, err := l.reader.read()
		now := time.Now()
		switch {
		case err == nil:
			l.take(got, now)
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return err
		}
		if !now.Before(l.deadline) {
			if err := l.check(now, sock); err != nil {
				return err
			}
		}
	}
}

// arm lets reads end at the deadline.
func (l *listener) arm(sock *socket) error {
	if l.armed.Equal(l.deadline) {
		return nil
	}
	l.armed = l.deadline
	return sock.conn.SetReadDeadline(l.armed)
}

func (l *listener) take(got []datagram, now time.Time) {
	l.heard = now
	for i := range got {
		l.handle(&got[i], now)
	}
}

// check does what is due at the deadline: it settles suspicions and takes those
// who were silent for too long out of the table. If we come too late, what they
// sent may still wait in the socket and is read first; if we come far too late,
// they get time to be heard. sock is nil while there is none.
func (l *listener) check(now time.Time, sock *socket) error {
	if now.Sub(l.deadline) > latest && sock != nil {
		l.pulse.check(now, l.deadline)
		if err := l.drain(sock); err != nil {
			return err
		}
		now = time.Now()
	}
	if grace := l.pulse.graceAt(now); grace.After(now) {
		l.deadline = grace
		return nil
	}
	l.settle(now)
	for _, ev := range l.table.Expire(now, l.cfg.DropTime) {
		l.gone(ev)
	}
	if sock != nil && !now.Before(l.heard.Add(l.deaf(sock))) {
		return errDeaf
	}
	l.plan(now, sock)
	return nil
}

// drain reads what waits in the socket, within bounds.
func (l *listener) drain(sock *socket) error {
	end := time.Now().Add(maxDrain)
	for now := time.Now(); now.Before(end); {
		l.armed = now.Add(drainWait)
		if err := sock.conn.SetReadDeadline(l.armed); err != nil {
			return err
		}
		got, err := l.reader.read()
		now = time.Now()
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil
		case err != nil:
			return err
		}
		l.take(got, now)
	}
	return nil
}

// deaf is the silence after which a socket is taken for deaf: where our own
// heartbeats come back, they are missed early.
func (l *listener) deaf(sock *socket) time.Duration {
	if sock.loops && l.env.Announce {
		return 2 * l.cfg.DropTime
	}
	return max(longDeaf, 10*l.cfg.DropTime)
}

// plan sets the deadline to the first moment at which there can be something to
// do. Heartbeats that come meanwhile only make that moment later, so it need not
// be planned again for each.
func (l *listener) plan(now time.Time, sock *socket) {
	l.deadline = now.Add(longDeaf)
	if sock != nil {
		l.deadline = l.heard.Add(l.deaf(sock))
	}
	if oldest, ok := l.table.Oldest(); ok {
		l.wakeBy(oldest.Add(l.cfg.DropTime + 1))
	}
	for _, s := range l.suspects {
		l.wakeBy(s.until)
	}
}

// wakeBy makes the deadline earlier if it is later than at.
func (l *listener) wakeBy(at time.Time) {
	if at.Before(l.deadline) {
		l.deadline = at
	}
}
