package persist

import (
	"context"
	"fmt"
	"time"

	"github.com/gotribes/tribes/session/internal/table"
)

// errBusy is the error of who has waited too long for what others do to a session in the store.
var errBusy = fmt.Errorf("%w: another call for the session takes too long", ErrStore)

// acquire waits until nothing else is done to a session in the store, for longer than a save
// takes that others overtake, but not for ever: a call may hang that does not end with its
// context, as one of a disk.
func (k *Keeper) acquire(ctx context.Context, h *table.Entry) error {
	var limit <-chan time.Time
	for {
		h.Mu.Lock()
		busy := kept(h).Busy
		if busy == nil {
			h.Kept.Busy = make(chan struct{})
			h.Mu.Unlock()
			return nil
		}
		h.Mu.Unlock()
		if limit == nil {
			t := time.NewTimer(5 * k.cfg.Timeout)
			defer t.Stop()
			limit = t.C
		}
		select {
		case <-busy:
		case <-limit:
			return errBusy
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (k *Keeper) release(h *table.Entry) {
	h.Mu.Lock()
	defer h.Mu.Unlock()
	close(h.Kept.Busy)
	h.Kept.Busy = nil
}
