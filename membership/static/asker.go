package static

import (
	"context"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/gotribes/tribes/internal/javaser"
	"github.com/gotribes/tribes/membership"
)

// firstPause is the pause after the first failed try of something; each further
// one doubles it.
const firstPause = 100 * time.Millisecond

// asker asks whoever is at one address, as long as the address is on the list
// or has a member.
type asker struct {
	addr    netip.AddrPort
	standIn *membership.Member // for as long as nobody is known there
	wake    chan struct{}      // has room for one value
	cancel  context.CancelFunc

	// What follows is guarded by Service.mu.
	listed bool
	id     membership.ID      // that must answer; zero for any
	member *membership.Member // who is there, nil for nobody
	uid    int64              // how members travel in objects there, 0 if that is not known
	asked  time.Time          // when the question was put that showed that member is there
}

// hurry makes it ask at once.
func (a *asker) hurry() { signal(a.wake) }

// result is what became of a question.
type result uint8

const (
	failed    result = iota // no answer, or none that counts
	answered                // by the member that is there
	elsewhere               // by a member that announces another address
	ourselves               // the address is the local member's, or leads to it
)

// begin starts to ask at an address, which is checked. It is called with mu
// held while the service is open.
func (s *Service) begin(addr netip.AddrPort) *asker {
	ctx, cancel := context.WithCancel(s.asking)
	a := &asker{addr: addr, wake: make(chan struct{}, 1), cancel: cancel}
	a.standIn, _ = standIn(addr, membership.ID{}) // checked
	s.askers[addr] = a
	s.asks.Go(func() { // ends with ctx, or when there is no reason any more
		defer cancel()
		s.keepAsking(ctx, a)
	})
	return a
}

// end stops to ask at an address. It is called with mu held.
func (s *Service) end(a *asker) {
	a.cancel()
	if s.askers[a.addr] == a {
		delete(s.askers, a.addr)
	}
}

// endIdle ends a if there is no reason for it. It is called with mu held.
func (s *Service) endIdle(a *asker) (ended bool) {
	if a.listed || a.member != nil {
		return false
	}
	s.end(a)
	return true
}

// keepAsking asks again and again.
func (s *Service) keepAsking(ctx context.Context, a *asker) {
	defer s.forgetStandIn(a)
	for failures := 0; ; {
		got, err := s.ask(ctx, a)
		if got == failed {
			failures++
			s.unanswered(a, failures, err)
		} else {
			failures = 0
		}
		pause, ended := s.after(a, got, failures)
		if ended {
			return
		}
		t := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-a.wake:
			t.Stop()
		case <-t.C:
		}
	}
}

// forgetStandIn cuts the links of the stand-in, with what waits for them, unless
// they are those of a member without an id.
func (s *Service) forgetStandIn(a *asker) {
	if _, member := s.table.LastHeard(a.standIn.Key()); !member {
		s.host.Forget(a.standIn)
	}
}

// after is the pause after a question, unless it was the last one.
func (s *Service) after(a *asker, got result, failures int) (pause time.Duration, ended bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch got {
	case answered:
		return jitter(s.cfg.Ping), false
	case elsewhere, ourselves:
		return jitter(s.cfg.MaxPause), s.endIdle(a)
	}
	if a.member != nil && !s.env.Listen { // else the table decides when it is gone
		a.member = nil
	}
	return growing(failures, s.cfg.MaxPause), s.endIdle(a)
}

// growing is the pause after that many failures in a row.
func growing(failures int, most time.Duration) time.Duration {
	return jitter(min(firstPause<<min(failures-1, 16), most))
}

// jitter takes up to a tenth off, so that not all do the same at the same time.
func jitter(d time.Duration) time.Duration { return d - rand.N(d/10+1) }

// ask puts one question to whoever is at the address. The error is why it failed.
func (s *Service) ask(ctx context.Context, a *asker) (result, error) {
	q, ours := s.questionAt(a)
	if ours {
		return ourselves, nil
	}
	got, err := s.call(ctx, q)
	if err != nil {
		return failed, err
	}
	m := got.member
	switch {
	case m.Key() == s.localKey():
		return ourselves, nil
	case home(m) != a.addr:
		s.meet(m, got.uid) // it has to answer there too
		return elsewhere, nil
	}
	if q.to.Key() != m.Key() {
		s.host.Forget(q.to) // the stand-in, or who was there before
	}
	if err := s.prove(got, a); err != nil {
		return failed, err
	}
	return answered, nil
}

// question is what to ask whom, and how.
type question struct {
	to   *membership.Member
	kind int32 // javaser.MemberStart or MemberPing
	uid  int64 // of members in objects there
	wait time.Duration
}

// questionAt is the next one at an address, unless that is our own.
func (s *Service) questionAt(a *asker) (q question, ours bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if home(s.local) == a.addr {
		return q, true
	}
	if a.member != nil {
		return s.ping(a.member, a.uid), false
	}
	q = question{a.standIn, javaser.MemberStart, s.cfg.JavaUID, s.cfg.Timeout}
	if a.uid != 0 {
		q.uid = a.uid
	}
	return q, false
}

// ping asks a member that is known. Its wait is short enough that there is time
// for another question before it has failed.
func (s *Service) ping(m *membership.Member, uid int64) question {
	if uid == 0 {
		uid = s.cfg.JavaUID
	}
	return question{m, javaser.MemberPing, uid, min(s.cfg.Timeout, s.cfg.Expiration/2)}
}

func (s *Service) localKey() membership.Key {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.local.Key()
}

// patience is how many tries in a row fail, about 3 s of them, before a human is
// told: members need not start at the same time.
const patience = 6

// unanswered notes why there was no answer that counts.
func (s *Service) unanswered(a *asker, failures int, err error) {
	if s.asking.Err() != nil {
		return
	}
	s.mu.Lock()
	listed := a.listed
	s.mu.Unlock()
	if listed && failures == patience {
		s.warn("unanswered", a.addr.String(), "no member answers at an address of the list; it is tried for ever", "addr", a.addr, "err", err)
		return
	}
	s.env.Logger.Debug("no member answers", "addr", a.addr, "err", err)
}
