package replmap

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/replmap/internal/entry"
)

// TestSimulation with one and two backups. Beyond what is judged there, every value is on
// the members that are to have it and on no others, and is gone only if more members have
// crashed since it was written than it was to survive.
func TestBackupsSimulation(t *testing.T) {
	seeds, first := seedsOr(t, 200)
	for seed := first; seed < first+seeds; seed++ {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			if !bubble.Replays {
				t.Parallel()
			}
			bubble.Seeded(t, "replmap.seed", seed, func(t *testing.T) {
				w := newWorld(t, seed, 1+int(seed/12%2))
				w.faults, w.acts = 15, 50
				w.run()
			})
		})
	}
}

// put writes and notes what has become of it.
func (c *client) put(ctx context.Context, n *node, key, value string) {
	c.w.mu.Lock()
	d := &deed{n: n, key: key, downs: c.w.downs}
	c.w.mu.Unlock()
	s := n.Stats()
	d.alone = s.Members == 0
	before, _ := n.r.table.Get(key)
	native := n.rep.(*native)
	epoch := native.epoch.Load()
	err := n.Put(ctx, key, value)
	unresolved := n.cfg.Resolve != nil && errors.Is(err, ErrNoHolder)
	if err != nil && !unresolved && !errors.Is(err, ErrClosed) && !errors.Is(err, context.DeadlineExceeded) {
		c.w.t.Errorf("%s: %v", n.name, err)
	}
	d.acked = err == nil
	switch { // fewer, if there are not so many members
	case native.epoch.Load() != epoch: // it may have been alone for a moment
	case n.cfg.Wait == WaitAll:
		d.safe = min(c.w.backups, s.Current)
	case n.cfg.Wait == WaitOne:
		d.safe = min(1, s.Current)
	}
	e, there := n.r.table.Get(key)
	want := entry.Entry{Key: key, Value: []byte(value)}
	n.r.table.Digest(&want)
	if !there || !e.Proxy && string(e.Value) != value || e.Proxy && e.Sum != want.Sum || e.Version == before.Version {
		return // it was overruled meanwhile
	}
	d.ver = e.Version
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	c.w.writes = append(c.w.writes, d)
}

// judgeValues says what has gone wrong with the places of values.
func (w *world) judgeValues(all []*node) {
	for e := range all[0].r.table.All() {
		want, have := names(all[0], e.Key, all...), []string(nil)
		for _, n := range all {
			if n.r.table.Holds(e.State()) {
				have = append(have, n.name)
			}
			if got := names(n, e.Key, all...); !slices.Equal(got, want) {
				w.t.Errorf("%s says %s is to be on %v, %s says %v", n.name, e.Key, got, all[0].name, want)
			}
		}
		if len(have) == 0 {
			w.t.Logf("%s at %v is lost after %d crashes", e.Key, e.Version, w.downs)
			continue // audit has judged that
		}
		slices.Sort(want)
		slices.Sort(have)
		if !slices.Equal(have, want) {
			w.t.Errorf("%s at %v is on %v, and is to be on %v", e.Key, e.Version, have, want)
		}
	}
}

// audit judges, at a moment at which nothing runs:
//   - a value that no member has, though one knows of the entry, was on as many members as
//     are to have it: so more have crashed since than there are backups;
//   - a write that has returned without an error is known if not more members have crashed
//     since than it was to survive.
func (w *world) audit() {
	if w.backups == 0 {
		return
	}
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	last := make(map[string]entry.Entry)
	held := make(map[entry.State]bool)
	for _, n := range w.nodes {
		if n.r.table == nil {
			continue
		}
		for _, e := range n.r.table.States(simKeys) {
			held[e.State()] = held[e.State()] || !e.Proxy
			if _, there := w.seen[e.State()]; !there {
				w.seen[e.State()] = w.audited
			}
			if old, there := last[e.Key]; !there || e.Compare(&old) > 0 {
				last[e.Key] = e
			}
		}
	}
	for _, e := range last {
		s := e.State()
		ended := e.Gone || e.Lifetime == 0
		if since := w.downs - w.seen[s]; !ended && !held[s] && since <= w.backups {
			w.t.Errorf("%s at %v is lost, %d crashes since", e.Key, e.Version, since)
		}
	}
	for _, d := range w.writes {
		if e := last[d.key]; d.acked && w.downs-d.downs <= d.safe && e.Version.Compare(d.ver) < 0 {
			w.t.Errorf("%s at %v is forgotten, %d crashes since, is to survive %d; it is at %v now", d.key, d.ver, w.downs-d.downs, d.safe, e.Version)
		}
	}
	w.audited = w.downs
}

// simKeys are all that clients write.
var simKeys = func() (all []string) {
	for i := range 12 {
		all = append(all, fmt.Sprint("k", i))
	}
	return append(all, "n0", "n1")
}()
