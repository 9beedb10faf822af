package record

import (
	"slices"
	"testing"
)

// A session that one node ends is over on all.
func TestEndDominates(t *testing.T) {
	ended := 0
	for seed := range uint64(worlds) {
		w := newWorld(t, seed, Limits{})
		w.loss, w.ends = w.r.IntN(60), true
		over := false
		for range 20 + w.r.IntN(200) {
			w.step()
			over = over || slices.ContainsFunc(w.nodes, func(s *Session) bool { return s.hasEnded })
		}
		w.settle(true)
		for _, s := range w.nodes {
			if s.hasEnded != over {
				w.fail("ended on some node: %v, ended here: %v", over, s.hasEnded)
			}
		}
		if over {
			ended++
		}
	}
	if ended < worlds/10 {
		t.Errorf("%d of %d sessions ended: too few to prove anything", ended, worlds)
	}
}

// Merging snapshots is commutative, associative and idempotent.
func TestSnapshotLaws(t *testing.T) {
	merged := func(w *world, in ...*Session) *Session {
		s := on('z', Limits{})
		for _, o := range in {
			pull(w.t, s, o)
		}
		return s
	}
	for seed := range uint64(worlds) {
		w := newWorld(t, seed, Limits{})
		w.loss, w.diffs = w.r.IntN(60), true
		for range 20 + w.r.IntN(150) {
			w.step()
		}
		a, b, c := w.nodes[0], w.nodes[1], w.nodes[len(w.nodes)-1]
		ab, ba := merged(w, a, b), merged(w, b, a)
		if show(ab) != show(ba) || ab.Digest() != ba.Digest() {
			w.fail("not commutative:\n%s\n%s", show(ab), show(ba))
		}
		if twice := merged(w, a, b, a, b); twice.Digest() != ab.Digest() {
			w.fail("not idempotent:\n%s\n%s", show(twice), show(ab))
		}
		left, right := merged(w, ab, c), merged(w, a, merged(w, b, c))
		if show(left) != show(right) || left.Digest() != right.Digest() {
			w.fail("not associative:\n%s\n%s", show(left), show(right))
		}
	}
}
