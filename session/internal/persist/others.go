package persist

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/gotribes/tribes/session/internal/record"
	"github.com/gotribes/tribes/session/internal/table"
)

const (
	memory   = 10 * time.Minute // that what others have done is remembered
	day      = 24 * time.Hour   // that it is remembered which sessions were saved anew
	maxEnded = 1 << 17          // sessions that have ended
)

// Gone is told of a session that another node has ended, and has deleted unless it has
// expired. What this node may have saved since, or under another id, is deleted too.
func (k *Keeper) Gone(h *table.Entry, id string, expired bool) {
	id = k.cfg.ID(id)
	h.Mu.RLock()
	other := ""
	if h.Kept != nil {
		other = h.Kept.ID
	}
	h.Mu.RUnlock()
	k.mu.Lock()
	_, again := k.revived[id]
	delete(k.revived, id)
	var debts []string
	switch {
	case expired:
		k.lapses(id, time.Time{})
	case again:
		debts = append(debts, id)
	default:
		k.over(id)
	}
	if other != "" && other != id && !expired {
		debts = append(debts, other)
	}
	for _, id := range debts {
		k.owe(id)
	}
	k.mu.Unlock()
	for _, id := range debts {
		k.async(func(ctx context.Context) { _ = k.remove(ctx, id) }) // or the sweep does it
	}
}

// over remembers that a session has ended. The caller holds k.mu.
func (k *Keeper) over(id string) {
	switch {
	case !k.cfg.Shared:
	case len(k.ended) < maxEnded:
		k.ended[id] = time.Now()
	default:
		k.forgot()
	}
}

// revive remembers that a session was saved anew. The caller holds k.mu.
func (k *Keeper) revive(id string) {
	if _, there := k.revived[id]; !there && len(k.revived) >= k.cfg.Owed {
		k.forgot()
		return
	}
	k.revived[id] = time.Now()
}

// dirty makes a session one that is to be compared with what is stored. The caller holds
// the lock of the entry.
func (k *Keeper) dirty(at *table.Kept) {
	if at.Writes == at.Saved {
		at.Writes, at.Since = at.Writes+1, k.Now()
	}
	at.Failed = true // soon
}

// Orphaned is told of a node that has failed. What it has written may not be stored, what it
// has ended not deleted, and what others have ended it may have saved again. All nodes that
// are left see to that: one alone could fail too.
func (k *Keeper) Orphaned(n record.Node) {
	k.mu.Lock()
	for id := range k.ended {
		k.owe(id)
	}
	k.dead[n] = time.Now()
	dead := slices.Collect(maps.Keys(k.dead)) // their writes may have come by one that has failed now
	k.mu.Unlock()
	k.async(func(context.Context) {
		for h := range k.All() {
			h.Mu.Lock()
			if !h.Gone() && slices.ContainsFunc(dead, h.Rec.WrittenBy) {
				kept(h).Known = false
				k.dirty(h.Kept)
			}
			h.Mu.Unlock()
		}
	})
}
