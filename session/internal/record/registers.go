package record

import (
	"slices"
	"time"
)

// access is when the session was last known to be in use.
type access struct {
	ver      Version
	deadline time.Duration // by the owner's clock; Never if it does not expire
}

// Touch notes that the session is in use: it has its whole timeout again. That is
// told to other nodes by [Session.TakeTouch], or with the next change.
func (s *Session) Touch(now time.Duration) {
	if s.hasEnded {
		return
	}
	s.touch.deadline = Never
	if s.timeout.After > 0 {
		s.touch.deadline = later(now, s.timeout.After)
	}
	s.unsent |= unsentTouch
}

// later adds durations; Never is the most.
func later(now, d time.Duration) time.Duration {
	if d >= Never-max(now, 0) {
		return Never
	}
	return now + d
}

// Touched reports whether the session was touched since that was last taken.
func (s *Session) Touched() bool { return s.unsent&unsentTouch != 0 }

// TakeTouch returns what tells other nodes that the session is in use. It returns
// false if there is nothing new to tell.
func (s *Session) TakeTouch(now time.Duration) (Touch, bool) {
	if !s.Touched() {
		return Touch{}, false
	}
	v, err := s.next()
	if err != nil {
		return Touch{}, false
	}
	s.unsent &^= unsentTouch
	s.touch.ver = v
	return Touch{v, s.Remaining(now)}, true
}

// ApplyTouch takes a touch from another node and reports whether it was news. It
// fails with ErrCounter.
func (s *Session) ApplyTouch(t Touch, now time.Duration) (bool, error) {
	if err := s.checkCounter(t.Version.Counter); err != nil {
		return false, err
	}
	s.clock = max(s.clock, t.Version.Counter)
	return s.applyTouch(t, now), nil
}

// applyTouch takes t if it is newer. If the session was touched here and nobody was
// told yet, the later deadline counts: either access may be the last.
func (s *Session) applyTouch(t Touch, now time.Duration) bool {
	if s.hasEnded || t.Version.Compare(s.touch.ver) <= 0 {
		return false
	}
	s.touch.ver = t.Version
	if d := later(now, t.Remaining); !s.Touched() || d > s.touch.deadline {
		s.touch.deadline = d
	}
	return true
}

// Remaining returns how long the session has left; [Never] if it does not expire or
// was not touched yet, 0 if it has expired.
func (s *Session) Remaining(now time.Duration) time.Duration {
	if s.touch.ver.IsZero() && !s.Touched() || s.touch.deadline == Never {
		return Never
	}
	return max(s.touch.deadline-now, 0)
}

// SetAccess notes that the session was last in use at a time, for an owner that knows that
// better than what was merged: from then on it has its timeout. Other nodes are not told.
func (s *Session) SetAccess(at time.Duration) {
	if s.hasEnded {
		return
	}
	s.touch.deadline = Never
	if s.timeout.After > 0 {
		s.touch.deadline = later(at, s.timeout.After)
	}
}

// addID takes an id into the list, which has each text once, newest first, and as
// many as the limit says. It returns the ids that came and went; the same set of ids
// gives the same list in whatever order they come.
func (s *Session) addID(id ID) (added, dropped string) {
	list := make([]ID, 0, s.site.limits.IDs+1)
	known := false
	for old := range s.ids {
		if old.Text == id.Text {
			known = true
			if id.Version.Compare(old.Version) <= 0 {
				return "", ""
			}
			continue
		}
		list = append(list, old)
	}
	at, _ := slices.BinarySearchFunc(list, id, func(a, b ID) int { return b.Compare(a) })
	if at >= s.site.limits.IDs {
		return "", ""
	}
	list = slices.Insert(list, at, id)
	if len(list) > s.site.limits.IDs {
		dropped = list[len(list)-1].Text
		list = list[:len(list)-1]
	}
	s.setIDs(list)
	if known {
		return "", dropped
	}
	return id.Text, dropped
}

// ids goes through the ids, newest first.
func (s *Session) ids(yield func(ID) bool) {
	if s.id.Version.IsZero() || !yield(s.id) || s.rare == nil {
		return
	}
	for _, id := range s.rare.older {
		if !yield(id) {
			return
		}
	}
}

// setIDs replaces the list, which it keeps.
func (s *Session) setIDs(list []ID) {
	for id := range s.ids {
		s.digest -= id.hash()
		s.size -= int32(idCost + len(id.Text))
	}
	s.id = ID{}
	if len(list) > 0 {
		s.id = list[0]
	}
	if len(list) > 1 {
		s.rarely().older = list[1:]
	} else if s.rare != nil {
		s.rare.older = nil
	}
	for id := range s.ids {
		s.digest += id.hash()
		s.size += int32(idCost + len(id.Text))
	}
}

func (s *Session) setTimeout(t Timeout) {
	s.digest += t.hash() - s.timeout.hash()
	s.timeout = t
}

func (s *Session) setPrincipal(p Principal) {
	r := s.rarely()
	s.digest += p.hash() - r.principal.hash()
	s.size += int32(len(p.Value) - len(r.principal.Value))
	r.principal = p
}

// finish makes the session one that has ended: nothing is left but the end and the
// marks.
func (s *Session) finish(e End) {
	r := s.rarely()
	*r = rare{marks: r.marks, end: e}
	s.entries, s.id, s.timeout, s.touch = nil, ID{}, Timeout{}, access{}
	s.size, s.live, s.unsent, s.hasEnded = 0, 0, 0, true
	s.digest = hashKey(s.key) + hashEnd()
}

// LastTouch returns the version of the newest touch that is known, and whether it is of
// this node: because it is, or because the session was touched here since.
func (s *Session) LastTouch() (v Version, here bool) {
	return s.touch.ver, s.Touched() || s.touch.ver.Node == s.site.node
}
