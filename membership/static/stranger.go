package static

import (
	"errors"
	"time"

	"github.com/gotribes/tribes/membership"
)

// stranger is a node that said that it is there and is no member. It becomes one
// when it has answered a question put to the address that it announces, which
// proves that the address is its own and can be reached.
type stranger struct {
	member   *membership.Member
	uid      int64 // how members travel in its objects
	heard    time.Time
	told     bool // it got an answer, so it may have taken the local member
	checking bool // it is being asked
	failures int
	retry    time.Time // when it may be asked again
}

// Reasons not to take a node that answered.
var (
	errStopped  = errors.New("tribes: static: stopped")
	errOurs     = errors.New("tribes: static: it has the address of the local member")
	errDeparted = errors.New("tribes: static: it has said goodbye since")
	errReplaced = errors.New("tribes: static: another one has answered at its address since")
	errOtherID  = errors.New("tribes: static: another id is configured for its address")
)

// prove notes that a node answered at its own address. So whoever else was there
// before is gone: the process was restarted. by is who asked there, nil if that
// was not the address's asker.
func (s *Service) prove(got answer, by *asker) error {
	m := got.member
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	left, has := s.departed[m.Key()]
	switch {
	case !s.open():
		return errStopped
	case home(m) == home(s.local):
		return errOurs
	case has && !got.asked.After(left):
		return errDeparted
	}
	a := s.askers[home(m)]
	if a != nil && a.member != nil && a.member.Key() != m.Key() {
		if got.asked.Before(a.asked) {
			return errReplaced
		}
		s.drop(membership.Failed, a.member, now)
		a.member = nil
	}
	if a != nil && !a.id.IsZero() && a.id != m.ID() {
		return errOtherID
	}
	if s.env.Listen {
		ev, changed, err := s.table.Heard(m, s.clock.at(now))
		if err != nil {
			return err
		}
		if ev.At = now; changed {
			s.news.put(ev)
		}
	}
	s.settleIn(got, a, by)
	return nil
}

// settleIn makes sure that a member is asked from now on. It is called with mu
// held.
func (s *Service) settleIn(got answer, a, by *asker) {
	switch {
	case a == nil && !s.env.Listen:
		return // it asks us
	case a == nil:
		a = s.begin(home(got.member))
	case a.member == nil && a != by:
		a.hurry()
	}
	a.member, a.uid, a.asked = got.member, got.uid, got.asked
	delete(s.strangers, got.member.Key())
}

// meet notes that a node says that it is there.
func (s *Service) meet(m *membership.Member, uid int64) {
	if odd := s.greet(m, uid); odd != "" {
		s.warn(odd, m.String(), odd, "member", m)
	}
}

// Odd things that strangers say.
const (
	oddAddress = "another node announces our own address; it is not taken"
	oddID      = "another node announces our own unique id"
	oddMany    = "too many strangers; one is not noticed"
)

// greet is meet without the log: it returns what is odd.
func (s *Service) greet(m *membership.Member, uid int64) (odd string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	switch {
	case !s.active() || m.Key() == s.local.Key():
		return ""
	case home(m) == home(s.local):
		return oddAddress
	case m.ID() == s.local.ID() && !m.ID().IsZero():
		odd = oddID
	}
	if _, known := s.table.LastHeard(m.Key()); known {
		s.refreshed(m, uid, now)
		return odd
	}
	if s.closing {
		return ""
	}
	st := s.strangers[m.Key()]
	if st == nil {
		if len(s.strangers) >= s.limits.strangers {
			return oddMany
		}
		st = new(stranger)
		s.strangers[m.Key()] = st
	}
	st.member, st.uid, st.heard = m, uid, s.clock.at(now)
	if s.env.Listen && !st.checking && !now.Before(st.retry) && s.checking < s.limits.checking {
		st.checking = true
		s.checking++
		q := s.ping(m, uid)
		s.asks.Go(func() { s.check(st, q) }) // ends with s.asking, or after Timeout
	}
	return odd
}

// refreshed notes a sign of life of a member. It is called with mu held.
func (s *Service) refreshed(m *membership.Member, uid int64, now time.Time) {
	ev, changed, err := s.table.Heard(m, s.clock.at(now))
	if err != nil {
		return // never: the member is there
	}
	if ev.At = now; changed {
		s.news.put(ev)
	}
	if a := s.askers[home(m)]; a != nil && a.member != nil && a.member.Key() == m.Key() {
		a.member, a.uid = m, uid
	}
}

// Reasons why a stranger is not believed.
var (
	errElsewhere = errors.New("tribes: static: whoever answers there gives another address")
	errAnother   = errors.New("tribes: static: another node answers at its address")
)

// disbelief is how many checks in a row fail before a human is told.
const disbelief = 3

// check asks a stranger back.
func (s *Service) check(st *stranger, q question) {
	got, err := s.call(s.asking, q)
	switch {
	case err != nil:
	case home(got.member) != home(q.to):
		err = errElsewhere
	default:
		if err = s.prove(got, nil); err == nil && got.member.Key() != q.to.Key() {
			err = errAnother
		}
	}
	if s.checked(st, err) {
		s.warn("unproven", home(q.to).String(), "a node announces itself and does not answer as such", "member", q.to, "err", err)
	}
}

// checked notes the end of a check and reports whether it is time to tell that
// it failed.
func (s *Service) checked(st *stranger, err error) (tell bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.checking--
	st.checking = false
	if err == nil {
		return false
	}
	st.failures++
	st.retry = time.Now().Add(growing(st.failures, s.cfg.MaxPause))
	return st.failures >= disbelief && s.open()
}

// left notes a goodbye.
func (s *Service) left(m *membership.Member) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.active() {
		return
	}
	now := time.Now()
	if len(s.departed) < s.limits.strangers {
		s.departed[m.Key()] = now
	}
	delete(s.strangers, m.Key())
	s.drop(membership.Left, m, now)
	s.release(m)
}

// drop takes a member out of the table. It is called with mu held.
func (s *Service) drop(kind membership.Kind, m *membership.Member, now time.Time) {
	if ev, was := s.table.Remove(kind, m, now); was {
		s.news.put(ev)
	}
}

// release says that m is not at its address any more. It is called with mu held.
func (s *Service) release(m *membership.Member) {
	a := s.askers[home(m)]
	if a == nil || a.member == nil || a.member.Key() != m.Key() {
		return
	}
	a.member = nil
	s.endIdle(a)
}

// tidy forgets strangers that are silent, and goodbyes that no call can be older
// than. It is called with mu held.
func (s *Service) tidy(at time.Time) {
	remembered := s.cfg.Expiration + 2*s.cfg.MaxPause // longer than the pauses before retry
	for k, st := range s.strangers {
		if !st.checking && at.Sub(st.heard) > remembered {
			delete(s.strangers, k)
		}
	}
	for k, t := range s.departed {
		if time.Since(t) > s.cfg.Timeout {
			delete(s.departed, k)
		}
	}
}
