package replmap

import (
	"context"
	"slices"
	"time"

	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/replmap/internal/tribeswire"
)

// keep returns the backup of a key that this member becomes the primary of: who is it
// already, or who has been the primary until now. The caller holds t.mu.
func (t *tribesMap) keep(p *place) []*membership.Member {
	for _, m := range append(slices.Clone(p.nodes), p.primary) {
		if m != nil && m.ID() != t.local().ID() && t.knows(m) {
			return []*membership.Member{m}
		}
	}
	return nil
}

// unbacked returns the keys of this member without a backup that is there.
func (t *tribesMap) unbacked() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var keys []string
	for key, p := range t.places {
		if p.known && p.primary != nil && p.primary.ID() == t.local().ID() && len(t.keep(p)) == 0 {
			keys = append(keys, key)
		}
	}
	return keys
}

// backUpAll gives keys of this member a backup, if somebody is there to be it.
func (t *tribesMap) backUpAll() {
	keys := t.unbacked()
	if others, _ := t.members(); len(keys) == 0 || len(others) == 0 {
		return
	}
	for i := range spreaders {
		t.later(func(ctx context.Context) {
			for j := i; j < len(keys); j += spreaders {
				to, _ := t.members()
				if t.spread(ctx, to, keys[j]) != nil {
					return
				}
			}
		})
	}
}

// spreaders is how many keys get a backup at the same time.
const spreaders = 4

// bereave notes that a member with some keys is gone. It returns those that this member has
// to take over, being their backup. The caller holds t.mu.
func (t *tribesMap) bereave(id membership.ID) (heir []string) {
	for key, p := range t.places {
		if !p.known {
			continue
		}
		p.nodes = without(p.nodes, id)
		if p.primary == nil || p.primary.ID() != id {
			continue
		}
		p.orphan = true
		if _, there := t.table.Get(key); there {
			heir = append(heir, key)
		}
	}
	return heir
}

// inherit takes over what has lost its primary: with a value of this member, or of the
// backup if that does not do it, as a Java node that has not counted the dead one among the
// members. What nobody has any more is forgotten.
func (t *tribesMap) inherit(keys []string) {
	if len(keys) == 0 {
		return
	}
	t.later(func(ctx context.Context) {
		waited := false
		for _, key := range keys {
			if !t.orphaned(key) {
				continue
			}
			if _, there := t.table.Get(key); there {
				t.own(key, nil)
				to, _ := t.members()
				if t.spread(ctx, to, key) != nil {
					return
				}
				continue
			}
			if !t.pause(ctx, &waited) || !t.orphaned(key) {
				continue
			}
			p, known := t.whose(key)
			if !known {
				continue
			}
			if _, _, err := t.find(ctx, key); err != nil && ctx.Err() == nil && (t.tried(key) >= maxAsked || !t.knowsAny(p.nodes)) {
				t.drop(key, p.told)
			}
		}
	})
}

// maxAsked is how often a value is asked for that those do not give who are to have it.
const maxAsked = 3

// tried counts how often a value was asked for in vain.
func (t *tribesMap) tried(key string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.place(key)
	p.tries++
	return p.tries
}

func (t *tribesMap) knowsAny(all []*membership.Member) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.ContainsFunc(all, t.knows)
}

// pause waits once, the longer the more members have a lower id, so that not all do the
// same. It reports whether ctx lasts.
func (t *tribesMap) pause(ctx context.Context, waited *bool) bool {
	if !*waited {
		*waited = true
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(t.rank()) * t.cfg.Access / 4):
		}
	}
	return ctx.Err() == nil
}

// drop forgets a key whose value is nowhere.
func (t *tribesMap) drop(key string, told int) {
	t.taking.Lock()
	defer t.taking.Unlock()
	if p, known := t.whose(key); known && p.told == told {
		t.log.Warn("the members that had the value of a key are gone", "key", key)
		t.forget(key)
	}
}

// mergeLazy is merge in a LazyReplicatedMap: all are the keys that the other member knows,
// without values.
func (t *tribesMap) mergeLazy(ctx context.Context, m *membership.Member, theirs map[string]*tribeswire.Message, since uint64) {
	for _, key := range t.keys() {
		if theirs[key] == nil {
			theirs[key] = nil
		}
	}
	for key, x := range theirs {
		p, known := t.whose(key)
		mine := known && samePrimary(p.primary, t.local())
		if x == nil && !known || x != nil && known && t.agrees(x) {
			continue
		}
		if x != nil && mine && samePrimary(x.Primary, p.primary) { // it has another backup there
			if t.spread(ctx, []*membership.Member{m}, key) != nil {
				return
			}
			continue
		}
		later := false
		for _, e := range t.table.States([]string{key}) {
			later = e.Version.Counter > since
		}
		wins := t.wins(key, x, m, !known, later)
		if x == nil && (since == 0 || mine) {
			wins = ours // it may have forgotten it with those that had the value there
		}
		switch wins {
		case ours:
			if _, there := t.table.Get(key); there {
				t.own(key, nil)
			} else if known {
				continue // its primary says what it is
			}
			others, _ := t.members()
			if t.spread(ctx, others, key) != nil {
				return
			}
		case its:
			if x == nil {
				x = &tribeswire.Message{Type: tribeswire.Remove, Key: []byte(key)}
			}
			t.n.repaired.Add(1)
			t.takeLazy(x, m, 0)
			if t.passOn(ctx, x, m) != nil {
				return
			}
		}
	}
}

// passOn tells the members that this one has been with whose a key is now, that m has told
// of. Its backup learns that from its primary.
func (t *tribesMap) passOn(ctx context.Context, x *tribeswire.Message, m *membership.Member) error {
	to, _ := t.members()
	to = slices.DeleteFunc(to, func(o *membership.Member) bool { return o.ID() == m.ID() || contains(x.Nodes, o.ID()) })
	return t.sendSome(ctx, to, &tribeswire.Message{Type: x.Type, Key: x.Key, Primary: x.Primary, Nodes: x.Nodes})
}

func samePrimary(a, b *membership.Member) bool {
	return a == b || a != nil && b != nil && a.ID() == b.ID()
}
