package replica

import (
	"slices"
	"sync"

	"github.com/gotribes/tribes/session/internal/sessionwire"
	"github.com/gotribes/tribes/session/internal/table"
)

// EndOwn ends the sessions that end does, and tells all peers that answer. It returns when
// they have ended them, or have not answered in time. It is for the end of a node, before
// Close, when no more requests come.
func (e *Engine) EndOwn(end func(*table.Entry) bool) {
	var all []sessionwire.End
	for h := range e.tab.All() {
		if !end(h) {
			continue
		}
		h.Mu.RLock()
		if x, ok := h.Rec.Ended(); ok {
			all = append(all, sessionwire.End{Key: h.Rec.Key(), End: x})
		}
		h.Mu.RUnlock()
	}
	slices.SortFunc(all, func(a, b sessionwire.End) int { return a.Key.Compare(b.Key) })
	var told sync.WaitGroup
	for _, p := range e.peers.All() {
		if p.Answers() {
			told.Go(func() { e.tellAll(p, all) })
		}
	}
	told.Wait()
}

// tellAll tells a peer that sessions have ended, as long as it answers.
func (e *Engine) tellAll(p *peer, all []sessionwire.End) {
	for some := range slices.Chunk(all, perBatch) {
		if err := e.tellEnds(e.ctx, p, some); err != nil {
			e.cfg.Logger.Warn("ends of sessions could not be given", "member", p.Member(), "sessions", len(all), "err", err)
			return
		}
	}
}
