package record

import (
	"slices"
	"time"
)

// Pending reports whether there is something for [Session.Take].
func (s *Session) Pending() bool { return s.unsent&^unsentTouch != 0 }

// Take returns what was written here since the last Take, with a touch if there was
// one, or nil if nothing was written. Writes of the same attribute are in it as one.
// From then on the change is the caller's to deliver: to all nodes, in the order of
// taking, or the nodes that miss one will notice and ask for a snapshot.
func (s *Session) Take(now time.Duration) *Change {
	if !s.Pending() {
		return nil
	}
	c := &Change{Key: s.key, Origin: s.site.node, From: s.from, To: s.seen(s.site.node)}
	if s.unsent&unsentEntries != 0 {
		c.Attributes = s.takeEntries()
	}
	if s.unsent&unsentID != 0 {
		c.IDs = slices.Collect(s.ids)
	}
	if s.unsent&unsentTimeout != 0 {
		c.Timeout = s.timeout
	}
	if s.unsent&unsentPrincipal != 0 {
		c.Principal = s.rare.principal
	}
	if s.unsent&unsentEnd != 0 {
		c.End = s.rare.end
	}
	if t, touched := s.TakeTouch(now); touched {
		c.Touch = t
	}
	s.unsent &= unsentTouch
	s.trim()
	return c
}

// takeEntries returns the unsent entries as they are now, with the local node's share.
func (s *Session) takeEntries() []Attribute {
	n := 0
	for i := range s.entries {
		if s.entries[i].unsent {
			n++
		}
	}
	list := make([]Attribute, 0, n)
	for i := range s.entries {
		e := &s.entries[i]
		if !e.unsent {
			continue
		}
		e.unsent = false
		a := e.attribute()
		a.Base = s.baseOf(e)
		if j, own := e.shareOf(s.site.node); own {
			a.Shares = []Share{e.num.shares[j]}
		}
		if !a.Version.IsZero() || a.Shares != nil {
			list = append(list, a)
		}
	}
	if s.rare != nil {
		s.rare.bases = nil
	}
	return list
}

// baseOf returns the value that others may have of e.
func (s *Session) baseOf(e *entry) Base {
	if e.kind != Bytes || s.rare == nil {
		return Base{}
	}
	for _, b := range s.rare.bases {
		if b.name == e.name {
			return b.Base
		}
	}
	return Base{}
}

// attribute returns e without its shares.
func (e *entry) attribute() Attribute {
	return Attribute{Name: e.name.Value(), Version: e.ver, Kind: e.kind, Value: e.value, Start: e.start()}
}

// Snapshot returns all of the session, also what was not taken yet.
func (s *Session) Snapshot(now time.Duration) *Snapshot {
	sn := &Snapshot{Key: s.key, Marks: s.marksInOrder()}
	if s.hasEnded {
		sn.End = s.rare.end
		return sn
	}
	if len(s.entries) > 0 {
		sn.Attributes = make([]Attribute, len(s.entries))
	}
	for i := range s.entries {
		sn.Attributes[i] = s.entries[i].attribute()
		sn.Attributes[i].Shares = slices.Clone(s.entries[i].shares())
	}
	sn.IDs = slices.Collect(s.ids)
	sn.Timeout = s.timeout
	if s.rare != nil {
		sn.Principal = s.rare.principal
	}
	if !s.touch.ver.IsZero() {
		sn.Touch = Touch{s.touch.ver, s.Remaining(now)}
	}
	return sn
}
