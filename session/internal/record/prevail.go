package record

// prevail gives what was written here, and the other side does not know, a version above
// what it has of the same part and was not known here.
func (m *merger) prevail(p *Parts) error {
	for i := range p.Attributes {
		a := &p.Attributes[i]
		if at, found := m.find(a.Name); found && m.unknown(m.entries[at].ver, a.Version) {
			if err := m.rewrite(&m.entries[at]); err != nil {
				return err
			}
		}
	}
	if t := m.timeout; m.unknown(t.Version, p.Timeout.Version) {
		v, err := m.write(unsentTimeout)
		if err != nil {
			return err
		}
		m.setTimeout(Timeout{v, t.After})
	}
	if m.rare == nil || !m.unknown(m.rare.principal.Version, p.Principal.Version) {
		return nil
	}
	v, err := m.write(unsentPrincipal)
	if err != nil {
		return err
	}
	m.setPrincipal(Principal{v, m.rare.principal.Value})
	return nil
}

// unknown reports whether a write of this node and one of the other side did not know of
// each other, and the other one would win.
func (m *merger) unknown(ours, theirs Version) bool {
	return ours.Node == m.site.node && ours.Counter > m.since && !m.theirs.covers(ours) && !m.Covers(theirs) && theirs.Compare(ours) > 0
}

// rewrite gives an entry a new version.
func (s *Session) rewrite(e *entry) error {
	v, err := s.write(unsentEntries)
	if err != nil {
		return err
	}
	s.count(e, -1)
	e.ver, e.unsent = v, true
	s.count(e, 1)
	return nil
}
