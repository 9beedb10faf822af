package persist

import (
	"errors"

	"github.com/gotribes/tribes/session/internal/table"
)

// errOutdated is the error of what comes from the store when it is there no more.
var errOutdated = errors.New("tribes: session: has ended while it was read")

// read is a look at what is stored, from before it until its answer is used. A session can
// end meanwhile, and be deleted: the answer must not bring it back.
type read struct {
	ids  []string
	over bool // guarded by Keeper.mu
}

// reading begins a look at what is stored under ids.
func (k *Keeper) reading(ids ...string) *read {
	k.mu.Lock()
	defer k.mu.Unlock()
	r := &read{ids: ids}
	for _, id := range ids {
		if id == "" {
			continue
		}
		if k.reads[id] == nil {
			k.reads[id] = make(map[*read]bool)
		}
		k.reads[id][r] = true
	}
	return r
}

// done is the end of a look.
func (k *Keeper) done(r *read) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, id := range r.ids {
		if delete(k.reads[id], r); len(k.reads[id]) == 0 {
			delete(k.reads, id)
		}
	}
}

// outdate says to those who look at what is stored of a session that it has ended. The caller
// holds h.Mu and k.mu.
func (k *Keeper) outdate(h *table.Entry) {
	ids := h.Rec.IDs()
	for i := range ids {
		ids[i] = k.cfg.ID(ids[i])
	}
	if h.Kept != nil {
		ids = append(ids, h.Kept.ID)
	}
	for _, id := range ids {
		for r := range k.reads[id] {
			r.over = true
		}
	}
}

// undo drops a session that has come with an answer which is outdated, and reports whether
// it is. The caller holds h.Mu.
func (k *Keeper) undo(h *table.Entry, r *read) bool {
	k.mu.Lock()
	over := r.over
	k.mu.Unlock()
	if over {
		kept(h).Swapped = true
		k.Evict(h)
	}
	return over
}
