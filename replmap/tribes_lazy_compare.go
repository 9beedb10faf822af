package replmap

import (
	"bytes"
	"context"
	"time"

	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/replmap/internal/tribeswire"
)

// comparePings is how many pings there are between two comparisons.
const comparePings = 6

// compareNext asks one of the others after the other which keys there are and whose, so that
// what got lost without anybody having noticed is found.
func (t *tribesMap) compareNext() {
	if t.pings++; t.pings%comparePings != 0 {
		return
	}
	others, _ := t.members()
	if len(others) == 0 {
		return
	}
	m := others[t.pings/comparePings%len(others)]
	t.later(func(ctx context.Context) { t.compare(ctx, m) })
}

// compare settles with another member whose keys are which: of those of each, its word
// counts.
func (t *tribesMap) compare(ctx context.Context, m *membership.Member) {
	heard, stop := t.hear()
	defer stop()
	clock, lately := t.table.Clock(), time.Now().Add(-t.cfg.Access/2)
	all, err := t.stateOf(ctx, m)
	if err != nil {
		return
	}
	theirs := make(map[string]*tribeswire.Message, len(all))
	for _, x := range all {
		theirs[string(x.Key)] = x
	}
	for _, key := range t.keys() {
		if theirs[key] == nil {
			theirs[key] = &tribeswire.Message{Type: tribeswire.Remove, Key: []byte(key)}
		}
	}
	for key, x := range theirs {
		if heard(key) || t.fresh(m, key, clock, lately) || t.agrees(x) || t.apart(m) {
			continue
		}
		p, known := t.whose(key)
		if known && samePrimary(p.primary, m) && samePrimary(x.Primary, t.local()) {
			t.againLazy(ctx, key, nil) // each takes the other for the primary
			continue
		}
		switch t.counts(key, x, m) {
		case ours:
			if t.spread(ctx, []*membership.Member{m}, key) != nil {
				return
			}
		case its:
			t.takeLazy(x, m, 0)
		default:
			continue
		}
		t.n.repaired.Add(1)
	}
}

// counts says whose word about a key counts, of which m says x, and x is something else
// than what is here.
func (t *tribesMap) counts(key string, x *tribeswire.Message, m *membership.Member) side {
	p, known := t.whose(key)
	a, b := t.local().ID(), m.ID()
	switch {
	case known && samePrimary(p.primary, t.local()):
		if x.Type != tribeswire.Remove && samePrimary(x.Primary, m) && bytes.Compare(a[:], b[:]) > 0 {
			return its // both are the primary
		}
		if x.Type != tribeswire.Remove && !samePrimary(x.Primary, m) && !samePrimary(x.Primary, t.local()) && t.knowsAny([]*membership.Member{x.Primary}) {
			return neither // it may have moved there: who is said to be the primary settles it
		}
		return ours
	case known && samePrimary(p.primary, m), !known && samePrimary(x.Primary, m):
		return its
	}
	return neither
}
