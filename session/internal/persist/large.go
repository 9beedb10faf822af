package persist

import (
	"github.com/gotribes/tribes/session/internal/table"
	"github.com/gotribes/tribes/session/store"
)

// Fits fails with store.ErrTooLarge if a commit is to fail when a save does, and a session has
// changes that are not saved since it is too large: whoever has made them is not to be told
// that they are, whichever request has found that out.
func (k *Keeper) Fits(h *table.Entry) error {
	h.Mu.RLock()
	defer h.Mu.RUnlock()
	if at := h.Kept; k.cfg.Strict && k.cfg.EachRequest && at != nil && at.TooLarge && at.Writes != at.Saved && !h.Gone() {
		return store.ErrTooLarge
	}
	return nil
}
