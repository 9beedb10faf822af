package record

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/gotribes/tribes/internal/bytediff"
)

// How attributes are merged. An entry consists of items: its base, made by the Set or
// Delete of its version, and its shares, each made by an Add. An item of one side is
// dead if the other side knows of that write but does not have it: it has removed or
// replaced it. An entry is dead if all its items are. Of two entries for a name the one
// with the higher version counts, unless it is dead: then the name is gone. Of two
// entries with the same version, the shares that are not dead stay.
//
// Only snapshots say what a side knows. Nothing that comes in a change is ever a reason
// to remove something, but for its version.

// attribute merges one attribute of the other side.
func (m *merger) attribute(a *Attribute) {
	i, found := m.find(a.Name)
	if found && m.entries[i].ver == a.Version {
		m.sameVersion(i, a)
		return
	}
	shares := m.living(a.Shares)
	lives := len(shares) > 0 || !m.Covers(a.Version)
	switch {
	case !found && lives:
		m.take(i, false, a, shares)
	case !found:
	case lives && a.Version.Compare(m.entries[i].ver) > 0:
		m.take(i, true, a, shares)
	case m.dead(&m.entries[i]):
		m.drop(i) // also what the other side has: it is older than what was removed
	}
}

// living returns the shares of the other side that are not known here.
func (m *merger) living(shares []Share) []Share {
	return slices.DeleteFunc(slices.Clone(shares), func(sh Share) bool { return m.Covers(sh.version()) })
}

// dead reports whether an entry that the other side does not have is dead.
func (m *merger) dead(e *entry) bool {
	return m.theirs.covers(e.ver) && !slices.ContainsFunc(e.shares(), func(sh Share) bool {
		return !m.theirs.covers(sh.version())
	})
}

// dropDead removes what the other side has removed and has no entry for.
func (m *merger) dropDead(theirs []Attribute) {
	for i := len(m.entries) - 1; i >= 0; i-- {
		name := m.entries[i].name.Value()
		_, there := slices.BinarySearchFunc(theirs, name, func(a Attribute, name string) int {
			return cmp.Compare(a.Name, name)
		})
		if !there && m.dead(&m.entries[i]) {
			m.drop(i)
		}
	}
}

// drop removes an entry and tells of it.
func (m *merger) drop(i int) {
	m.tell(&m.entries[i], func(*entry) { m.remove(i) }, true)
}

// take gives the entry at i the content of a, with the shares that live.
func (m *merger) take(i int, found bool, a *Attribute, shares []Share) {
	value, ok := a.Value, true
	if a.Kind == Diff {
		if value, ok = m.undiff(i, found, a); !ok {
			m.result.Missing = append(m.result.Missing, a.Name)
			return
		}
	}
	if !found {
		m.insert(i, a.Name)
	}
	m.update(&m.entries[i], func(e *entry) {
		e.ver, e.kind, e.value, e.sum = a.Version, a.Kind, nil, 0
		switch a.Kind {
		case Diff:
			e.kind, e.value, e.sum = Bytes, value, a.Sum
		case Bytes:
			e.value, e.sum = bytes.Clone(value), Checksum(value)
		}
		e.num = numberOf(a.Start, shares)
	})
}

// undiff makes the value of a difference. It fails if its base is not what the entry
// holds, or if the outcome is not what the sender had.
func (m *merger) undiff(i int, found bool, a *Attribute) ([]byte, bool) {
	if !found || m.entries[i].kind != Bytes || m.entries[i].ver != a.Base.Version {
		return nil, false
	}
	value, err := bytediff.Apply(m.entries[i].value, a.Value, a.Size)
	return value, err == nil && Checksum(value) == a.Sum
}

// sameVersion merges an entry that both sides have: the shares.
func (m *merger) sameVersion(i int, a *Attribute) {
	e := &m.entries[i]
	if c := e.compareContent(a); c != 0 {
		m.update(e, func(e *entry) {
			if c < 0 {
				e.kind, e.value, e.sum = a.Kind, bytes.Clone(a.Value), Checksum(a.Value)
				e.num = numberOf(a.Start, e.shares())
			}
		})
	}
	if len(a.Shares) == 0 && (len(e.shares()) == 0 || len(m.theirs) == 0) {
		return
	}
	shares, changed := m.mergeShares(e.shares(), a.Shares)
	if !changed {
		return
	}
	if len(shares) == 0 && e.ver.IsZero() {
		m.drop(i)
		return
	}
	m.update(e, func(e *entry) { e.num = numberOf(e.start(), shares) })
}

// compareContent orders what two sides hold for the same version. Honest nodes
// never differ in it; an order makes forged versions come out the same everywhere.
func (e *entry) compareContent(a *Attribute) int {
	if a.Kind == Diff {
		return 0
	}
	return cmp.Or(cmp.Compare(e.kind, a.Kind), cmp.Compare(e.start(), a.Start), bytes.Compare(e.value, a.Value))
}

// mergeShares merges the shares of an entry that both sides have.
func (m *merger) mergeShares(ours, theirs []Share) (merged []Share, changed bool) {
	for len(ours) > 0 || len(theirs) > 0 {
		switch side := compareHeads(ours, theirs); {
		case side < 0:
			if m.theirs.covers(ours[0].version()) {
				changed = true
			} else {
				merged = append(merged, ours[0])
			}
			ours = ours[1:]
		case side > 0:
			if !m.Covers(theirs[0].version()) {
				merged = append(merged, theirs[0])
				changed = true
			}
			theirs = theirs[1:]
		default:
			newest := ours[0]
			if cmp.Or(cmp.Compare(theirs[0].Counter, newest.Counter), cmp.Compare(theirs[0].Sum, newest.Sum)) > 0 {
				newest, changed = theirs[0], true
			}
			merged = append(merged, newest)
			ours, theirs = ours[1:], theirs[1:]
		}
	}
	return merged, changed
}

// compareHeads says on which side the next node comes first.
func compareHeads(ours, theirs []Share) int {
	switch {
	case len(theirs) == 0:
		return -1
	case len(ours) == 0:
		return 1
	}
	return ours[0].Node.Compare(theirs[0].Node)
}

// numberOf returns what an entry keeps besides its value: nothing, if it can.
func numberOf(start int64, shares []Share) *number {
	if start == 0 && len(shares) == 0 {
		return nil
	}
	return &number{start, shares}
}

// update changes an entry, with the books kept, and tells of it.
func (m *merger) update(e *entry, change func(e *entry)) {
	m.tell(e, func(e *entry) {
		m.count(e, -1)
		change(e)
		m.count(e, 1)
	}, false)
}

// tell changes an entry and makes an event of the difference, if the site wants it.
func (m *merger) tell(e *entry, change func(e *entry), gone bool) {
	if !m.site.events {
		change(e)
		return
	}
	name := e.name.Value()
	var before, after Value
	had, has := e.exists(), false
	if had {
		before = e.content()
	}
	change(e)
	if !gone && e.exists() {
		has, after = true, e.content()
	}
	switch {
	case has:
		m.event(Event{Kind: AttributeSet, Name: name, Old: before, New: after})
	case had:
		m.event(Event{Kind: AttributeRemoved, Name: name, Old: before})
	}
}
