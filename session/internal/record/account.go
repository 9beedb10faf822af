package record

import (
	"slices"
	"unique"
)

// What an entry, a share and an id are accounted for besides their bytes.
const (
	entryCost = 64
	shareCost = 24
	idCost    = 32
)

// cost returns what an entry adds to the size of its session.
func (e *entry) cost() int {
	return entryCost + len(e.name.Value()) + len(e.value) + shareCost*len(e.shares())
}

// count adds an entry to size, digest and number of attributes, or takes it away:
// every change of an entry stands between a count(e, -1) and a count(e, 1).
func (s *Session) count(e *entry, sign int) {
	s.size += int32(sign * e.cost())
	if e.exists() {
		s.live += int32(sign)
	}
	s.digest += uint64(sign) * e.hash()
}

// insert puts an entry without content at i, where name belongs.
func (s *Session) insert(i int, name string) *entry {
	e := entry{name: unique.Make(name)}
	if s.entries == nil {
		s.grow(1) // most sessions have few attributes
	}
	s.entries = slices.Insert(s.entries, i, e)
	s.count(&s.entries[i], 1)
	return &s.entries[i]
}

// grow makes room for n entries and no more.
func (s *Session) grow(n int) {
	if s.entries == nil && n > 0 {
		s.entries = make([]entry, 0, n)
	}
}

// remove forgets an entry.
func (s *Session) remove(i int) {
	s.count(&s.entries[i], -1)
	s.entries = slices.Delete(s.entries, i, i+1)
}

// trim forgets the oldest removed names above the limit. It keeps those that the
// others have not been told about.
func (s *Session) trim() {
	over := len(s.entries) - int(s.live) - s.site.limits.Removed
	if over <= 0 {
		return
	}
	old := make([]Version, 0, 80)
	for i := range s.entries {
		if e := &s.entries[i]; e.canForget() {
			old = append(old, e.ver)
		}
	}
	if len(old) == 0 {
		return
	}
	slices.SortFunc(old, Version.Compare)
	last := old[min(over, len(old))-1]
	s.entries = slices.DeleteFunc(s.entries, func(e entry) bool {
		if !e.canForget() || e.ver.Compare(last) > 0 {
			return false
		}
		s.count(&e, -1)
		return true
	})
}

func (e *entry) canForget() bool { return !e.exists() && !e.unsent }
