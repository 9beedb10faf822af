package record

import (
	"bytes"
	"time"
)

// Result says what a merge has done.
type Result struct {
	Changed bool     // the digest is another one now
	Ended   bool     // the session has ended, before or by this merge
	Gap     bool     // an earlier change of the same node is missing: ask for a snapshot
	Missing []string // attributes of which the old value is missing: ask for a snapshot
	Events  []Event  // what changed, for who keeps an index or has listeners
}

// EventKind says what an event is about.
type EventKind uint8

// The kinds of events. Those of attributes are told only if the site asks for them.
const (
	AttributeSet     EventKind = 1 + iota // Name, Old (if there was one), New
	AttributeRemoved                      // Name, Old
	IDAdded                               // Name is an id that leads to the session now
	IDDropped                             // Name is an id that no longer does
	SessionEnded                          // last of a session
)

// Event is one thing that a merge has changed. Values are shared with the session.
type Event struct {
	Kind     EventKind
	Name     string
	Old, New Value
}

// Merge takes a change from another node. It is merged even if the changes before it
// are missing, which the result then says; so a change is never lost for being early,
// late or repeated. What was written here and not taken yet stays, unless the change
// ends the session. The change is borrowed: what the session keeps of it is copied.
//
// With an error (a limit, ErrCounter, ErrOtherSession) nothing has changed.
func (s *Session) Merge(c *Change, now time.Duration) (Result, error) {
	if c.Key != s.key {
		return Result{}, ErrOtherSession
	}
	if err := s.admit(&c.Parts, c.To); err != nil {
		return Result{}, err
	}
	m := merger{Session: s, before: s.digest}
	m.parts(&c.Parts, now)
	switch {
	case s.hasEnded:
		// No more is asked about a session that has ended.
		s.see(Mark{c.Origin, c.To})
	case s.seen(c.Origin) < c.From:
		m.result.Gap = true
	case len(m.result.Missing) == 0:
		s.see(Mark{c.Origin, c.To})
	}
	return m.end(), nil
}

// MergeSnapshot takes all that another node has of the session. Afterwards everything
// that the other node knew is known here: attributes that it had removed are removed
// too. Otherwise it is like [Session.Merge].
func (s *Session) MergeSnapshot(sn *Snapshot, now time.Duration) (Result, error) {
	return s.mergeSnapshot(sn, now, MaxCounter)
}

// MergeStored is [Session.MergeSnapshot] of what is stored in a place that has one writer
// after the other, by a node that is about to write there: what was written here, and is
// not in the snapshot, comes later than all that is, as far as it was written after
// [Session.Written] was since. Others must not know of it yet.
func (s *Session) MergeStored(sn *Snapshot, now time.Duration, since uint64) (Result, error) {
	return s.mergeSnapshot(sn, now, since)
}

// Written counts what this node has written to the session. It never goes back.
func (s *Session) Written() uint64 { return s.seen(s.site.node) }

func (s *Session) mergeSnapshot(sn *Snapshot, now time.Duration, since uint64) (Result, error) {
	if sn.Key != s.key {
		return Result{}, ErrOtherSession
	}
	if err := checkLimit(ErrTooManyNodes, len(sn.Marks), s.site.limits.Nodes); err != nil {
		return Result{}, err
	}
	var top uint64
	for _, mark := range sn.Marks {
		top = max(top, mark.Counter)
	}
	if err := s.admit(&sn.Parts, top); err != nil {
		return Result{}, err
	}
	m := merger{Session: s, before: s.digest, theirs: sn.Marks, since: since}
	if !s.hasEnded && sn.End.Version.IsZero() {
		if since < s.Written() {
			if err := m.prevail(&sn.Parts); err != nil {
				return Result{}, err
			}
		}
		m.dropDead(sn.Attributes)
	}
	m.parts(&sn.Parts, now)
	if len(m.result.Missing) == 0 {
		for _, mark := range sn.Marks {
			s.see(mark)
		}
	}
	return m.end(), nil
}

// ApplyEnd takes the end of the session from another node. It is like [Session.Merge] of
// a change that has nothing else; it says nothing about what that node wrote before.
func (s *Session) ApplyEnd(e End) (Result, error) {
	if err := s.admit(&Parts{End: e}, 0); err != nil {
		return Result{}, err
	}
	m := merger{Session: s, before: s.digest}
	m.over(e)
	return m.end(), nil
}

// admit checks a change before anything of it is taken.
func (s *Session) admit(p *Parts, top uint64) error {
	for v := range p.versions {
		top = max(top, v.Counter)
	}
	if err := s.checkCounter(top); err != nil {
		return err
	}
	if err := s.checkParts(p); err != nil {
		return err
	}
	s.clock = max(s.clock, top)
	return nil
}

