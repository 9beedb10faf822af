package mem

import (
	"context"
	"time"

	"github.com/gotribes/tribes/message"
)

// loop does what happens to the sender's messages later: at the times on its
// agenda, and at the deadlines of what is on its way.
func (s *Sender) loop() {
	defer close(s.done)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		next, on := s.work()
		if !on {
			return
		}
		if next.IsZero() {
			timer.Stop()
		} else {
			timer.Reset(time.Until(next))
		}
		select {
		case <-timer.C:
		case <-s.wake:
		}
	}
}

// work does what is due and returns when there is more; on is false at the end.
func (s *Sender) work() (next time.Time, on bool) {
	fx := s.n.effects()
	defer s.n.run(fx)
	s.n.mu.Lock()
	defer s.n.mu.Unlock()
	if s.state == ended {
		return time.Time{}, false
	}
	now := time.Now()
	for {
		ev, ok := s.agenda.take(now)
		if !ok {
			break
		}
		s.happen(fx, ev, now)
	}
	s.alarm = s.expire(fx, now)
	if at, ok := s.agenda.next(); ok && (s.alarm.IsZero() || at.Before(s.alarm)) {
		s.alarm = at
	}
	return s.alarm, true
}

// expire gives up what is beyond its deadline and returns the next deadline.
func (s *Sender) expire(fx *effects, now time.Time) time.Time {
	for f := s.first; f != nil; {
		switch {
		case f.deadline.IsZero():
			f = f.next
			continue
		case f.deadline.After(now):
			return f.deadline
		case f.c != nil && f.buf != nil && f.waiting == nil:
			f.c.end(fx, message.ErrTimeout, true) // and f with it
		default:
			s.giveUp(fx, f, message.ErrTimeout, true)
		}
		f = s.first
	}
	return time.Time{}
}

// alert makes the loop look at that time or before. It is called with n.mu
// held.
func (s *Sender) alert(at time.Time) {
	if s.alarm.IsZero() || at.Before(s.alarm) {
		s.alarm = at
		s.signal()
	}
}

func (s *Sender) signal() { poke(s.wake) }

// poke makes sure that a channel with room for one has something in it.
func poke(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// wait waits until ch is closed, or until ctx ends and then returns its cause.
func wait(ctx context.Context, ch <-chan struct{}) error {
	select {
	case <-ch:
		return nil
	case <-ctx.Done():
	}
	select {
	case <-ch:
		return nil
	default:
		return context.Cause(ctx)
	}
}
