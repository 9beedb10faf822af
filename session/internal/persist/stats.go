package persist

import (
	"sync/atomic"
	"time"
)

// counters are the numbers of Stats.
type counters struct {
	loads, misses, loaded, saves, bytes, touches, deletes atomic.Uint64
	conflicts, lost, failed, tooLarge, unreadable         atomic.Uint64
	swapped, expired, forgotten                           atomic.Uint64
}

// Stats are numbers of a keeper, since it was made except for the first ones.
type Stats struct {
	InMemory int  // sessions in memory now
	Unsaved  int  // of those, the ones with changes that are not stored
	Down     bool // the last call of the store has failed

	Loads      uint64 // sessions that the store gave, also to compare
	Misses     uint64 // that it did not have
	SwappedIn  uint64 // sessions that came into memory
	SwappedOut uint64 // that left it
	Saves      uint64
	SavedBytes uint64
	Touches    uint64 // accesses that the store was told of
	Deletes    uint64
	Expired    uint64 // that the store has removed when it was told to

	Conflicts  uint64 // saves that another node had overtaken; they were merged
	Lost       uint64 // sessions that were deleted elsewhere
	Failed     uint64 // saves that did not work
	TooLarge   uint64 // of those, because the session was too large for the store
	Unreadable uint64 // stored sessions that could not be read
	Forgotten  uint64 // ids of sessions that have ended, not remembered since too many are to be deleted

	Calls       uint64        // of the store
	StoreErrors uint64        // of those, the ones that failed
	CallTime    time.Duration // that they took, in all
	SlowestCall time.Duration
}

// Stats returns the numbers now. They are read one after the other; Unsaved looks at each
// session.
func (k *Keeper) Stats() Stats {
	s := Stats{
		InMemory: k.Count(), Down: k.calls.down(),
		Loads: k.n.loads.Load(), Misses: k.n.misses.Load(), SwappedIn: k.n.loaded.Load(), SwappedOut: k.n.swapped.Load(),
		Saves: k.n.saves.Load(), SavedBytes: k.n.bytes.Load(), Touches: k.n.touches.Load(), Deletes: k.n.deletes.Load(),
		Expired: k.n.expired.Load(), Conflicts: k.n.conflicts.Load(), Lost: k.n.lost.Load(), Failed: k.n.failed.Load(),
		TooLarge: k.n.tooLarge.Load(), Unreadable: k.n.unreadable.Load(), Forgotten: k.n.forgotten.Load(), Calls: k.calls.n.Load(), StoreErrors: k.calls.errors.Load(),
		CallTime: time.Duration(k.calls.nanos.Load()), SlowestCall: time.Duration(k.calls.slowest.Load()),
	}
	for h := range k.All() {
		h.Mu.RLock()
		if at := h.Kept; at != nil && at.Writes != at.Saved && !h.Gone() {
			s.Unsaved++
		}
		h.Mu.RUnlock()
	}
	return s
}
