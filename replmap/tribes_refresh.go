package replmap

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/replmap/internal/tribeswire"
)

// ear has the keys that were heard of since some moment.
type ear struct{ keys map[string]bool }

// hear begins to note which keys other members speak of: what is heard while a list of
// entries is on its way is newer.
func (t *tribesMap) hear() (heard func(key string) bool, stop func()) {
	mine := &ear{keys: make(map[string]bool)}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.hearing = append(t.hearing, mine)
	heard = func(key string) bool {
		t.mu.Lock()
		defer t.mu.Unlock()
		return mine.keys[key]
	}
	return heard, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.hearing = slices.DeleteFunc(t.hearing, func(e *ear) bool { return e == mine })
	}
}

// hears notes that a member has spoken of a key. The caller holds t.mu.
func (t *tribesMap) hears(key string, sent int64) {
	if sent == 0 {
		return // out of a list
	}
	for _, e := range t.hearing {
		e.keys[key] = true
	}
}

// sees notes that a member has this one among its members.
func (t *tribesMap) sees(id membership.ID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.provider != nil {
		t.seen[id] = true
	}
}

// refreshed asks for all entries once more after the start, when all that have the map have
// this member among theirs: a Java node that does not see it yet ignores that it starts,
// and what it writes until it does goes to the others alone.
func (t *tribesMap) refreshed() {
	t.mu.Lock()
	m := t.provider
	if m == nil {
		t.mu.Unlock()
		return
	}
	for _, o := range t.others {
		if !t.seen[o.ID()] {
			t.mu.Unlock()
			return
		}
	}
	if t.seenAll.IsZero() { // the next time: the last answer may be on its way
		t.seenAll = time.Now()
		t.mu.Unlock()
		return
	}
	t.provider, t.seen = nil, make(map[membership.ID]bool)
	if !t.knows(m) && len(t.others) > 0 {
		m = t.others[0]
	}
	there, since := t.knows(m), t.seenAll
	t.mu.Unlock()
	if there {
		t.later(func(ctx context.Context) { t.refresh(ctx, m, since) })
	}
}

// refresh makes what this member has not written or heard just now what another one has.
// since is when all others had this member among theirs: what it has heard after that is
// newer than what it may have missed.
func (t *tribesMap) refresh(ctx context.Context, m *membership.Member, since time.Time) {
	heard, stop := t.hear()
	defer stop()
	clock := t.table.Clock()
	all, err := t.stateOf(ctx, m)
	if err != nil {
		t.log.Debug("entries could not be compared", "member", m, "err", err)
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
		if heard(key) || t.fresh(m, key, clock, since) || t.agrees(x) {
			continue
		}
		if !t.cfg.Lazy && (t.stands(ctx, key, x, m) || heard(key)) {
			continue
		}
		t.n.repaired.Add(1)
		switch {
		case t.cfg.Lazy:
			t.takeLazy(x, m, 0)
		case samePrimary(x.Primary, t.local()) && samePrimary(t.primary(key), t.local()):
			t.tellAll(ctx, []*membership.Member{m}, key) // both say that it is of this member
		default:
			t.take(x, m.ID(), 0)
		}
	}
}

// stands reports whether who has written an entry last, as far as is known here, has it as
// it is here, though m says something else of it: what could not be sent to m yet.
func (t *tribesMap) stands(ctx context.Context, key string, x *tribeswire.Message, m *membership.Member) bool {
	p, _ := t.whose(key)
	e, there := t.table.Get(key)
	writer := []*membership.Member{p.primary}
	if !there || samePrimary(p.primary, t.local()) || samePrimary(p.primary, m) || samePrimary(x.Primary, m) || !t.knowsAny(writer) {
		return false
	}
	_, answers, _ := t.call(ctx, writer, t.cfg.Timeout, &tribeswire.Message{Type: tribeswire.Retrieve, Key: []byte(key)})
	return len(answers) > 0 && bytes.Equal(answers[0].Value, e.Value)
}

// fresh reports whether a key was written after the clock was read, or heard of since some
// moment, or m does not know yet what was written.
func (t *tribesMap) fresh(m *membership.Member, key string, clock uint64, since time.Time) bool {
	for _, e := range t.table.States([]string{key}) {
		if e.Version.Counter > clock {
			return true
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.places[key]
	_, missed := t.missed[m.ID()][key]
	return missed || p != nil && (p.flying > 0 || p.learned.After(since))
}

// agrees reports whether a key is here what a message says.
func (t *tribesMap) agrees(x *tribeswire.Message) bool {
	p, known := t.whose(string(x.Key))
	e, there := t.table.Get(string(x.Key))
	switch {
	case x.Type == tribeswire.Remove:
		return !known
	case !known || !samePrimary(p.primary, x.Primary):
		return false
	case !t.cfg.Lazy:
		return there && bytes.Equal(e.Value, x.Value)
	}
	return len(p.nodes) == len(x.Nodes) && (len(p.nodes) == 0 || p.nodes[0].ID() == x.Nodes[0].ID())
}
