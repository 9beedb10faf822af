package replmap

import (
	"context"
	"time"

	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/replmap/internal/entry"
	"github.com/gotribes/tribes/replmap/internal/tribeswire"
)

// takeLazy makes a key what a message of another member says: one with a value makes this
// member the backup, one without makes it a proxy.
func (t *tribesMap) takeLazy(m *tribeswire.Message, from *membership.Member, sent int64) {
	key := string(m.Key)
	t.taking.Lock()
	defer t.taking.Unlock()
	if !t.placed(m, from.ID(), sent) {
		return
	}
	e, there := t.table.Get(key)
	switch {
	case m.Type == tribeswire.Remove:
		t.forget(key)
		t.table.Write(entry.Entry{Key: key, Gone: true, Lifetime: entry.Forever}, nil)
	case m.Type != tribeswire.Proxy:
		t.table.Write(entry.Entry{Key: key, Value: m.Value, Lifetime: entry.Forever}, nil)
	case m.Primary == nil: // an orphan in a list: who has a value takes it over
	case contains(m.Nodes, t.local().ID()):
		if !there {
			t.fetch(m, from) // it takes this member for the backup
		}
	default:
		t.spare(&e, there)
		t.table.Write(entry.Entry{Key: key, Gone: true, Lifetime: entry.Forever}, nil)
	}
}

// spare keeps a value that moves away: when several members move a key at the same time
// each can take another one for its primary, and none has the value then.
func (t *tribesMap) spare(e *entry.Entry, there bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if p := t.places[e.Key]; p != nil && there {
		p.spare, p.spared = e.Value, time.Now()
	}
}

// unspare lets go of values that have moved away long enough ago.
func (t *tribesMap) unspare() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, p := range t.places {
		if p.spare != nil && p.flying == 0 && time.Since(p.spared) > recentTime {
			p.spare = nil
		}
	}
}

// placed notes the place that a message gives a key. It reports whether the message counts.
func (t *tribesMap) placed(m *tribeswire.Message, from membership.ID, sent int64) bool {
	key := string(m.Key)
	t.mu.Lock()
	defer t.mu.Unlock()
	if p := t.places[key]; p != nil && p.overtaken(from, sent) {
		return false
	}
	if m.Primary != nil && m.Primary.ID() == t.local().ID() && m.Type != tribeswire.Remove {
		return false // an echo
	}
	t.hears(key, sent)
	p := t.place(key)
	p.primary, p.nodes, p.known = m.Primary, m.Nodes, true
	p.from, p.sent, p.came = from, sent, time.Now()
	p.orphan = !t.knows(m.Primary)
	p.hear(true)
	return true
}

// movedLazy notes the primary of a key that another member says this one to be the backup
// of. It reports whether the value is here.
func (t *tribesMap) movedLazy(m *tribeswire.Message) bool {
	if _, there := t.table.Get(string(m.Key)); !there {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if m.Primary != nil && m.Primary.ID() == t.local().ID() {
		return true
	}
	p := t.place(string(m.Key))
	p.primary, p.nodes, p.orphan, p.known = m.Primary, m.Nodes, !t.knows(m.Primary), true
	p.hear(true)
	return true
}

// heardLazy takes a message about an entry of a LazyReplicatedMap.
func (t *tribesMap) heardLazy(m *tribeswire.Message, from *membership.Member, sent int64) {
	switch m.Type {
	case tribeswire.Copy, tribeswire.Backup:
		if m.Diff || m.Value == nil {
			t.fetch(m, from)
			return
		}
		t.takeLazy(m, from, sent)
	case tribeswire.Proxy, tribeswire.Remove:
		t.takeLazy(m, from, sent)
	default: // Notify, Access
		if !t.movedLazy(m) && contains(m.Nodes, t.local().ID()) {
			t.fetch(m, from)
		}
	}
}

// againLazy says again what a key is after messages about it have crossed: whoever has
// which value by now, this member gets it, and becomes the primary. What it has written
// itself it writes again.
func (t *tribesMap) againLazy(ctx context.Context, key string, wish *entry.Entry) {
	if wish != nil {
		if !t.is(wish) {
			e, _ := t.table.Write(entry.Entry{Key: key, Value: wish.Value, Gone: wish.Gone, Lifetime: entry.Forever}, nil)
			wish = &e
		}
		if err := t.publishLazy(ctx, wish); err != nil {
			t.log.Debug("entry could not be said again", "err", err)
		}
		return
	}
	if e, there := t.table.Get(key); there {
		t.own(e.Key, nil)
	} else if _, known := t.whose(key); known {
		if _, _, err := t.find(ctx, key); err != nil {
			t.log.Debug("entry could not be said again", "err", err)
		}
		return
	}
	to, _ := t.members()
	if len(to) > 0 && t.spread(ctx, to, key) != nil {
		t.log.Debug("entry could not be said again")
	}
}
