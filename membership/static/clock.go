package static

import (
	"sync/atomic"
	"time"

	"github.com/gotribes/tribes/membership"
)

// clock is time as far as this process was there: it stands still while the
// process does not run. So a process that was stopped, or starved, holds no
// silence against others that it could not hear.
type clock struct {
	lost atomic.Int64 // nanoseconds
	due  time.Time    // when the clock should be looked at next; for one goroutine
}

// at is what the clock shows at a time.
func (c *clock) at(now time.Time) time.Time { return now.Add(-time.Duration(c.lost.Load())) }

// now is what the clock shows now.
func (c *clock) now() time.Time { return c.at(time.Now()) }

// expect says when the clock will be looked at next.
func (c *clock) expect(due time.Time) { c.due = due }

// look compares the time with what was expected. If it is later by more than
// slack, the process did not run: the clock loses that time and look returns it.
func (c *clock) look(now time.Time, slack time.Duration) (late time.Duration) {
	if late = now.Sub(c.due); late <= slack {
		return 0
	}
	c.lost.Add(int64(late))
	return late
}

// watch drops members that were silent for too long, until the service stops.
func (s *Service) watch() {
	for {
		t := time.NewTimer(s.tick(time.Now()))
		select {
		case <-s.ctx.Done():
			t.Stop()
			return
		case <-t.C:
		}
	}
}

// tick does what is due at a time, and returns when to look again.
func (s *Service) tick(now time.Time) time.Duration {
	pace := s.cfg.Ping / 2
	if late := s.clock.look(now, pace); late > 0 {
		s.warn("late", "", "this process did not run; others get as much more time", "pause", late)
	}
	s.heard.forget()
	at := s.clock.at(now)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closing { // else nobody is asked any more, so silence means nothing
		for _, ev := range s.table.Expire(at, s.cfg.Expiration) {
			ev.At = now
			s.news.put(ev)
			s.release(ev.Member)
		}
	}
	s.tidy(at)
	next := pace
	if heard, ok := s.table.Oldest(); ok {
		next = min(next, max(heard.Add(s.cfg.Expiration).Sub(at)+least, least))
	}
	s.clock.expect(now.Add(next))
	return next
}

// signs are the members that a message came from since the last look, as far as
// there is room. A message is a sign of life too: on a busy link an answer may
// have to wait behind many.
type signs [16]atomic.Pointer[membership.Member]

func (g *signs) forget() {
	for i := range g {
		g[i].Store(nil)
	}
}

// sign notes that a message came from m.
func (s *Service) sign(m *membership.Member) {
	slot := &s.heard[int(m.ID()[0])%len(s.heard)]
	if slot.Load() == m {
		return
	}
	if s.table.Alive(m.Key(), s.clock.now()) {
		slot.Store(m)
	}
}
