package persist

import (
	"context"
	"slices"
	"time"

	"github.com/gotribes/tribes/session/internal/table"
)

// owe remembers that what is stored under an id is to be deleted, if there is room. The
// caller holds k.mu.
func (k *Keeper) owe(id string) {
	if !k.dying(id) && len(k.owed)+len(k.late) >= k.cfg.Owed {
		k.forgot()
		return
	}
	k.owed[id] = true
}

// forgot counts an id for which there was no room, and has it in the log once in an outage.
// The caller holds k.mu.
func (k *Keeper) forgot() {
	k.n.forgotten.Add(1)
	if now := k.calls.outage() + 1; k.told != now {
		k.told = now
		k.cfg.Logger.Error("more sessions have ended than are remembered until the store works: some may come back", "remembered", len(k.owed))
	}
}

// forgotten reports whether something that a session is stored under is neither deleted nor
// remembered, although it has ended.
func (k *Keeper) forgotten(h *table.Entry) bool {
	h.Mu.RLock()
	ids := h.Kept.Doomed
	h.Mu.RUnlock()
	return slices.ContainsFunc(ids, func(id string) bool { return !k.isOwed(id) })
}

func (k *Keeper) isOwed(id string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.dying(id)
}

// dying reports whether what is stored under an id is, or may still come to be, of a session
// that has ended. The caller holds k.mu.
func (k *Keeper) dying(id string) bool {
	_, late := k.late[id]
	return late || k.owed[id]
}

// linger is how long a save may take place after its call has failed.
const linger = time.Minute

// abandon has deleted what may be stored under the id of a save whose outcome is not known,
// if the session has another id now. The caller holds the lock of the entry.
func (k *Keeper) abandon(at *table.Kept, id string) {
	if at.Tried == "" || at.Tried == id {
		return
	}
	k.mu.Lock()
	k.owe(at.Tried)
	if k.owed[at.Tried] {
		k.late[at.Tried] = time.Now().Add(linger)
	}
	k.mu.Unlock()
	at.Tried = ""
}

// owes reports whether something is to be deleted.
func (k *Keeper) owes() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.owed) > 0
}

// debts returns the ids under which something is to be deleted.
func (k *Keeper) debts() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	ids := make([]string, 0, len(k.owed))
	for id := range k.owed {
		ids = append(ids, id)
	}
	now := time.Now()
	for id, due := range k.late {
		if !k.owed[id] && !now.Before(due) {
			ids = append(ids, id)
		}
	}
	return ids
}

// pay deletes what is to be deleted, until the store does not work.
func (k *Keeper) pay(ctx context.Context) {
	if k.calls.asleep() {
		return
	}
	each(ctx, k.cfg.Calls, k.debts(), func(id string) {
		if !k.calls.asleep() {
			_ = k.remove(ctx, id) // stays owed
		}
	})
}

// remove deletes what is stored under an id of a session that has ended.
func (k *Keeper) remove(ctx context.Context, id string) error {
	err := k.calls.do(ctx, "delete", func(ctx context.Context) error { return k.cfg.Store.Delete(ctx, id) })
	if err != nil {
		return err
	}
	k.n.deletes.Add(1)
	k.mu.Lock()
	delete(k.owed, id)
	if due, late := k.late[id]; late && !time.Now().Before(due) {
		delete(k.late, id)
	}
	k.mu.Unlock()
	return nil
}
