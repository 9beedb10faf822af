package replmap

import (
	"context"
	"slices"
	"sync"

	"github.com/gotribes/tribes/replmap/internal/entry"
	"github.com/gotribes/tribes/replmap/internal/mapwire"
)

// change is a write that the table has.
type change struct {
	now    entry.Entry
	before entry.Entry // what it has replaced; the zero Entry if that is not known
	diff   *entry.Diff // of now, if there is one already
}

// difference returns what makes the new value of the old one; nil if that is not worth it.
func (c *change) difference(t *entry.Table) *entry.Diff {
	if c.diff != nil && c.diff.IsTo(&c.before) {
		return c.diff
	}
	return t.Difference(&c.before, &c.now)
}

// newer reports whether the peer can be sent differences.
func (p *peer) newer() bool {
	return min(uint8(p.speaks.Load()), p.n.speaks) >= mapwire.MaxVersion
}

// short returns a conditional write as it is sent to a primary that may have the value which is
// here: as a difference to that, and so that the answer can leave it out.
func (n *native) short(p *peer, w *mapwire.Write, diff *entry.Diff) *mapwire.Write {
	s := *w
	if !p.newer() {
		s.Has = nil
		return &s
	}
	if n.backups == 0 || w.Condition == mapwire.IfAbsent {
		return w
	}
	if e, there := n.here(w.Entry.Key); there && s.Has == nil {
		has := e.State()
		s.Has = &has
	}
	if diff != nil {
		s.Entry.Diff, s.Entry.Value = diff, nil
		n.n.differences.Add(1)
	}
	return &s
}

// describe returns what makes the value to be written of that which the condition is about, if
// that is here. It also gives the value its sum, once and not under a lock.
func (n *native) describe(w *mapwire.Write) (diff *entry.Diff) {
	if n.backups > 0 && w.Condition == mapwire.IfVersion && !w.Entry.Gone {
		if e, there := n.here(w.Entry.Key); there && e.Version == w.Version {
			diff = n.table.Difference(&e, &w.Entry)
		}
	}
	n.table.Digest(&w.Entry)
	return diff
}

// askPrimary has a peer decide. It is sent the whole value if it cannot make it of a
// difference.
func (n *native) askPrimary(ctx context.Context, p *peer, w *mapwire.Write, diff *entry.Diff) (*mapwire.Written, error) {
	defer n.own.add(&w.Entry)()
	s := n.short(p, w, diff)
	for {
		a, err := ask[*mapwire.Written](ctx, p, func(id uint64) mapwire.Message {
			m := *s
			m.Request = id
			return &m
		})
		if err != nil || a.Outcome != mapwire.Lacks || s.Entry.Diff == nil {
			return a, err
		}
		n.n.resent.Add(1)
		s.Entry = w.Entry
	}
}

// fold leaves out of an answer the value that who asks has: because that is what it has asked
// to be written, or because it has said so.
func (n *native) fold(p *peer, w *mapwire.Write, a *mapwire.Written) {
	e := a.Entry
	if n.backups == 0 || e == nil || e.Gone || e.Proxy {
		return
	}
	switch now, there := n.table.Peek(e.Key); {
	case a.Outcome == mapwire.Wrote && there && now.Placed && now.State() == e.State():
		e.Strip() // all that are to have it have it
	case a.Outcome == mapwire.Wrote && e.Sum == w.Entry.Sum && p.newer(), w.Has != nil && *w.Has == e.State():
		e.Diff, e.Value = entry.Same(e), nil
	}
}

// unfold puts the value into an answer that has it not. If this member has said that it has
// it, and does not any more, what it has is the answer.
func (n *native) unfold(w *entry.Entry, a *mapwire.Written) {
	e := a.Entry
	if e == nil || a.Outcome == mapwire.Wrote && e.Fill(w) {
		return
	}
	if n.table.Patch(e) == nil {
		return
	}
	now, there := n.here(e.Key)
	if !there {
		now, there = n.table.Get(e.Key)
	}
	if a.Entry = nil; there {
		a.Entry = &now
	}
}

// owned are the states that this member has asked primaries to write, until they answer.
type owned struct {
	mu  sync.Mutex
	all map[string][]*entry.Entry
}

// add adds a state, and returns what removes it.
func (o *owned) add(e *entry.Entry) (remove func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.all == nil {
		o.all = make(map[string][]*entry.Entry)
	}
	o.all[e.Key] = append(o.all[e.Key], e)
	return func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		rest := slices.DeleteFunc(o.all[e.Key], func(x *entry.Entry) bool { return x == e })
		if o.all[e.Key] = rest; len(rest) == 0 {
			delete(o.all, e.Key)
		}
	}
}

// fill gives a state with a difference the value that it stands for, and reports whether it is
// there.
func (o *owned) fill(e *entry.Entry) bool {
	if e.Diff == nil {
		return false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.ContainsFunc(o.all[e.Key], func(x *entry.Entry) bool {
		return len(x.Value) == e.Diff.Size && e.Fill(x)
	})
}
