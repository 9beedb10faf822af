package replmap

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/replmap/internal/tribeswire"
)

// reunite merges with a member that is back after it was lost, until that works or it is
// lost again. Of two members of this module the one with the lower id does it, the other
// finds nothing to do.
func (t *tribesMap) reunite(ctx context.Context, m *membership.Member) {
	mine, its := t.local().ID(), m.ID()
	wait := time.Duration(0)
	if bytes.Compare(mine[:], its[:]) > 0 {
		wait = t.cfg.Access / 2
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		t.mu.Lock()
		since, open := t.reuniting[its]
		t.mu.Unlock()
		if !open {
			return
		}
		all, err := t.stateOf(ctx, m)
		if err == nil {
			t.merge(ctx, m, all, since)
			return
		}
		t.log.Warn("entries could not be merged yet", "member", m, "err", err)
		wait = t.cfg.Access / 2
	}
}

// merge makes this member and another the same. What both have said otherwise is settled by
// the primary: its word counts. If both sides have one, or none, what was written here after
// this member had counted to since goes to the other, and of all else its own is taken. What
// is another member's business is left to that. since is 0 for one that was never seen.
func (t *tribesMap) merge(ctx context.Context, m *membership.Member, all []*tribeswire.Message, since uint64) {
	theirs := make(map[string]*tribeswire.Message, len(all))
	for _, x := range all {
		theirs[string(x.Key)] = x
	}
	if t.cfg.Lazy {
		t.mergeLazy(ctx, m, theirs, since)
		t.merged(m, since)
		return
	}
	for e := range t.table.All() {
		if theirs[e.Key] == nil {
			theirs[e.Key] = nil
		}
	}
	for key, x := range theirs {
		e, there := t.table.Get(key)
		switch {
		case x != nil && there && bytes.Equal(e.Value, x.Value):
			if t.settle(x) {
				t.tellAll(ctx, []*membership.Member{m}, key)
			}
			continue
		case x == nil && !there:
			continue
		}
		wins := t.wins(key, x, m, e.Gone, e.Version.Counter > since)
		if x == nil && since == 0 {
			wins = ours // it has started where it saw nobody, and Java nodes do not tell it
		}
		switch wins {
		case ours:
			t.tellAll(ctx, []*membership.Member{m}, key)
		case its:
			if x == nil {
				x = &tribeswire.Message{Type: tribeswire.Remove, Key: []byte(key)}
			}
			t.take(x, m.ID(), 0)
			t.n.repaired.Add(1)
			others, _ := t.members()
			others = slices.DeleteFunc(others, func(o *membership.Member) bool { return o.ID() == m.ID() })
			t.tellAll(ctx, others, key)
		}
	}
	t.merged(m, since)
}

// merged notes that a member that is back is merged with.
func (t *tribesMap) merged(m *membership.Member, since uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.reuniting[m.ID()] == since {
		delete(t.reuniting, m.ID())
	}
}

// tellAll is relay; who does not hear it is told later.
func (t *tribesMap) tellAll(ctx context.Context, to []*membership.Member, key string) {
	if len(to) == 0 {
		return
	}
	if t.relay(ctx, to, key) != nil {
		for _, m := range to {
			t.miss(m, key)
		}
	}
}

// side says whose word about an entry counts.
type side uint8

const (
	ours side = iota
	its
	neither // some other member's, who settles it with both
)

// wins says whose word about a key counts between this member and m, which says x, nil for
// nothing. gone says that it was deleted here, later that this or a write was after m was
// lost.
func (t *tribesMap) wins(key string, x *tribeswire.Message, m *membership.Member, gone, later bool) side {
	t.mu.Lock()
	defer t.mu.Unlock()
	local, other := t.local().ID(), m.ID()
	of := func(m *membership.Member) membership.ID {
		if !t.knows(m) {
			return membership.ID{}
		}
		return m.ID()
	}
	var here, there membership.ID
	if p := t.places[key]; p != nil {
		here = of(p.primary)
	}
	if x != nil {
		there = of(x.Primary)
	}
	_, open := t.reuniting[there]
	switch {
	case here == local && open && there != other:
		return neither // it is settled with who has it there
	case here == local && x != nil && there != other, gone && later:
		return ours
	case here == other:
		return its
	case !here.IsZero() && here != local:
		return neither
	case here.IsZero() && !there.IsZero() && there != local && there != other:
		return neither
	case later:
		return ours
	}
	return its
}

// settle makes two members that have the same entry agree on its primary: the lower one of
// two. It reports whether the other side is to be told.
func (t *tribesMap) settle(x *tribeswire.Message) (tell bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.place(string(x.Key))
	switch {
	case !t.knows(x.Primary):
		return t.knows(p.primary)
	case t.knows(p.primary):
		a, b := p.primary.ID(), x.Primary.ID()
		if c := bytes.Compare(a[:], b[:]); c <= 0 {
			return c < 0
		}
	}
	p.primary, p.nodes, p.orphan = x.Primary, x.Nodes, false
	return false
}
