package persist

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/gotribes/tribes/session/internal/record"
	"github.com/gotribes/tribes/session/internal/stored"
	"github.com/gotribes/tribes/session/internal/table"
	"github.com/gotribes/tribes/session/store"
)

// tries is how often a save is tried that other nodes overtake. Each time one of them has
// been successful; one that saves without a pause can overtake another many times.
const tries = 100

var (
	errContended = errors.New("tribes: session: saved by too many others at the same time")
	errOther     = errors.New("tribes: session: another session is stored under this id")
)

func isNotFound(err error) bool { return errors.Is(err, store.ErrNotFound) }

// Commit makes what was written as safe as configured, in memory first.
func (k *Keeper) Commit(ctx context.Context, h *table.Entry) error {
	if err := k.Inner.Commit(ctx, h); err != nil {
		return err
	}
	if k.gone(h) {
		return record.ErrEnded
	}
	if !k.now(h) {
		return nil
	}
	// Who has asked for it may go away; what is begun is finished.
	err := k.settle(context.WithoutCancel(ctx), h)
	if err == nil && k.gone(h) {
		return record.ErrEnded // while this one waited for others
	}
	if k.cfg.Strict || errors.Is(err, record.ErrEnded) || err != nil && k.forgotten(h) {
		return err // what has ended elsewhere no sweep saves
	}
	return nil // the sweep tries again
}

// gone reports whether the store has lost a session, and with it changes that are nowhere
// now: whoever has found that out, they are not to be acknowledged.
func (k *Keeper) gone(h *table.Entry) bool {
	h.Mu.RLock()
	defer h.Mu.RUnlock()
	return h.Kept != nil && h.Kept.Lost && h.Kept.Writes != h.Kept.Saved
}

// now reports whether a commit has something to do in the store.
func (k *Keeper) now(h *table.Entry) bool {
	h.Mu.RLock()
	defer h.Mu.RUnlock()
	at := h.Kept
	if at == nil {
		return false
	}
	if len(at.Doomed) > 0 {
		return true
	}
	return at.Writes != at.Saved && !at.TooLarge && !h.Gone() && (k.cfg.EachRequest || k.moved(h))
}

// moved reports whether a session is stored under an id that it has no more. The caller holds
// h.Mu.
func (k *Keeper) moved(h *table.Entry) bool {
	id := h.Rec.ID()
	return h.Kept.ID != "" && id != "" && h.Kept.ID != k.cfg.ID(id)
}

// job is a save, or the removal of a session that has ended.
type job struct {
	id      string         // what it is stored under
	s       *store.Session // nil: nothing to save, or not before it is known what is stored
	look    bool           // that is to be found out
	base    uint64
	old     string // what it was stored under, if that is another id
	writes  uint64
	written uint64 // by the record
	doomed  []string
	tried   bool // a save that nothing was to be replaced by may take place yet
	mark    any  // that the session has in the store when it is saved; nil if that is not known
}

