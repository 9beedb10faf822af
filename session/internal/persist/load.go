package persist

import (
	"context"
	"errors"
	"time"

	"github.com/gotribes/tribes/session/internal/record"
	"github.com/gotribes/tribes/session/internal/stored"
	"github.com/gotribes/tribes/session/internal/table"
	"github.com/gotribes/tribes/session/store"
)

// flight is a session on its way from the store, for all who wait for it.
type flight struct {
	done chan struct{}
	h    *table.Entry
	err  error
}

var errUnsettled = errors.New("tribes: session: comes and goes")

// Find returns the session that an id leads to, from memory or from the store, nil if there
// is none. It stays in memory until it is released.
func (k *Keeper) Find(ctx context.Context, id string) (*table.Entry, error) {
	k.begin()
	for range tries {
		h, err := k.Inner.Find(ctx, id)
		if err != nil {
			return nil, err
		}
		if h, err = k.complete(ctx, h, id); h == nil || err != nil {
			return nil, err
		}
		if pin(h) {
			return h, nil
		}
	}
	return nil, errUnsettled
}

// Look is Find from outside of a request: what it returns is not kept in memory, and it
// does not wait for other nodes.
func (k *Keeper) Look(id string) (*table.Entry, error) {
	return k.complete(k.ctx, k.Peek(id), id)
}

// complete returns h as it is in the store if that is to be looked at, or loads it if it is
// nil.
func (k *Keeper) complete(ctx context.Context, h *table.Entry, id string) (*table.Entry, error) {
	if h == nil {
		k.begin()
		loaded, joined, err := k.load(ctx, id)
		if !joined || !k.cfg.Check || loaded == nil || err != nil {
			return loaded, err
		}
		h = loaded // that load may have begun before what the client has seen
	}
	elsewhere := k.cfg.Route != "" && routeOf(id) != k.cfg.Route
	if k.cfg.Shared || !k.cfg.Check && !elsewhere && !h.Expired(k.Now()) {
		return h, nil
	}
	if err := k.Compare(ctx, h); err != nil && (k.cfg.Strict || ctx.Err() != nil) {
		return nil, err
	}
	return h, nil
}

// load gets a session from the store. Others that want it meanwhile get the same answer:
// the bool says that this is one.
func (k *Keeper) load(ctx context.Context, id string) (h *table.Entry, joined bool, err error) {
	at := k.cfg.ID(id)
	k.mu.Lock()
	if at == "" || k.closed || k.dying(at) {
		k.mu.Unlock()
		return nil, false, nil
	}
	f := k.flights[at]
	joined = f != nil
	if f == nil {
		f = &flight{done: make(chan struct{})}
		k.flights[at] = f
		k.wg.Go(func() {
			f.h, f.err = k.fetch(k.ctx, at)
			k.mu.Lock()
			delete(k.flights, at)
			k.mu.Unlock()
			close(f.done)
		})
	}
	k.mu.Unlock()
	select {
	case <-f.done:
		return f.h, joined, f.err
	case <-ctx.Done():
		return nil, joined, context.Cause(ctx)
	}
}

// fetch loads what is stored under an id.
func (k *Keeper) fetch(ctx context.Context, at string) (*table.Entry, error) {
	r := k.reading(at)
	defer k.done(r)
	if k.isOwed(at) {
		return nil, nil
	}
	row, err := k.get(ctx, at)
	switch {
	case isNotFound(err):
		k.n.misses.Add(1)
		return nil, nil
	case err != nil:
		return nil, err
	case row.Expired(time.Now()) || k.lapsed(row):
		return nil, nil
	}
	sn, err := k.decode(row)
	if err != nil {
		return nil, nil // is counted; it costs this session alone
	}
	h, err := k.adopt(r, row, sn)
	switch {
	case errors.Is(err, errOutdated):
		return nil, nil
	case errors.Is(err, record.ErrEnded):
		return nil, k.remove(ctx, at)
	case err != nil:
		return nil, err
	}
	if k.cfg.ID(h.ID()) != at {
		return nil, nil // it has another id now: this one is dead
	}
	return h, nil
}

// get loads a row.
func (k *Keeper) get(ctx context.Context, at string) (*store.Session, error) {
	var row *store.Session
	err := k.calls.do(ctx, "load", func(ctx context.Context) (err error) {
		row, err = k.cfg.Store.Load(ctx, at)
		return err
	})
	if err == nil {
		k.n.loads.Add(1)
	}
	return row, err
}

// lapsed reports whether a session has expired here, and nobody has used it later.
func (k *Keeper) lapsed(row *store.Session) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	l, ok := k.past[row.ID]
	if ok && l.accessed.IsZero() {
		return !row.Accessed.Add(stored.Timeout(row.Timeout, k.cfg.Touch)).After(l.at)
	}
	return ok && !row.Accessed.After(l.accessed)
}

// decode returns the session in a row. One that cannot be read is counted and logged, and
// stays where it is.
func (k *Keeper) decode(row *store.Session) (*record.Snapshot, error) {
	sn, err := stored.Decode(k.cfg.Codec, row.Data)
	if err == nil && k.cfg.ID(sn.IDs[0].Text) != row.ID {
		err = errOther
	}
	if err != nil {
		k.n.unreadable.Add(1)
		k.cfg.Logger.Warn("stored session cannot be read", "id", row.ID[:min(len(row.ID), 8)]+"...", "bytes", len(row.Data), "err", err)
		return nil, err
	}
	return sn, nil
}

