package session

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/session/internal/record"
	"github.com/gotribes/tribes/session/internal/stored"
	"github.com/gotribes/tribes/session/sessiontest"
)

// TestSimulation with a store that all nodes have, which in some seeds does not always work:
// what holds there holds here, and in the end the store has what nodes that live have written,
// and with EachRequest and a store that works all that was acknowledged. What was ended leads nowhere: of two nodes that give a session new ids in a split, and one of which
// fails then, a row can be left.
func TestPersistClusterSimulation(t *testing.T) {
	seeds := uint64(30)
	if testing.Short() {
		seeds = 4
	}
	for seed := uint64(1); seed <= seeds; seed++ {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			bubble.Seeded(t, "", seed, func(t *testing.T) {
				s := sessiontest.NewStore()
				w := newWorld(t, seed)
				cfg := w.f.cfg
				w.f.cfg = func(c *Config) {
					cfg(c)
					c.Persist = &Persist{Store: s, EachRequest: seed%3 != 0}
				}
				if seed%2 == 0 {
					s.Inject(moody(seed))
				}
				w.after = func(w *world) { w.judgeStore(s, seed%3 != 0 && seed%2 != 0) }
				w.run()
			})
		})
	}
}

// moody is a store of which a call in ten fails, or has an answer that is lost.
func moody(seed uint64) sessiontest.Faults {
	var mu sync.Mutex
	rnd := rand.New(rand.NewPCG(seed, 3))
	return sessiontest.Faults{Before: func(context.Context, sessiontest.Call) error {
		mu.Lock()
		defer mu.Unlock()
		if rnd.IntN(10) == 0 {
			return errBroken
		}
		return nil
	}}
}

// judgeStore compares what is stored with what the nodes have. What a node that has crashed
// had not stored may be missing, but nothing that was acknowledged if that is sure.
func (w *world) judgeStore(s *sessiontest.Store, sure bool) {
	s.Inject(sessiontest.Faults{})
	for _, n := range w.nodes {
		must(w.t, n.keeper.Flush(context.Background()))
	}
	have, over := w.nodes[w.names[0]].copies(), make(map[record.Key]bool)
	tried := make(map[record.Key]bool) // to end, if only in the store, by a node that has crashed then
	for _, d := range w.deeds {
		if d.what == invalidate {
			tried[d.key], over[d.key] = true, !w.mayBeLost(d) || over[d.key]
		}
	}
	rows := make(map[record.Key]*record.Session)
	for _, row := range s.Sessions() {
		sn, err := stored.Decode(CBOR().Name(), row.Data)
		must(w.t, err)
		if over[sn.Key] {
			w.judgeRow(row.ID)
			continue
		}
		// A node that has crashed may have stored it under an id that the others do not know.
		if rows[sn.Key] == nil {
			rows[sn.Key] = record.New(record.NewSite(w.nodes[w.names[0]].node.ID(), record.Limits{IDs: 1}, false), sn.Key)
		}
		_, err = rows[sn.Key].MergeSnapshot(sn, 0)
		must(w.t, err)
	}
	for k, h := range have {
		orphan := slices.ContainsFunc(w.dead, h.Rec.WrittenBy)
		if r := rows[k]; r == nil && !orphan && !tried[k] {
			w.t.Errorf("session %v is not stored", k)
		} else if r != nil && !orphan {
			news, err := r.MergeSnapshot(h.Rec.Snapshot(0), 0)
			must(w.t, err)
			if news.Changed {
				w.t.Errorf("something of session %v is not stored", k)
			}
		}
	}
	if sure {
		w.judgeAcked(have, rows, tried)
	}
}

// judgeAcked looks whether what was acknowledged is stored.
func (w *world) judgeAcked(have map[record.Key]*held, rows map[record.Key]*record.Session, tried map[record.Key]bool) {
	for _, d := range w.deeds {
		h := have[d.key]
		if !d.acked || d.what != set && d.what != add || h == nil || tried[d.key] || h.Rec.Version(d.name).Compare(d.ver) < 0 {
			continue // nor do the nodes have it: it was removed, or ended
		}
		if r := rows[d.key]; r == nil || r.Version(d.name).Compare(d.ver) < 0 {
			w.t.Errorf("session %v: %s of %v was acknowledged, and is not stored", d.key, d.name, d.run)
		}
	}
}

// judgeRow looks whether a session that has ended can be had from the store, but for a moment
// on a node that has not been told of the end.
func (w *world) judgeRow(id string) {
	for _, n := range w.nodes {
		_, err := n.look(id)
		must(w.t, err)
	}
	time.Sleep(time.Minute)
	for name, n := range w.nodes {
		if h, err := n.look(id); h != nil || err != nil {
			w.t.Errorf("%s: a session that was invalidated is there, from the store; %v", name, err)
		}
	}
}