// settle makes the store have what this node has of a session. It returns when that is so,
// or ErrStore or another reason why not.
func (k *Keeper) settle(ctx context.Context, h *table.Entry) error {
	if err := k.acquire(ctx, h); err != nil {
		return k.failed(h, job{}, err)
	}
	defer k.release(h)
	limit, written := time.Now().Add(3*k.cfg.Timeout), uint64(0)
	for try := 0; try < tries && (try == 0 || time.Now().Before(limit)); try++ {
		j := k.next(h)
		written = j.written
		for _, id := range j.doomed {
			if err := k.remove(ctx, id); err != nil {
				return err
			}
			k.buried(h)
		}
		if j.s == nil && !j.look {
			return nil
		}
		err := k.put(ctx, &j)
		if err == nil {
			k.saved(h, j)
			return nil
		}
		if errors.Is(err, store.ErrConflict) {
			if !j.look {
				k.n.conflicts.Add(1)
			}
			err = k.reconcile(ctx, h, j)
		}
		if errors.Is(err, record.ErrEnded) {
			return err
		}
		if err != nil {
			return k.failed(h, j, err)
		}
		if try > 2 {
			pause(ctx, rand.N(time.Duration(min(try, 10))*time.Millisecond))
		}
	}
	return k.failed(h, job{written: written}, errContended)
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// next returns what there is to do for a session.
func (k *Keeper) next(h *table.Entry) job {
	h.Mu.Lock()
	defer h.Mu.Unlock()
	at := h.Kept
	if _, ended := h.Rec.Ended(); ended {
		return job{doomed: at.Doomed}
	}
	id := k.cfg.ID(h.Rec.ID())
	if at.Writes == at.Saved && !k.moved(h) || h.Gone() || id == "" {
		return job{}
	}
	j := job{id: id, base: at.Version, writes: at.Writes, written: h.Rec.Written(), look: !at.Known}
	if j.look {
		return j
	}
	if at.ID != "" && at.ID != id && at.Version > 0 {
		j.old = at.ID
	}
	now := k.Now()
	timeout := h.Rec.Timeout()
	j.s = &store.Session{
		ID: id, Version: at.Version + 1, Accessed: k.wall(k.accessed(h)), Timeout: stored.Kept(timeout, k.cfg.Touch),
		Data: stored.Encode(k.cfg.Codec, h.Rec.Snapshot(now)),
	}
	if at.Version == 0 && !fresh(h) {
		// Not the first save of the session: no base that another node has may fit.
		j.s.Version = 1<<32 + rand.Uint64N(1<<48)
	}
	return j
}

// fresh reports whether a session was made here and never stored. The caller holds h.Mu.
func fresh(h *table.Entry) bool { return h.Kept.Known && h.Kept.Noted.IsZero() }

// put saves.
func (k *Keeper) put(ctx context.Context, j *job) error {
	if j.look {
		return store.ErrConflict
	}
	if k.isOwed(j.id) { // a session of this id has ended before
		if err := k.remove(ctx, j.id); err != nil {
			return err
		}
		k.mu.Lock()
		delete(k.late, j.id)
		k.mu.Unlock()
	}
	renamer, can := k.cfg.Store.(store.Renamer)
	if j.old != "" && can {
		return k.calls.do(ctx, "rename", func(ctx context.Context) error { return renamer.Rename(ctx, j.old, j.s, j.base) })
	}
	base := j.base
	if j.old != "" {
		base = 0
	}
	sent := false
	err := k.calls.do(ctx, "save", func(ctx context.Context) (err error) {
		sent = true
		if m, ok := k.cfg.Store.(markSaver); ok {
			j.mark, err = m.SaveMark(ctx, j.s, base)
			return err
		}
		return k.cfg.Store.Save(ctx, j.s, base)
	})
	if err != nil || j.old == "" {
		j.tried = sent && base == 0 && errors.Is(err, ErrStore)
		return err
	}
	k.mu.Lock()
	k.owe(j.old) // until it is deleted, whatever happens
	k.mu.Unlock()
	_ = k.remove(ctx, j.old) // or the sweep does it
	return nil
}

// saved notes that a save was successful.
func (k *Keeper) saved(h *table.Entry, j job) {
	k.n.saves.Add(1)
	k.n.bytes.Add(uint64(len(j.s.Data)))
	h.Mu.Lock()
	defer h.Mu.Unlock()
	at := h.Kept
	if k.cfg.Shared && j.base == 0 && !fresh(h) {
		k.mu.Lock()
		k.revive(j.s.ID)
		k.mu.Unlock()
	}
	k.abandon(at, j.s.ID)
	at.ID, at.Version, at.Known, at.Noted, at.Mark = j.s.ID, j.s.Version, true, j.s.Accessed, j.mark
	k.clean(at, j.writes)
	if end, ended := h.Rec.Ended(); ended && end.Reason == record.Invalidated { // meanwhile
		k.mu.Lock()
		k.owe(j.s.ID)
		k.mu.Unlock()
	}
}

// clean notes that changes are stored. The caller holds the lock of the entry.
func (k *Keeper) clean(at *table.Kept, writes uint64) {
	at.Saved, at.Failed, at.TooLarge = writes, false, false
	at.Since = k.Now()
}

// failed notes that a session could not be saved, and why.
func (k *Keeper) failed(h *table.Entry, j job, err error) error {
	k.n.failed.Add(1)
	large := errors.Is(err, store.ErrTooLarge)
	h.Mu.Lock()
	at := h.Kept
	at.Failed = true
	at.Settled = max(at.Settled, j.written)
	if j.tried {
		k.abandon(at, j.id)
		at.Tried, at.TriedAt = j.id, k.Now()
	}
	first := large && !at.TooLarge
	at.TooLarge = large && at.Writes == j.writes
	key := h.Rec.Key()
	h.Mu.Unlock()
	switch {
	case first:
		k.n.tooLarge.Add(1)
		k.cfg.Logger.Warn("session is too large for its store", "session", key, "bytes", len(j.s.Data))
	case !large && !errors.Is(err, ErrStore):
		k.cfg.Logger.Log(context.Background(), slog.LevelWarn, "session not saved", "session", key, "err", err)
	}
	return err
}

// buried notes that the first id that a session that has ended may be stored under leads
// nowhere now.
func (k *Keeper) buried(h *table.Entry) {
	h.Mu.Lock()
	defer h.Mu.Unlock()
	h.Kept.Doomed = h.Kept.Doomed[1:]
}

// reconcile merges what another node has saved. If the store has everything then, the
// session is clean; else the next try saves what both have.
func (k *Keeper) reconcile(ctx context.Context, h *table.Entry, j job) error {
	r := k.reading(j.id, j.old)
	defer k.done(r)
	row, err := k.get(ctx, j.id)
	if isNotFound(err) && j.old != "" {
		row, err = k.get(ctx, j.old)
	}
	if isNotFound(err) {
		if k.lost(h, j.base) {
			return record.ErrEnded // what was to be saved is nowhere
		}
		return nil
	}
	if err != nil {
		return err
	}
	sn, err := k.decode(row)
	if err != nil {
		return err
	}
	if sn.Key != h.Rec.Key() {
		return k.usurp(h, row)
	}
	theirs := record.New(k.site, sn.Key)
	if _, err := theirs.MergeSnapshot(sn, 0); err != nil {
		return err
	}
	switch _, err := k.adopt(r, row, sn); {
	case errors.Is(err, errOutdated):
		return nil // the next try sees that
	case errors.Is(err, record.ErrEnded):
		return k.remove(ctx, row.ID)
	case err != nil:
		return err
	}
	h.Mu.Lock()
	defer h.Mu.Unlock()
	at := h.Kept
	at.ID, at.Version, at.Known = row.ID, row.Version, true
	switch same := theirs.Digest() == h.Rec.Digest() && at.ID == k.cfg.ID(h.Rec.ID()); {
	case same && at.Writes == j.writes:
		k.clean(at, j.writes)
	case !same && at.Writes == at.Saved: // what was stored elsewhere is to be stored here
		at.Writes, at.Since = at.Writes+1, k.Now()
	}
	return nil
}

// usurp takes the place of a session that has expired; only ids that a program has chosen
// are used twice. One that lives is not overwritten.
func (k *Keeper) usurp(h *table.Entry, row *store.Session) error {
	if !row.Expired(time.Now()) && !k.lapsed(row) {
		return errOther
	}
	h.Mu.Lock()
	defer h.Mu.Unlock()
	h.Kept.ID, h.Kept.Version, h.Kept.Known = row.ID, row.Version, true
	return nil
}

// lost is told that the store does not have a session that had a version there. It has ended
// elsewhere, unless something else explains it; it reports whether it ends here now.
func (k *Keeper) lost(h *table.Entry, version uint64) bool {
	h.Mu.Lock()
	at := h.Kept
	if _, ended := h.Rec.Ended(); ended || h.Gone() || at.Version != version {
		h.Mu.Unlock()
		return false
	}
	t := h.Rec.Timeout()
	lapsed := t > 0 && !at.Noted.IsZero() && !time.Now().Before(at.Noted.Add(stored.Kept(t, k.cfg.Touch)))
	if k.cfg.Shared || lapsed || version == 0 {
		if at.Noted.IsZero() {
			at.Noted = time.UnixMilli(1) // it is not fresh
		}
		at.Version, at.Known, at.ID = 0, true, ""
		if at.Writes == at.Saved {
			at.Writes, at.Since = at.Writes+1, k.Now()
		}
		h.Mu.Unlock()
		return false
	}
	at.Lost = true
	h.Mu.Unlock()
	k.n.lost.Add(1)
	k.cfg.Lost(h)
	return true
}
