package mcast

import (
	"context"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/gotribes/tribes/membership"
)

const (
	extraGap     = 50 * time.Millisecond  // between two heartbeats out of turn
	smallGroup   = 8                      // members that all answer a newcomer at once
	answerSpread = 200 * time.Microsecond // in larger groups, times the members
	maxSpread    = 50 * time.Millisecond
	maxFailures  = 3 // heartbeats in a row that cannot be sent until the socket is given up
)

// aliveClock gives the alive times of heartbeats, each larger than the one
// before, as Java nodes take changes only with another alive time.
type aliveClock struct {
	begin time.Time
	first int64
	last  atomic.Int64
}

func (c *aliveClock) start(first int64) {
	c.begin, c.first = time.Now(), first
	c.last.Store(first - 1)
}

// next is called by one goroutine at a time.
func (c *aliveClock) next() int64 {
	alive := max(c.first+time.Since(c.begin).Milliseconds(), c.last.Load()+1)
	c.last.Store(alive)
	return alive
}

// heart is when to send heartbeats. It belongs to the goroutine of beat.
type heart struct {
	next      time.Time // the regular one
	extra     time.Time // one out of turn, zero for none
	lastExtra time.Time
	buffer    []byte
	failures  int  // in a row, on one socket
	failing   bool // the last one could not be sent
}

// beat sends heartbeats until ctx ends: one each Frequency, and some out of turn
// when the local member has changed or a newcomer should hear of it. It also
// keeps the pulse by which the listener knows that the process is running.
func (s *Service) beat(ctx context.Context) {
	h := heart{next: time.Now().Add(s.cfg.Frequency)}
	timer := time.NewTimer(s.cfg.Frequency)
	defer timer.Stop()
	for ctx.Err() == nil {
		s.pulse.expect(h.next)
		select {
		case <-ctx.Done():
			return
		case <-s.changed:
			h.soon(0)
		case <-s.newcomer:
			h.soon(answerDelay(int(s.members.Load())))
		case <-timer.C:
		}
		now := time.Now()
		s.pulse.felt(now)
		if h.due(now, s.cfg.Frequency) {
			s.heartbeat(&h)
		}
		timer.Reset(h.wait())
	}
}

// answerDelay is how long to wait before answering a newcomer in a group of n:
// many answers at the same moment would overrun its socket.
func answerDelay(n int) time.Duration {
	if n <= smallGroup {
		return 0
	}
	return rand.N(min(time.Duration(n)*answerSpread, maxSpread))
}

// soon plans a heartbeat out of turn.
func (h *heart) soon(delay time.Duration) {
	at := time.Now().Add(delay)
	if least := h.lastExtra.Add(extraGap); at.Before(least) {
		at = least
	}
	if h.extra.IsZero() || at.Before(h.extra) {
		h.extra = at
	}
}

// due reports whether to send now, and plans what comes after it. A regular
// heartbeat does for one out of turn.
func (h *heart) due(now time.Time, frequency time.Duration) bool {
	switch {
	case !now.Before(h.next):
		h.next = h.next.Add(frequency)
		if !now.Before(h.next) {
			h.next = now.Add(frequency) // what was missed is not made up for
		}
	case !h.extra.IsZero() && !now.Before(h.extra):
		h.lastExtra = now
	default:
		return false
	}
	h.extra = time.Time{}
	return true
}

func (h *heart) wait() time.Duration {
	if !h.extra.IsZero() && h.extra.Before(h.next) {
		return time.Until(h.extra)
	}
	return time.Until(h.next)
}

// heartbeat sends one; a socket that fails several times in a row is given up,
// and the listener opens another.
func (s *Service) heartbeat(h *heart) {
	sock := s.sock.Load()
	if sock == nil || !s.env.Announce {
		return
	}
	s.pulse.pause() // a write that blocks says nothing about the process
	h.buffer = s.appendHeartbeat(h.buffer[:0])
	err := s.send(sock, h.buffer)
	if err == nil {
		if h.failing {
			s.sendsAgain(sock)
		}
		h.failures, h.failing = 0, false
		return
	}
	h.failing = true
	if h.failures++; h.failures >= maxFailures {
		h.failures = 0
		sock.giveUp(err)
	}
}

// announce sends one heartbeat before beat runs.
func (s *Service) announce(sock *socket) error {
	if !s.env.Announce {
		return nil
	}
	return s.send(sock, s.appendHeartbeat(nil))
}

func (s *Service) appendHeartbeat(b []byte) []byte {
	return s.local.Load().AppendImage(b, s.alive.next())
}

// send sends a datagram of the membership. b is borrowed.
func (s *Service) send(sock *socket, b []byte) error {
	err := sock.write(b)
	if err == nil {
		s.counts.sent.Add(1)
		return nil
	}
	s.counts.sendErrors.Add(1)
	if leftOut, ok := s.quiet.may("send", sock.group.Addr()); ok {
		s.env.Logger.Warn("multicast send failed", "addr", sock.group, "interface", sock.iface, "err", err, "before", leftOut)
	}
	return err
}

func (s *Service) sendsAgain(sock *socket) {
	if leftOut, ok := s.quiet.may("sends again", sock.group.Addr()); ok {
		s.env.Logger.Info("multicast sends work again", "addr", sock.group, "interface", sock.iface, "before", leftOut)
	}
}

// sayGoodbye tells the others that the local member leaves. It is sent twice,
// since nobody asks for one that is lost.
func (s *Service) sayGoodbye() {
	sock := s.sock.Load()
	if sock == nil || !s.env.Announce {
		return
	}
	leaving, err := s.local.Load().With(func(a *membership.Attributes) { a.Command = membership.LeaveCommand })
	if err != nil { // the command is what makes it too large
		leaving, err = s.local.Load().With(func(a *membership.Attributes) {
			a.Command, a.Domain, a.Payload = membership.LeaveCommand, "", ""
		})
	}
	if err != nil {
		s.env.Logger.Error("no goodbye can be said", "err", err)
		return
	}
	s.local.Store(leaving) // so that it is known as our own when it comes back
	for range 2 {
		if s.send(sock, leaving.AppendImage(nil, s.alive.next())) != nil {
			return // send has logged it
		}
	}
}
