package peers

import (
	"slices"

	"github.com/gotribes/tribes/membership"
)

// maxOrder is how many members are remembered in the order in which they were heard of.
const maxOrder = 1024

// ghost reports whether another process is at the address of a member by now: then it has
// ended, though the group may not know that yet or may have taken it back because of an old
// heartbeat, and what is sent to it the other one takes and acknowledges. Of two members at one
// address the one that was heard of first is the ghost. The caller holds s.mu.
func (s *Set[P]) ghost(m *membership.Member) bool {
	at := s.heardOf(m)
	for _, o := range s.beside(m) {
		if s.heardOf(o) > at {
			return true
		}
	}
	return false
}

// heardOf returns the place of a member in the order in which members were first heard of. The
// caller holds s.mu.
func (s *Set[P]) heardOf(m *membership.Member) int {
	at := slices.Index(s.order, m.ID())
	if at < 0 {
		if len(s.order) == maxOrder {
			s.order = slices.Delete(s.order, 0, 1)
		}
		at = len(s.order)
		s.order = append(s.order, m.ID())
	}
	return at
}

// beside returns the other members at the address of one.
func (s *Set[P]) beside(m *membership.Member) (all []*membership.Member) {
	other := func(o *membership.Member) {
		if o.AddrPort() == m.AddrPort() && o.ID() != m.ID() && o.Dialable() {
			all = append(all, o)
		}
	}
	for _, p := range s.All() {
		other(p.base().Member())
	}
	for _, o := range s.View().Members {
		other(o)
	}
	return all
}

// replace is told of a member that has joined: peers at its address that were heard of before
// are none any more.
func (s *Set[P]) replace(by *membership.Member) {
	s.mu.Lock()
	var gone []membership.ID
	at := s.heardOf(by)
	for _, o := range s.beside(by) {
		if s.heardOf(o) < at {
			gone = append(gone, o.ID())
		}
	}
	s.mu.Unlock()
	for _, id := range gone {
		s.Drop(id)
	}
}
