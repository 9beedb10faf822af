package peers

import (
	"context"
	"log/slog"
	"time"

	"github.com/gotribes/tribes/membership"
)

// meeting is the introduction of this member to another, which goes on until each has heard
// the other, or the other has refused it.
type meeting struct {
	// All is guarded by Set.mu.
	greeted bool      // once, whatever the outcome
	since   time.Time // when it was first known that the other has the thing; zero if it is not
}

// Meet introduces this member to another, which is no peer before it does so itself: it may
// not have the thing.
func (s *Set[P]) Meet(m *membership.Member) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.meetings[m.ID()] != nil || m.ID() == s.self || s.ghost(m) {
		return
	}
	x := &meeting{}
	s.meetings[m.ID()] = x
	s.Go(func(ctx context.Context) { s.introduce(ctx, m, x) })
}

// introduce greets a member until each has heard the other, or it has left.
func (s *Set[P]) introduce(ctx context.Context, m *membership.Member, x *meeting) {
	s.insist(ctx, m.ID(), func() bool {
		said, err := s.greet(ctx, m)
		return s.concluded(m, x, said, err)
	})
}

// greet tells a member what this one is, and returns how far it has said it is.
func (s *Set[P]) greet(ctx context.Context, m *membership.Member) (State, error) {
	ctx, cancel := context.WithTimeout(ctx, s.Stall)
	defer cancel()
	said, hello := s.introduction(m.ID())
	return said, s.send(ctx, m, hello)
}

// introduction is what this member says of itself to another.
func (s *Set[P]) introduction(to membership.ID) (State, []byte) {
	var none P
	known, state := s.Get(to) != none, s.State()
	return state, s.own.Hello(known, state)
}

// concluded notes how a greeting has fared, and reports whether that is all.
func (s *Set[P]) concluded(m *membership.Member, x *meeting, said State, err error) bool {
	defer s.Notify()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.meetings[m.ID()] != x {
		return true // it has left
	}
	x.greeted = true
	var none P
	switch {
	case Refusal(err):
		s.Tell(slog.LevelDebug, "member is no peer", m, "err", err)
	case err != nil || said != s.state:
		return false
	case s.Get(m.ID()) == none:
		if x.since.IsZero() {
			x.since = time.Now()
		}
		return false // it may believe that this member has heard it before
	}
	delete(s.meetings, m.ID())
	return true
}

// Awaited reports whether a member that may have the thing has not said so yet.
func (s *Set[P]) Awaited() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	var none P
	for node, x := range s.meetings {
		if s.Get(node) == none && s.own.Awaits(x.greeted, x.since) {
			return true
		}
	}
	return false
}

// unheard reports whether a member that may have the thing may not know how far this one is.
func (s *Set[P]) unheard() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.meetings) > 0
}

// Doubt greets a peer that may have crashed, unless that was done a moment ago. It does not
// wait for that: what cannot be sent is what the channel finds out about a crash by.
func (s *Set[P]) Doubt(p P) {
	b := p.base()
	if !b.doubted() {
		return
	}
	s.Go(func(ctx context.Context) {
		if _, err := s.greet(ctx, b.Member()); err != nil {
			s.Tell(slog.LevelDebug, "member in doubt was not reached", b.Member(), "err", err)
			if s.Estranging(err) {
				s.gone(p)
			}
		}
	})
}

// doubted reports whether it is time to see whether the peer lives.
func (p *Peer) doubted() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := time.Now(); now.Sub(p.checked) >= p.set.Budget/2 {
		p.checked = now
		return true
	}
	return false
}

// correct introduces this member again to one that was told that it is less far than it is
// meanwhile.
func (s *Set[P]) correct(m *membership.Member, said State) {
	if s.State() != said {
		s.Meet(m)
	}
}

// announce tells all peers how far this member is.
func (s *Set[P]) announce(ctx context.Context, is State) {
	s.mu.Lock()
	s.state = is
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, s.Budget)
	defer cancel()
	for _, p := range s.broadcast(ctx, func(p *Peer) []byte { _, hello := s.introduction(p.Node); return hello }) {
		s.Meet(p.base().Member())
	}
}
