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
		s.entries = make([]entry, 0, 1) // most sessions have few attributes
	}
	s.entries = slices.Insert(s.entries, i, e)
	s.count(&s.entries[i], 1)
	return &s.entries[i]
}

// remove forgets an entry.
func (s *Session) remove(i int) {
	s.count(&s.entries[i], -1)
	s.entries = slices.Delete(s.entries, i, i+1)
}

// trim forgets the oldest removed names above the limit. It keeps those that the
// others have not been told about.
func (s *Session) trim() {
	for len(s.entries)-int(s.live) > s.site.limits.Removed {
		oldest := -1
		for i := range s.entries {
			e := &s.entries[i]
			if e.exists() || e.unsent {
				continue
			}
			if oldest < 0 || e.ver.Compare(s.entries[oldest].ver) < 0 {
				oldest = i
			}
		}
		if oldest < 0 {
			return
		}
		s.remove(oldest)
	}
}
