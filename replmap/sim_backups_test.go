package replmap

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/gotribes/tribes/replmap/internal/entry"
)

// TestSimulation with one and two backups. Beyond what is judged there, every value is on
// the members that are to have it and on no others, and is gone only if more members have
// crashed since it was written than it was to survive.
func TestBackupsSimulation(t *testing.T) {
	seeds, first := seedsOr(t, 200)
	for seed := first; seed < first+seeds; seed++ {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { newWorld(t, seed, 1+int(seed/12%2)).run() })
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
	err := n.Put(ctx, key, value)
	if err != nil && !errors.Is(err, ErrClosed) && !errors.Is(err, context.DeadlineExceeded) {
		c.w.t.Errorf("%s: %v", n.name, err)
	}
	d.acked = err == nil
	switch n.cfg.Wait { // fewer, if there are not so many members
	case WaitAll:
		d.safe = min(c.w.backups, min(s.Current, n.Stats().Current))
	case WaitOne:
		d.safe = min(1, min(s.Current, n.Stats().Current))
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
			w.judgeLoss(&e)
			continue
		}
		slices.Sort(want)
		slices.Sort(have)
		if !slices.Equal(have, want) {
			w.t.Errorf("%s at %v is on %v, and is to be on %v", e.Key, e.Version, have, want)
		}
	}
}

// judgeLoss is told of a value that no member has.
func (w *world) judgeLoss(e *entry.Entry) {
	for _, d := range w.writes {
		if d.key == e.Key && d.ver == e.Version && w.downs-d.downs <= d.safe {
			w.t.Errorf("%s at %v is lost: %d crashes since, is to survive %d, acked %v", e.Key, e.Version, w.downs-d.downs, d.safe, d.acked)
		}
	}
	w.t.Logf("%s at %v is lost after %d crashes", e.Key, e.Version, w.downs)
}
