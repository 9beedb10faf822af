package replica

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/gotribes/tribes/session/internal/record"
	"github.com/gotribes/tribes/session/internal/sessionwire"
	"github.com/gotribes/tribes/session/internal/table"
)

var (
	errOrigin = errors.New("tribes: session: change of another node than its sender")
	errNoID   = errors.New("tribes: session: whole session without an id")
)

// change merges what a peer has written to a session.
func (e *Engine) change(p *peer, c *record.Change) error {
	if c.Origin != p.node {
		return e.refuse(p, c.Key, errOrigin)
	}
	return e.merge(p, c.Key, c.End.Version.IsZero(), func(h *table.Entry) (record.Result, error) {
		isNew := h.Rec.ID() == "" && h.Whole != nil
		r, err := h.Rec.Merge(c, e.Now())
		r.Gap = r.Gap || isNew && !begins(c)
		return r, err
	})
}

// begins reports whether a change is the first of its session. The node that makes a
// session gives it an id first; what other nodes write has higher counters, and follows
// the beginning even if it is the first that they write.
func begins(c *record.Change) bool {
	return c.From == 0 && len(c.IDs) > 0 && c.IDs[len(c.IDs)-1].Version == record.Version{Counter: 1, Node: c.Origin}
}

// snapshot merges all that a peer has of a session.
func (e *Engine) snapshot(p *peer, sn *record.Snapshot) error {
	if sn.Touch.Remaining == 0 && !sn.Touch.Version.IsZero() && e.tab.Get(sn.Key) == nil {
		return nil // it has expired on its way, or before
	}
	if len(sn.IDs) == 0 && sn.End.Version.IsZero() {
		return e.refuse(p, sn.Key, errNoID)
	}
	return e.merge(p, sn.Key, sn.End.Version.IsZero(), func(h *table.Entry) (record.Result, error) {
		r, err := h.Rec.MergeSnapshot(sn, e.Now())
		r.Gap, r.Missing = false, nil
		if err == nil {
			h.Complete()
		}
		return r, err
	})
}

// merge applies f to the session of a key, which it makes if the peer says that it
// lives.
func (e *Engine) merge(p *peer, k record.Key, lives bool, f func(*table.Entry) (record.Result, error)) error {
	for {
		if e.tombs.has(k) {
			if lives {
				e.answer(p, func(ctx context.Context) { e.tellEnd(ctx, p, k) })
			}
			return nil
		}
		h, isNew, err := e.tab.Receive(k, func() *table.Entry {
			h := &table.Entry{Rec: record.New(e.site, k), Whole: make(chan struct{})}
			h.Mu.Lock() // nobody else gets hold of it while there is nothing in it
			return h
		})
		if err != nil {
			return e.refuse(p, k, err)
		}
		if !isNew {
			h.Mu.Lock()
		}
		if isNew && e.tombs.has(k) {
			e.tab.Remove(h) // it has ended in between
		}
		if h.Gone() {
			h.Mu.Unlock()
			continue
		}
		evs, err := e.apply(p, h, isNew, f)
		h.Mu.Unlock()
		for _, ev := range evs {
			e.cfg.Tell(ev)
		}
		if err != nil {
			return e.refuse(p, k, err)
		}
		return nil
	}
}

// refuse notes that something of a peer is not taken, and returns what the peer is told.
func (e *Engine) refuse(p *peer, k record.Key, err error) error {
	e.n.rejected.Add(1)
	e.peers.Tell(slog.LevelWarn, "session change refused", p.Member(), "session", k, "err", err)
	return fmt.Errorf("session %v: %w", k, err)
}

// apply merges into h and keeps the index; it returns what is to be told. The caller
// holds h.Mu.
func (e *Engine) apply(p *peer, h *table.Entry, isNew bool, f func(*table.Entry) (record.Result, error)) ([]Event, error) {
	now, id, before, partial := e.Now(), h.Rec.ID(), h.Rec.IDs(), h.Whole != nil
	timeout := h.Rec.Timeout()
	r, err := f(h)
	if err != nil {
		if isNew {
			e.tab.Remove(h)
		}
		return nil, err
	}
	if r.Ended {
		end, _ := h.Rec.Ended()
		e.tombs.add(h.Rec.Key(), end, now, timeout)
		e.tab.Remove(h, before...)
		if id == "" {
			return nil, nil
		}
		return []Event{{Kind: Destroyed, Entry: h, ID: id, Reason: end.Reason}}, nil
	}
	if r.Gap || len(r.Missing) > 0 || h.Rec.ID() == "" {
		if h.Whole == nil {
			h.Whole = make(chan struct{})
		}
		e.missing(h.Rec.Key(), p.node)
	} else if isNew {
		h.Complete() // a change that follows no other is the beginning
	}
	e.index(h, r.Events)
	e.arm(h, now)
	if h.Whole != nil {
		return nil, nil
	}
	return e.events(h, r.Events, id, partial), nil
}

