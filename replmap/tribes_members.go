package replmap

import (
	"context"
	"slices"
	"time"

	"github.com/gotribes/tribes/group"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/replmap/internal/tribeswire"
)

// departures is told of members that go.
type departures struct{ t *tribesMap }

// MemberEvent implements channel.MembershipListener.
func (d departures) MemberEvent(_ context.Context, ev membership.Event) {
	if ev.Kind == membership.Left || ev.Kind == membership.Failed {
		d.t.gone(ev.Member.ID(), ev.Kind == membership.Failed)
	}
}

// ping asks all members now and then whether they have the map.
func (t *tribesMap) ping(ctx context.Context) {
	tick := time.NewTicker(t.cfg.Access)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if !t.ready() {
			continue
		}
		t.asksAll()
		from, answers, all := t.call(ctx, t.group.View().Members, t.cfg.Access, &tribeswire.Message{Type: tribeswire.Ping, Primary: t.local()})
		for i, m := range from {
			if s, err := tribeswire.StateOf(answers[i].Value); err == nil && s == tribeswire.Initialized && !t.wentSince(m) {
				t.found(m, true)
				t.catchUp(m)
				if !t.cfg.Lazy {
					t.introduce(m)
				}
			}
		}
		if t.cfg.Lazy {
			t.unspare()
			t.compareNext()
		}
		t.tidy()
		t.refreshed()
		t.unseen()
		t.absent(all)
		t.adopt()
	}
}

// absent notes who does not have the map any more by the answers to the question whether
// they have it.
func (t *tribesMap) absent(all []group.Answer) {
	for i := range all {
		if t.cameSince(all[i].Member) {
			continue
		}
		if o := all[i].Outcome; o == group.CallNoHandler || o == group.CallTimedOut || o == group.CallSendFailed {
			t.gone(all[i].Member.ID(), o != group.CallNoHandler)
		}
	}
}

// found notes that a member has the map. met says that nobody has seen it start: it was
// lost, or has started where it could not be seen.
func (t *tribesMap) found(m *membership.Member, met bool) {
	t.mu.Lock()
	if t.closed || m.ID() == t.local().ID() || slices.ContainsFunc(t.others, func(x *membership.Member) bool { return x.ID() == m.ID() }) {
		t.mu.Unlock()
		return
	}
	t.others = append(slices.Clip(t.others), m)
	t.came[m.ID()] = true
	since, back := t.lost[m.ID()]
	delete(t.lost, m.ID())
	if back || met {
		t.reuniting[m.ID()] = since
	}
	mine := t.local().ID()
	for _, p := range t.places {
		if !t.cfg.Lazy && p.primary != nil && p.primary.ID() == mine {
			p.nodes = append(slices.Clip(p.nodes), m)
		}
	}
	for _, r := range t.recent { // it may have got its entries before them, from who knew it earlier
		p := t.places[r.key] // what is gone others may have put since
		if !back && time.Since(r.at) < recentTime && p != nil && p.known {
			t.missLocked(m.ID(), r.key)
		}
	}
	t.mu.Unlock()
	t.log.Info("member has the map", "member", m, "again", back)
	if t.cfg.Lazy {
		t.backUpAll()
	}
	if back || met {
		t.later(func(ctx context.Context) { t.reunite(ctx, m) })
	}
}

// asksAll begins to note who comes and goes while all are asked whether they have the map.
func (t *tribesMap) asksAll() {
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(t.went)
	clear(t.came)
}

// wentSince reports whether a member went after all were asked: then its answer is from
// before.
func (t *tribesMap) wentSince(m *membership.Member) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.went[m.ID()]
}

// cameSince reports whether a member was found after all were asked.
func (t *tribesMap) cameSince(m *membership.Member) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.came[m.ID()]
}

// introduce lists the entries of this member to one that has them all by now, once.
func (t *tribesMap) introduce(m *membership.Member) {
	t.mu.Lock()
	var keys []string
	for key, p := range t.places {
		if p.primary != nil && p.primary.ID() == t.local().ID() && !t.listed[m.ID()] {
			keys = append(keys, key)
		}
	}
	t.listed[m.ID()] = true
	t.mu.Unlock()
	if len(keys) > 0 {
		t.later(func(ctx context.Context) { t.list(ctx, m, keys) })
	}
}

// unseen drops those that the group does not see: who has left while a message of it was
// on its way.
func (t *tribesMap) unseen() {
	view := t.group.View().Members
	others, _ := t.members()
	for _, m := range others {
		if !slices.ContainsFunc(view, func(x *membership.Member) bool { return x.ID() == m.ID() }) {
			t.gone(m.ID(), true)
		}
	}
}

// list tells a member who has the entries of this one, so that the first that is left takes
// them over. What a new member got by its state transfer does not name it.
func (t *tribesMap) list(ctx context.Context, m *membership.Member, keys []string) {
	for _, key := range keys {
		t.mu.Lock()
		p := t.places[key]
		mine := p != nil && p.primary != nil && p.primary.ID() == t.local().ID()
		var nodes []*membership.Member
		if mine {
			nodes = p.nodes
		}
		t.mu.Unlock()
		if !mine {
			continue
		}
		x := &tribeswire.Message{Type: tribeswire.Notify, Key: []byte(key), Primary: t.local(), Nodes: nodes}
		if err := t.flying(key, false, nil, func() error { return t.send(ctx, []*membership.Member{m}, x) }); err != nil {
			t.log.Debug("member does not know who has the entries", "member", m, "err", err)
			return
		}
	}
}

