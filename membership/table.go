package membership

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// DefaultTableLimit is the number of members a [Table] takes if not told
// otherwise.
const DefaultTableLimit = 4096

// ErrTableFull means that a member was not taken because the table has as many
// as it may hold.
var ErrTableFull = errors.New("tribes: membership: table full")

// Table is what a membership service knows of the others: who they are and
// when each was last heard. All times are readings of one clock given by the
// caller; their monotonic part counts, so a step of the wall clock neither
// keeps nor loses a member.
//
// A Table is safe for concurrent use. The zero Table is empty and ready.
type Table struct {
	// Limit is the number of members it takes; zero means DefaultTableLimit. It
	// must not change after the first use.
	Limit int

	view atomic.Pointer[View] // nil if it has to be made

	mu      sync.Mutex
	entries map[Key]*entry
	seq     uint64
	changed time.Time // time of the last change
}

type entry struct {
	member *Member
	alive  int64 // as of the last heartbeat, in ms
	heard  time.Time
}

// View returns the members, oldest first, with alive times as of the last
// change of the table.
func (t *Table) View() *View {
	if v := t.view.Load(); v != nil {
		return v
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.makeView()
}

// Heard notes a sign of life. It returns an event if m is new (Joined) or
// describes itself differently than before (Updated). A change of the alive
// time alone is no event. The error is ErrTableFull. A goodbye is not looked
// for: see [Member.Leaving] and Remove.
func (t *Table) Heard(m *Member, now time.Time) (ev Event, changed bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.entries[m.Key()]
	if e == nil {
		if len(t.entries) >= t.limit() {
			return Event{}, false, ErrTableFull
		}
		if t.entries == nil {
			t.entries = make(map[Key]*entry)
		}
		t.entries[m.Key()] = &entry{member: m, alive: m.attr.Alive, heard: now}
		t.change(now)
		return Event{Joined, m, now}, true, nil
	}
	e.alive, e.heard = m.attr.Alive, now
	if sameButAlive(e.member, m) {
		return Event{}, false, nil
	}
	e.member = m
	t.change(now)
	return Event{Updated, m, now}, true, nil
}

// Alive notes a sign of life that carries no description, such as a message,
// and reports whether the member is known.
func (t *Table) Alive(k Key, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.entries[k]
	if e == nil {
		return false
	}
	e.alive = later(e.alive, now.Sub(e.heard))
	e.heard = now
	return true
}

// Remove takes a member out and returns the event of that kind. It does
// nothing for a member that is not there.
func (t *Table) Remove(kind Kind, m *Member, now time.Time) (ev Event, changed bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.entries[m.Key()] == nil {
		return Event{}, false
	}
	delete(t.entries, m.Key())
	t.change(now)
	return Event{kind, m, now}, true
}

// Expire takes out all members that were silent for longer than drop and
// returns a Failed event for each, in absolute order.
func (t *Table) Expire(now time.Time, drop time.Duration) []Event {
	t.mu.Lock()
	defer t.mu.Unlock()
	var evs []Event
	for k, e := range t.entries {
		if now.Sub(e.heard) > drop {
			delete(t.entries, k)
			evs = append(evs, Event{Failed, e.member, now})
		}
	}
	if evs != nil {
		slices.SortFunc(evs, func(a, b Event) int { return CompareAbsolute(a.Member, b.Member) })
		t.change(now)
	}
	return evs
}

// Oldest returns when the member that has been silent longest was last heard;
// ok is false if the table is empty. Nothing can expire before that time plus
// the drop time.
func (t *Table) Oldest() (heard time.Time, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, e := range t.entries {
		if !ok || e.heard.Before(heard) {
			heard, ok = e.heard, true
		}
	}
	return heard, ok
}

// LastHeard returns when that member was last heard; ok is false if it is not
// in the table.
func (t *Table) LastHeard(k Key) (heard time.Time, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e := t.entries[k]; e != nil {
		return e.heard, true
	}
	return time.Time{}, false
}

func (t *Table) limit() int {
	if t.Limit > 0 {
		return t.Limit
	}
	return DefaultTableLimit
}

// change notes that the view is another one from now on. It is made when
// somebody asks for it, so that a flood of members costs no more than the table
// of them. It is called with mu held.
func (t *Table) change(now time.Time) {
	t.seq++
	t.changed = now
	t.view.Store(nil)
}

// makeView returns the view, with all alive times brought to the time of the last
// change so that they can be compared. It is called with mu held.
func (t *Table) makeView() *View {
	if v := t.view.Load(); v != nil {
		return v
	}
	v := &View{Seq: t.seq, Members: make([]*Member, 0, len(t.entries))}
	for _, e := range t.entries {
		v.Members = append(v.Members, e.member.withAlive(later(e.alive, t.changed.Sub(e.heard))))
	}
	slices.SortFunc(v.Members, CompareAge)
	t.view.Store(v)
	return v
}

// later is an alive time in milliseconds after d has passed, as long as the
// numbers reach: a member may claim anything.
func later(alive int64, d time.Duration) int64 {
	ms := d.Milliseconds()
	if sum := alive + ms; (sum > alive) == (ms > 0) {
		return sum
	}
	return alive
}

// sameButAlive compares all that a member tells but its alive time.
func sameButAlive(a, b *Member) bool {
	const end = aliveAt + 8
	return a.image[:aliveAt] == b.image[:aliveAt] && a.image[end:] == b.image[end:]
}