// adopt takes a stored session into memory, or what it has into the one that is there. It
// fails with errOutdated if that has ended since the look began which the row is from.
func (k *Keeper) adopt(r *read, row *store.Session, sn *record.Snapshot) (*table.Entry, error) {
	loaded, over := false, false
	h, err := k.Inner.Adopt(sn, k.later, func(h *table.Entry, isNew bool) {
		if loaded = isNew; isNew {
			if over = k.undo(h, r); over {
				return
			}
		}
		at, now := kept(h), k.Now()
		exact := now + min(time.Until(row.Accessed), 0)
		access := exact
		if t := sn.Timeout.After; t > 0 {
			access = min(exact+row.Timeout-t, now) // it may have been used since
		}
		if !isNew {
			access = max(access, k.accessed(h))
		}
		h.Rec.SetAccess(access)
		at.Accessed = max(at.Accessed, exact)
		if row.Accessed.After(at.Noted) {
			at.Noted = row.Accessed
		}
		if (at.ID != row.ID || row.Version > at.Version) && k.cfg.ID(h.Rec.ID()) == row.ID {
			k.replaced(at.ID, row.ID)
			at.ID, at.Version, at.Known = row.ID, row.Version, true
		}
	})
	if err != nil {
		k.cfg.Logger.Warn("stored session not taken", "err", err)
		return nil, err
	}
	if over {
		return nil, errOutdated
	}
	if loaded {
		k.n.loaded.Add(1)
		k.crowded()
		k.cfg.Moved(h.ID(), true)
	}
	return h, nil
}

// later reports whether what is not stored of a session was written by requests that are not
// answered: the order in which nodes store is the order of their writes then, and of two that
// did not know of each other the one that is stored last counts. Otherwise what others have
// stored may well be later, as it may than what a save that has failed was to store: that is
// Settled. The caller holds h.Mu.
func (k *Keeper) later(h *table.Entry) bool {
	at := h.Kept
	return k.cfg.EachRequest && !k.cfg.Shared && at != nil && at.Writes != at.Saved
}

// replaced notes that a session is stored under another id than before: what is left under
// that one is dead.
func (k *Keeper) replaced(old, id string) {
	if old != "" && old != id {
		k.mu.Lock()
		k.owe(old)
		k.mu.Unlock()
	}
}

// Compare merges into a session in memory what other nodes have saved of it, or ends it if
// it was deleted.
func (k *Keeper) Compare(ctx context.Context, h *table.Entry) error {
	for _, alone := range []bool{false, true} {
		again, err := k.compare(ctx, h, alone)
		if !again || err != nil {
			return err
		}
	}
	return nil
}

// compare reports whether it is to be done again, while nothing else is done to the session
// in the store.
func (k *Keeper) compare(ctx context.Context, h *table.Entry, alone bool) (bool, error) {
	if alone {
		if err := k.acquire(ctx, h); err != nil {
			return false, err
		}
		defer k.release(h)
	}
	h.Mu.Lock()
	at := *kept(h)
	_, ended := h.Rec.Ended()
	h.Mu.Unlock()
	if ended || at.Version == 0 || at.ID == "" {
		return false, nil
	}
	mark := k.mark(at.ID)
	if mark != nil && mark == at.Mark {
		return false, nil
	}
	r := k.reading(at.ID)
	defer k.done(r)
	row, err := k.get(ctx, at.ID)
	if isNotFound(err) && alone {
		k.lost(h, at.Version)
	}
	if err != nil {
		return isNotFound(err), ignoreNotFound(err)
	}
	if row.Version == at.Version && !row.Accessed.After(at.Noted) {
		k.same(h, &at, mark)
		return false, nil
	}
	sn, err := k.decode(row)
	if err != nil {
		return false, nil // counted; what is here is used
	}
	if sn.Key == h.Rec.Key() {
		_, err = k.adopt(r, row, sn)
	}
	if errors.Is(err, errOutdated) {
		err = nil // who has it sees that
	}
	return false, err
}

// A marker is a store that knows without a call whether a session has changed.
type marker interface {
	// Mark returns a value that is another one after each change of a session in the store;
	// nil if that is not known.
	Mark(id string) any
}

// A markSaver is a marker that says what the mark is after a save, so that who has saved need
// not look. The session is the store's then, with all the memory of its data.
type markSaver interface {
	SaveMark(ctx context.Context, s *store.Session, base uint64) (mark any, err error)
}

func (k *Keeper) mark(id string) any {
	if m, ok := k.cfg.Store.(marker); ok {
		return m.Mark(id)
	}
	return nil
}

// same notes the mark of a session that is in the store as it is here. It was taken before
// the look: of a change in between it knows nothing, so that it is no mark of it.
func (k *Keeper) same(h *table.Entry, at *table.Kept, mark any) {
	h.Mu.Lock()
	defer h.Mu.Unlock()
	if now := kept(h); now.Version == at.Version && now.ID == at.ID {
		now.Mark = mark
	}
}

func ignoreNotFound(err error) error {
	if isNotFound(err) {
		return nil
	}
	return err
}