// gone notes that a member does not have the map any more: its entries are taken over
// where this member is the first that has them. One that was lost may come back as it was.
func (t *tribesMap) gone(id membership.ID, lost bool) {
	t.mu.Lock()
	i := slices.IndexFunc(t.others, func(x *membership.Member) bool { return x.ID() == id })
	if i < 0 {
		t.mu.Unlock()
		return
	}
	t.log.Info("member has the map no more", "member", t.others[i])
	t.went[id] = true
	t.others = slices.Delete(slices.Clone(t.others), i, i+1)
	if lost {
		since := t.table.Clock()
		for key := range t.missed[id] {
			since = min(since, t.before(key))
		}
		for key, p := range t.places {
			if p.values > 0 {
				since = min(since, t.before(key))
			}
		}
		if s, open := t.reuniting[id]; open {
			since = min(since, s)
		}
		t.lose(id, since)
	}
	delete(t.reuniting, id)
	delete(t.missed, id)
	delete(t.listed, id)
	if t.cfg.Lazy {
		heir := t.bereave(id)
		t.mu.Unlock()
		t.inherit(heir)
		t.backUpAll()
		return
	}
	var mine, orphans []string
	for key, p := range t.places {
		p.nodes = slices.DeleteFunc(slices.Clone(p.nodes), func(x *membership.Member) bool { return x.ID() == id })
		switch {
		case p.primary == nil:
		case p.primary.ID() == t.local().ID():
			mine = append(mine, key)
		case p.primary.ID() == id:
			p.orphan = true
			if len(p.nodes) > 0 && p.nodes[0].ID() == t.local().ID() {
				orphans = append(orphans, key)
			}
		}
	}
	others := t.others
	t.mu.Unlock()
	t.adoptAll(orphans)
	for _, m := range others { // a Java node does not take over while a dead one stands before it
		t.later(func(ctx context.Context) { t.list(ctx, m, mine) })
	}
}

// lose notes a lost member; of many those that were lost first are forgotten. The caller
// holds t.mu.
func (t *tribesMap) lose(id membership.ID, since uint64) {
	t.lost[id] = since
	for len(t.lost) > maxLost {
		oldest := id
		for x, s := range t.lost {
			if s < t.lost[oldest] {
				oldest = x
			}
		}
		delete(t.lost, oldest)
	}
}

// maxLost is how many lost members are remembered.
const maxLost = 256

// adopt takes over entries whose primary is gone and that nobody has taken over since the
// last time.
func (t *tribesMap) adopt() {
	t.mu.Lock()
	var mine []string
	for key, p := range t.places {
		switch {
		case !p.orphan:
		case p.primary == nil:
			mine = append(mine, key)
		default:
			if p.orphan = !t.knows(p.primary); p.orphan {
				p.primary = nil // somebody else may have taken it over until the next time
			}
		}
	}
	t.mu.Unlock()
	if t.cfg.Lazy {
		t.inherit(mine)
		t.backUpAll()
		return
	}
	t.adoptAll(mine)
}

// knows reports whether a member can be a primary. The caller
// holds t.mu.
func (t *tribesMap) knows(m *membership.Member) bool {
	return m != nil && (m.ID() == t.local().ID() ||
		slices.ContainsFunc(t.others, func(x *membership.Member) bool { return x.ID() == m.ID() }))
}

// adoptAll makes this member the primary of entries, and tells the others.
func (t *tribesMap) adoptAll(keys []string) {
	if len(keys) == 0 {
		return
	}
	t.later(func(ctx context.Context) {
		for _, key := range keys {
			to, _ := t.members()
			if _, there := t.table.Get(key); !there || !t.orphaned(key) {
				continue
			}
			t.own(key, to)
			if len(to) == 0 {
				continue
			}
			// With the value: who is gone may not have reached all with its last word.
			if err := t.relay(ctx, to, key); err != nil {
				for _, m := range to {
					t.miss(m, key)
				}
			}
		}
	})
}

// relay is tell of what another member may have written: a write of that member that is on
// its way to this one can be overtaken by it, see [tribesMap.take].
func (t *tribesMap) relay(ctx context.Context, to []*membership.Member, key string) error {
	err := t.tell(ctx, to, key, nil)
	t.mu.Lock()
	defer t.mu.Unlock()
	if p := t.places[key]; p != nil {
		p.relayed = time.Now()
	}
	return err
}

// orphaned reports whether nobody has taken a key over.
func (t *tribesMap) orphaned(key string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.places[key]
	return p != nil && p.orphan
}

// catchUp sends a member what could not be sent to it.
func (t *tribesMap) catchUp(m *membership.Member) {
	t.mu.Lock()
	var keys []string
	for key, gone := range t.missed[m.ID()] {
		if p := t.places[key]; gone || p != nil && p.known && !samePrimary(p.primary, m) {
			keys = append(keys, key) // what is gone since, who has deleted it tells
		}
	}
	delete(t.missed, m.ID())
	t.mu.Unlock()
	if len(keys) == 0 {
		return
	}
	t.later(func(ctx context.Context) {
		for _, key := range keys {
			if t.relay(ctx, []*membership.Member{m}, key) != nil {
				t.miss(m, key)
			}
		}
		t.n.repaired.Add(uint64(len(keys)))
	})
}
