package replmap

import (
	"bytes"
	"context"
	"time"

	"github.com/gotribes/tribes/membership"
)

// place says whose an entry is.
type place struct {
	primary *membership.Member
	nodes   []*membership.Member
	from    membership.ID // who has written it last, and when by its own clock, in ms
	sent    int64
	orphan  bool // its primary is gone, and who takes over is not known
	flying  int  // messages of this member about it that are not answered
	crossed bool // while one was on its way another member has said something else
}

// own makes this member the primary of a key.
func (t *tribesMap) own(key string, nodes []*membership.Member) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.place(key)
	p.primary, p.nodes, p.from, p.sent, p.orphan = t.local(), nodes, t.local().ID(), 0, false
}

// place returns that of a key. The caller holds t.mu.
func (t *tribesMap) place(key string) *place {
	p := t.places[key]
	if p == nil {
		p = &place{}
		t.places[key] = p
	}
	return p
}

// flying sends something about a key by f. If another member says something else about it
// before all have answered, then each side may have taken what the other has said. So this
// member says again what it has then: at once if it is the lower one, else a moment later
// unless it hears more meanwhile, so that two of this module do not go on for ever.
func (t *tribesMap) flying(key string, f func() error) error {
	t.mu.Lock()
	t.place(key).flying++
	t.mu.Unlock()
	err := f()
	t.mu.Lock()
	p := t.place(key)
	p.flying--
	crossed, other := p.crossed && p.flying == 0, p.from
	p.crossed = p.crossed && !crossed
	t.mu.Unlock()
	if crossed {
		t.later(func(ctx context.Context) { t.again(ctx, key, other) })
	}
	return err
}

// again says what a key is, after messages about it have crossed.
func (t *tribesMap) again(ctx context.Context, key string, other membership.ID) {
	before, _ := t.table.Get(key)
	if mine := t.local().ID(); bytes.Compare(mine[:], other[:]) > 0 {
		select {
		case <-ctx.Done():
			return
		case <-time.After(t.cfg.Access / 2):
		}
		if now, _ := t.table.Get(key); now.Version != before.Version {
			return // the other has said it again
		}
	}
	t.n.repaired.Add(1)
	to, _ := t.members()
	t.own(key, to)
	if len(to) == 0 {
		return
	}
	if err := t.tell(ctx, to, key); err != nil {
		for _, m := range to {
			t.miss(m, key)
		}
	}
}

// forget drops the place of a key that is gone.
func (t *tribesMap) forget(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if p := t.places[key]; p != nil && p.flying > 0 {
		*p = place{flying: p.flying, crossed: p.crossed}
		return
	}
	delete(t.places, key)
}
