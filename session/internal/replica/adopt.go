package replica

import (
	"github.com/gotribes/tribes/session/internal/record"
	"github.com/gotribes/tribes/session/internal/table"
)

// Adopt takes a session that comes from a store: a node that does not have it gets it with
// the next change. It calls note with the lock of the entry. It fails with record.ErrEnded
// if the session has ended as far as this node knows, and with ErrNotReady before it has all
// sessions.
func (e *Engine) Adopt(sn *record.Snapshot, later func(h *table.Entry) bool, note func(h *table.Entry, isNew bool)) (*table.Entry, error) {
	if !e.whole() {
		return nil, ErrNotReady
	}
	if e.tombs.has(sn.Key) {
		return nil, record.ErrEnded
	}
	h, err := e.tab.Adopt(e.site, sn, later, func(h *table.Entry, isNew bool) {
		note(h, isNew)
		e.arm(h, e.Now())
	})
	if err != nil {
		return nil, err
	}
	if e.tombs.has(sn.Key) { // it has ended in between
		h.Mu.Lock()
		if !h.Gone() {
			e.forget(h)
		}
		h.Mu.Unlock()
		return nil, record.ErrEnded
	}
	return h, nil
}

// Evict drops a session without a word. The other nodes keep it and may give it back. The
// caller holds h.Mu.
func (e *Engine) Evict(h *table.Entry) { e.tab.Remove(h, h.Rec.ID()) }