// versions goes through all versions in p.
func (p *Parts) versions(yield func(Version) bool) {
	for i := range p.Attributes {
		a := &p.Attributes[i]
		if !yield(a.Version) {
			return
		}
		for _, sh := range a.Shares {
			if !yield(sh.version()) {
				return
			}
		}
	}
	for _, id := range p.IDs {
		if !yield(id.Version) {
			return
		}
	}
	_ = yield(p.Timeout.Version) && yield(p.Principal.Version) && yield(p.Touch.Version) && yield(p.End.Version)
}

// checkCounter refuses counters that would use up the numbers of the session. A
// session that nothing is known of has to believe the first it hears, but even then
// it keeps half of all numbers.
func (s *Session) checkCounter(c uint64) error {
	highest := uint64(MaxCounter / 2)
	if s.clock > 0 {
		highest = min(s.clock+MaxStep, MaxCounter)
	}
	if c > highest {
		return ErrCounter
	}
	return nil
}

func (s *Session) checkParts(p *Parts) error {
	l := &s.site.limits
	size := len(p.Principal.Value)
	for i := range p.Attributes {
		a := &p.Attributes[i]
		if err := s.checkName(a.Name); err != nil {
			return err
		}
		if err := checkLimit(ErrValueTooLarge, a.valueSize(), l.Value); err != nil {
			return err
		}
		size += a.cost()
	}
	for _, id := range p.IDs {
		if err := checkLimit(ErrIDTooLong, len(id.Text), l.ID); err != nil {
			return err
		}
		size += idCost + len(id.Text)
	}
	if err := checkLimit(ErrValueTooLarge, len(p.Principal.Value), l.Value); err != nil {
		return err
	}
	return s.checkExcess(p, size)
}

// checkExcess refuses what could take the session far above its limits.
func (s *Session) checkExcess(p *Parts, size int) error {
	l := &s.site.limits
	maxBytes, maxCount := excess*l.Bytes, excess*l.Attributes+l.Removed
	size += s.Size()
	count := s.Len() + len(p.Attributes)
	if size <= maxBytes && count <= maxCount {
		return nil
	}
	// Closer: what the attributes in the change would replace does not count.
	for i := range p.Attributes {
		if j, found := s.find(p.Attributes[i].Name); found {
			size -= s.entries[j].cost()
			if s.entries[j].exists() {
				count--
			}
		}
	}
	if err := checkLimit(ErrSessionTooLarge, size, maxBytes); err != nil {
		return err
	}
	return checkLimit(ErrTooManyAttributes, count, maxCount)
}

func (a *Attribute) valueSize() int {
	if a.Kind == Diff {
		return a.Size
	}
	return len(a.Value)
}

func (a *Attribute) cost() int {
	return entryCost + len(a.Name) + a.valueSize() + shareCost*len(a.Shares)
}

// merger is one merge.
type merger struct {
	*Session
	theirs context // what the other side knows; nothing if it sent a change
	since  uint64  // what was written here with a higher counter is later than what the other side has
	before uint64
	result Result
}

func (m *merger) end() Result {
	m.trim()
	m.result.Changed = m.digest != m.before
	m.result.Ended = m.hasEnded
	return m.result
}

func (m *merger) event(e Event) { m.result.Events = append(m.result.Events, e) }

// parts merges everything but marks.
func (m *merger) parts(p *Parts, now time.Duration) {
	if !p.End.Version.IsZero() {
		m.over(p.End)
	}
	if m.hasEnded {
		return
	}
	m.grow(len(p.Attributes))
	for i := range p.Attributes {
		m.attribute(&p.Attributes[i])
	}
	for _, id := range p.IDs {
		added, dropped := m.addID(id)
		if added != "" {
			m.event(Event{Kind: IDAdded, Name: added})
		}
		if dropped != "" {
			m.event(Event{Kind: IDDropped, Name: dropped})
		}
	}
	if p.Timeout.compare(m.timeout) > 0 {
		m.setTimeout(p.Timeout)
	}
	if v := p.Principal.Version; !v.IsZero() && p.Principal.compare(m.rarely().principal) > 0 {
		m.setPrincipal(Principal{v, bytes.Clone(p.Principal.Value)})
	}
	m.applyTouch(p.Touch, now)
}

// over ends the session, or keeps the newer of two ends.
func (m *merger) over(e End) {
	if m.hasEnded {
		if e.compare(m.rare.end) > 0 {
			m.rare.end = e
		}
		return
	}
	for id := range m.ids {
		m.event(Event{Kind: IDDropped, Name: id.Text})
	}
	m.event(Event{Kind: SessionEnded})
	m.finish(e)
}
