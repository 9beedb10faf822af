package record

import "slices"

// seen returns up to which counter all writes of a node are known.
func (s *Session) seen(n Node) uint64 {
	if s.mark.Node == n {
		return s.mark.Counter
	}
	if s.rare != nil {
		for _, m := range s.rare.marks {
			if m.Node == n {
				return m.Counter
			}
		}
	}
	return 0
}

// see notes that all writes of a node up to a counter are known.
func (s *Session) see(m Mark) {
	if m.Counter == 0 {
		return // nothing: no node writes at 0
	}
	if s.mark.Node.IsZero() || s.mark.Node == m.Node {
		s.mark = Mark{m.Node, max(m.Counter, s.mark.Counter)}
		return
	}
	r := s.rarely()
	for i := range r.marks {
		if r.marks[i].Node == m.Node {
			r.marks[i].Counter = max(r.marks[i].Counter, m.Counter)
			return
		}
	}
	if len(r.marks)+1 < s.site.limits.Nodes {
		r.marks = append(r.marks, m)
		return
	}
	s.forgetMark()
	s.see(m)
}

// forgetMark makes room by forgetting the node that has not written for longest,
// except the local one. What is lost is small: a change of that node asks for a
// needless fetch, and a name that was removed could come back from a node that has
// missed its removal and everything since.
func (s *Session) forgetMark() {
	r := s.rarely()
	all := append(r.marks, s.mark)
	oldest := -1
	for i, m := range all {
		if m.Node != s.site.node && (oldest < 0 || m.Counter < all[oldest].Counter) {
			oldest = i
		}
	}
	if oldest < 0 {
		oldest = 0
	}
	all = slices.Delete(all, oldest, oldest+1)
	s.mark, r.marks = Mark{}, all
	if n := len(all); n > 0 {
		s.mark, r.marks = all[n-1], all[:n-1]
	}
}

// WrittenBy reports whether a write of a node is known.
func (s *Session) WrittenBy(n Node) bool { return s.seen(n) > 0 }

// Covers reports whether the write is known here: it is in the session, or it was
// replaced or removed. The zero version is always known.
func (s *Session) Covers(v Version) bool { return v.Counter <= s.seen(v.Node) }

// marksInOrder returns all marks in order of nodes.
func (s *Session) marksInOrder() []Mark {
	var all []Mark
	if !s.mark.Node.IsZero() {
		all = append(all, s.mark)
	}
	if s.rare != nil {
		all = append(all, s.rare.marks...)
	}
	slices.SortFunc(all, compareMarks)
	return all
}

func compareMarks(a, b Mark) int { return a.Node.Compare(b.Node) }

// context is what the other side of a merge knows: the marks of a snapshot, in order
// of nodes. A change has none: what is not in it may well exist.
type context []Mark

func (c context) covers(v Version) bool {
	if v.IsZero() {
		return true
	}
	i, found := slices.BinarySearchFunc(c, Mark{Node: v.Node}, compareMarks)
	return found && v.Counter <= c[i].Counter
}
