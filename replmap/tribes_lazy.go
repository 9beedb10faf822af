package replmap

import (
	"context"
	"errors"
	"slices"

	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
	"github.com/gotribes/tribes/replmap/internal/entry"
	"github.com/gotribes/tribes/replmap/internal/tribeswire"
)

// In a LazyReplicatedMap a key has a primary and a backup, which have its value, and all
// others have a proxy: they know whose the key is. What this member is for a key follows
// from its place and the table: the primary if the place says so, else the backup if the
// table has a value, else a proxy.

// publishLazy is publish in a LazyReplicatedMap. What another member has said between the
// write and now is before the write: so the value is written again if it was taken away.
func (t *tribesMap) publishLazy(ctx context.Context, e *entry.Entry) error {
	to, _ := t.members()
	err := t.flying(e.Key, true, e, func() error {
		end, err := t.sending.take(ctx, e.Key)
		if err != nil {
			t.claim(e) // it is told when they answer
			for _, m := range to {
				t.miss(m, e.Key)
			}
			return err
		}
		defer end()
		t.claim(e)
		return t.spreadNow(ctx, to, e.Key, true)
	})
	if len(to) == 0 {
		t.n.alone.Add(1)
	}
	return err
}

// claim makes this member the primary of what it has written, or the key unknown.
func (t *tribesMap) claim(e *entry.Entry) {
	t.taking.Lock()
	defer t.taking.Unlock()
	now, there := t.table.Get(e.Key)
	p, known := t.whose(e.Key)
	mine := known && p.primary != nil && p.primary.ID() == t.local().ID()
	if now.Version != e.Version && (!mine || !there) {
		t.table.Write(entry.Entry{Key: e.Key, Value: e.Value, Gone: e.Gone, Lifetime: entry.Forever}, nil)
		there = !e.Gone
	}
	if there {
		t.own(e.Key, nil)
	} else {
		t.forget(e.Key)
	}
}

// spread tells members what a key of this member is: one of them gets the value, as its
// backup, the others learn whose it is, or all that it is gone. Nothing is said about a key
// of another member. Who cannot be told is told later. The error is the cause of ctx.
func (t *tribesMap) spread(ctx context.Context, to []*membership.Member, key string) error {
	return t.flying(key, true, nil, func() error {
		end, err := t.sending.take(ctx, key)
		if err != nil {
			return err
		}
		defer end()
		return t.spreadNow(ctx, to, key, false)
	})
}

// spreadNow is spread for a caller whose turn it is. If another member becomes the primary
// while the backup gets the value, no other hears of this one, unless it has written the value.
func (t *tribesMap) spreadNow(ctx context.Context, to []*membership.Member, key string, writes bool) error {
	p, known := t.whose(key)
	if !known {
		return t.sendSome(ctx, to, &tribeswire.Message{Type: tribeswire.Remove, Key: []byte(key)})
	}
	e, there := t.table.Get(key)
	if !there || p.primary == nil || p.primary.ID() != t.local().ID() {
		return nil
	}
	nodes, moved, err := t.backUp(ctx, &e, p.nodes, to)
	if err != nil {
		return err
	}
	if p, known = t.whose(key); !writes && !(known && samePrimary(p.primary, t.local())) {
		return nil
	}
	if moved {
		to, _ = t.members()
	}
	rest := slices.DeleteFunc(slices.Clone(to), func(m *membership.Member) bool { return contains(nodes, m.ID()) })
	return t.sendSome(ctx, rest, &tribeswire.Message{Type: tribeswire.Proxy, Key: []byte(key), Primary: t.local(), Nodes: nodes})
}

// backUp gives a value to the backup of its key, if that is among those to be told, or to
// the next member that takes it. It returns the backup, and whether that is another one
// than before.
func (t *tribesMap) backUp(ctx context.Context, e *entry.Entry, nodes, to []*membership.Member) (now []*membership.Member, moved bool, err error) {
	others, _ := t.members()
	if len(nodes) > 0 && contains(others, nodes[0].ID()) {
		if !contains(to, nodes[0].ID()) {
			return nodes[:1], false, nil
		}
		others = append([]*membership.Member{nodes[0]}, without(t.inTurn(others), nodes[0].ID())...)
	} else {
		others = t.inTurn(others)
	}
	for _, m := range others {
		now = []*membership.Member{m}
		err := t.send(ctx, now, &tribeswire.Message{Type: tribeswire.Backup, Key: []byte(e.Key), Value: e.Value, Primary: t.local(), Nodes: now})
		if err == nil {
			moved = len(nodes) == 0 || nodes[0].ID() != m.ID()
			t.backed(e.Key, now, moved)
			return now, moved, nil
		}
		t.notTold(m, e.Key, err)
		if ctx.Err() != nil {
			return nil, false, context.Cause(ctx)
		}
	}
	t.n.alone.Add(1)
	t.backed(e.Key, nil, false)
	return nil, len(nodes) > 0, nil
}

// backed notes the backup of a key of this member.
func (t *tribesMap) backed(key string, nodes []*membership.Member, moved bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if p := t.places[key]; p != nil && p.primary != nil && p.primary.ID() == t.local().ID() {
		p.nodes = nodes
	}
	if moved {
		t.wrote(key)
	}
}

// notTold notes that a member could not be told what a key is.
func (t *tribesMap) notTold(m *membership.Member, key string, err error) {
	t.n.leftOut.Add(1)
	t.miss(m, key)
	t.log.Warn("entry did not arrive, and is sent again when the member answers", "member", m, "err", err)
}

// sendSome sends to members, and notes which could not be told. The error is the cause of
// ctx.
func (t *tribesMap) sendSome(ctx context.Context, to []*membership.Member, m *tribeswire.Message) error {
	if len(to) == 0 {
		return nil
	}
	err := t.send(ctx, to, m)
	var failed *message.SendError
	switch {
	case err == nil:
	case errors.As(err, &failed):
		for _, r := range failed.Results {
			if !r.Outcome.OK() {
				t.notTold(r.Member, string(m.Key), r.Err)
			}
		}
	default: // who has it, nobody knows
		for _, x := range to {
			t.miss(x, string(m.Key))
		}
		return err
	}
	return nil
}

// inTurn returns members, beginning with another one each time.
func (t *tribesMap) inTurn(all []*membership.Member) []*membership.Member {
	if len(all) == 0 {
		return nil
	}
	i := int(t.turn.Add(1) % uint64(len(all)))
	return append(slices.Clone(all[i:]), all[:i]...)
}

// whose returns a copy of the place of a key, and whether the key is known.
func (t *tribesMap) whose(key string) (place, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.places[key]
	if p == nil || !p.known {
		return place{}, false
	}
	return *p, true
}

func contains(all []*membership.Member, id membership.ID) bool {
	return slices.ContainsFunc(all, func(m *membership.Member) bool { return m.ID() == id })
}

func without(all []*membership.Member, id membership.ID) []*membership.Member {
	return slices.DeleteFunc(slices.Clone(all), func(m *membership.Member) bool { return m.ID() == id })
}

func (t *tribesMap) keys() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := make([]string, 0, len(t.places))
	for key, p := range t.places {
		if p.known {
			all = append(all, key)
		}
	}
	return all
}