// index keeps what leads to h as a merge has changed it. The caller holds h.Mu.
func (e *Engine) index(h *table.Entry, evs []record.Event) {
	for _, ev := range evs {
		if ev.Kind == record.IDDropped && table.Random(ev.Name) != table.Random(h.Rec.ID()) {
			e.tab.Unname(ev.Name, h)
		}
	}
	for _, ev := range evs {
		if ev.Kind == record.IDAdded && e.tab.Name(ev.Name, h) != nil {
			e.n.rejected.Add(1)
		}
	}
}

// arm notes when a session expires: later than is known here if another node uses it,
// which does not tell of every access. The caller holds h.Mu.
func (e *Engine) arm(h *table.Entry, now time.Duration) {
	if _, here := h.Rec.LastTouch(); here {
		h.Arm(now, 0)
		return
	}
	h.Arm(now, e.cfg.Touch)
}

// events returns what a merge has changed, for listeners. The caller holds h.Mu.
func (e *Engine) events(h *table.Entry, evs []record.Event, old string, isNew bool) []Event {
	var all []Event
	id := h.Rec.ID()
	switch {
	case isNew:
		all = append(all, Event{Kind: Created, ID: id})
	case old != id:
		all = append(all, Event{Kind: Renamed, ID: id, OldID: old})
	}
	for _, ev := range evs {
		switch ev.Kind {
		case record.AttributeSet:
			all = append(all, Event{Kind: AttributeSet, ID: id, Name: ev.Name, Old: ev.Old, New: ev.New})
		case record.AttributeRemoved:
			all = append(all, Event{Kind: AttributeRemoved, ID: id, Name: ev.Name, Old: ev.Old})
		}
	}
	return all
}

// touched is told by a peer which sessions are in use.
func (e *Engine) touched(m *sessionwire.Touches) {
	now := e.Now()
	for _, t := range m.Sessions {
		h := e.tab.Get(t.Key)
		if h == nil {
			continue
		}
		h.Mu.Lock()
		if _, err := h.Rec.ApplyTouch(t.Touch, now); err != nil {
			e.n.rejected.Add(1)
		} else if !h.Gone() {
			e.arm(h, now)
		}
		h.Mu.Unlock()
	}
}

// ended is told by a peer which sessions are over.
func (e *Engine) ended(m *sessionwire.Ends) {
	var alive []record.Key
	for _, end := range m.Sessions {
		if end.Reason == record.Invalidated {
			e.invalidated(end)
		} else if e.inUse(end) {
			alive = append(alive, end.Key)
		}
	}
	if len(alive) > 0 {
		// To all: others may have believed it.
		for _, q := range e.peers.All() {
			if q.Answers() {
				e.answer(q, func(ctx context.Context) { e.give(ctx, q, 0, alive) })
			}
		}
	}
}

// invalidated ends a session that another node has ended.
func (e *Engine) invalidated(end sessionwire.End) {
	if !e.tombs.has(end.Key) {
		e.tombs.add(end.Key, end.End, e.Now(), 0)
	}
	h := e.tab.Get(end.Key)
	if h == nil {
		return
	}
	h.Mu.Lock()
	id, ids, timeout := h.Rec.ID(), h.Rec.IDs(), h.Rec.Timeout()
	_, err := h.Rec.ApplyEnd(end.End)
	if err == nil {
		e.tombs.add(end.Key, end.End, e.Now(), timeout)
		e.tab.Remove(h, ids...)
	} else {
		e.tombs.remove(end.Key)
		e.n.rejected.Add(1)
	}
	h.Mu.Unlock()
	if err == nil && id != "" {
		e.cfg.Tell(Event{Kind: Destroyed, Entry: h, ID: id, Reason: end.Reason})
	}
}

// inUse drops a session that another node has seen expire, unless it is known here that
// it was in use later: then it reports true.
func (e *Engine) inUse(end sessionwire.End) bool {
	h := e.tab.Get(end.Key)
	if h == nil {
		return false
	}
	now := e.Now()
	h.Mu.Lock()
	if h.Gone() {
		h.Mu.Unlock()
		return false
	}
	later := lastTouch(h).Compare(end.Version) > 0 || h.Rec.Touched()
	if later && !h.Expired(now) {
		h.Rec.TakeTouch(now) // a newer version, for who hears of the end after the contrary
		h.Mu.Unlock()
		return true
	}
	id := e.forget(h)
	h.Mu.Unlock()
	if id != "" {
		e.cfg.Tell(Event{Kind: Destroyed, Entry: h, ID: id, Reason: record.Expired})
	}
	return false
}

// forget drops a session that has expired, and returns its id. The caller holds h.Mu.
func (e *Engine) forget(h *table.Entry) string {
	id, ids := h.Rec.ID(), h.Rec.IDs()
	if h.Rec.End(record.Expired) == nil {
		h.Rec.Take(e.Now())
	}
	e.tab.Remove(h, ids...)
	return id
}
