package replica

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
	"github.com/gotribes/tribes/session/internal/record"
	"github.com/gotribes/tribes/session/internal/sessionwire"
	"github.com/gotribes/tribes/session/internal/table"
)

const (
	minTomb  = 10 * time.Minute
	maxTomb  = 24 * time.Hour
	maxTombs = 1 << 18
	flushes  = 500 * time.Millisecond // the time between two messages about accesses and expiry
	perBatch = 4096                   // sessions in one of them
	perPeer  = 4                      // questions of one peer that are answered at a time
)

// tombs remembers sessions that were invalidated, so that a node that was away does not
// bring them back.
type tombs struct {
	mu sync.Mutex
	m  map[record.Key]tomb
}

type tomb struct {
	end   record.End
	until time.Duration
}

// add remembers the end of a session for as long as a copy of it could live.
func (t *tombs) add(k record.Key, end record.End, now, timeout time.Duration) {
	if timeout == 0 {
		timeout = maxTomb
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, known := t.m[k]; !known && len(t.m) >= maxTombs {
		for old := range t.m { // any one
			delete(t.m, old)
			break
		}
	}
	t.m[k] = tomb{end, now + min(timeout+minTomb, maxTomb)}
}

func (t *tombs) get(k record.Key) (tomb, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	x, ok := t.m[k]
	return x, ok
}

// all returns the ends of all sessions that are remembered, in order of keys.
func (t *tombs) all() []sessionwire.End {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := make([]sessionwire.End, 0, len(t.m))
	for k, x := range t.m {
		all = append(all, sessionwire.End{Key: k, End: x.end})
	}
	slices.SortFunc(all, func(a, b sessionwire.End) int { return a.Key.Compare(b.Key) })
	return all
}

func (t *tombs) remove(k record.Key) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.m, k)
}

func (t *tombs) has(k record.Key) bool { _, ok := t.get(k); return ok }

func (t *tombs) purge(now time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for k, x := range t.m {
		if now > x.until {
			delete(t.m, k)
		}
	}
}

// expire is told by the sweep of a session whose deadline has passed.
func (e *Engine) expire(h *table.Entry) { e.cfg.Expire(h) }

// Accessed is told of an access. The caller holds h.Mu.
func (e *Engine) Accessed(h *table.Entry) {
	_, here := h.Rec.LastTouch()
	if !here || h.Due(e.Now(), e.cfg.Touch) {
		e.mu.Lock()
		e.touches[h.Rec.Key()] = true
		e.mu.Unlock()
	}
}

// tick tells the peers from time to time which sessions are in use and which have
// expired, and compares with one of them.
func (e *Engine) tick(ctx context.Context) {
	ticker := time.NewTicker(flushes)
	defer ticker.Stop()
	next := e.Now() + e.cfg.Repair
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		e.flush()
		if now := e.Now(); now >= next && e.whole() {
			next = now + e.cfg.Repair
			e.tombs.purge(now)
			e.peers.Compare()
		}
	}
}

// flush sends what has gathered since the last time.
func (e *Engine) flush() {
	e.mu.Lock()
	touches, ends := e.touches, e.ends
	e.touches, e.ends = make(map[record.Key]bool), make(map[record.Key]sessionwire.End)
	e.mu.Unlock()
	e.flushTouches(touches)
	all := make([]sessionwire.End, 0, len(ends))
	for _, end := range ends {
		all = append(all, end)
	}
	slices.SortFunc(all, func(a, b sessionwire.End) int { return a.Key.Compare(b.Key) })
	for some := range slices.Chunk(all, perBatch) {
		e.post(&sessionwire.Ends{Sessions: some})
	}
}

func (e *Engine) flushTouches(keys map[record.Key]bool) {
	now := e.Now()
	var all []sessionwire.Touch
	for k := range keys {
		h := e.tab.Get(k)
		if h == nil {
			continue
		}
		h.Mu.Lock()
		if t, ok := h.Rec.TakeTouch(now); ok {
			all = append(all, sessionwire.Touch{Key: k, Touch: t})
		}
		h.Mu.Unlock()
	}
	slices.SortFunc(all, func(a, b sessionwire.Touch) int { return a.Key.Compare(b.Key) })
	for some := range slices.Chunk(all, perBatch) {
		e.post(&sessionwire.Touches{Sessions: some})
	}
}

// post sends a message that may be lost to all peers that answer.
func (e *Engine) post(m sessionwire.Message) {
	body := sessionwire.Append(nil, m)
	for _, p := range e.peers.All() {
		if err := p.Post(body); err != nil {
			e.cfg.Logger.Debug("session message not sent", "kind", m.Kind(), "err", err)
		}
	}
}

// tellEnd tells a peer that a session it has is over.
func (e *Engine) tellEnd(ctx context.Context, p *peer, k record.Key) {
	t, ok := e.tombs.get(k)
	if !ok {
		return
	}
	m := &sessionwire.Ends{Sessions: []sessionwire.End{{Key: k, End: t.end}}}
	_, err := e.topic.Post(ctx, []*membership.Member{p.Member()}, sessionwire.Append(nil, m), message.UseAck, nil)
	if err != nil {
		e.cfg.Logger.Debug("end of a session not sent", "member", p.Member(), "err", err)
	}
}
