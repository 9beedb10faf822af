//go:build replay

package simulation

import (
	"testing"

	"github.com/gotribes/tribes/internal/bubble"
)

// A seed is the same run each time, whatever ran before it in the process: all that
// happens, and when. Another seed is another run.
func TestSeedReplays(t *testing.T) {
	if !bubble.Replays {
		t.Fatal("the program does not replay")
	}
	const seeds = 9 // one of each stack
	first := make(map[uint64]string)
	for seed := uint64(1); seed <= seeds; seed++ {
		first[seed] = simulate(t, seed)
		if seed > 1 && first[seed] == first[seed-1] {
			t.Errorf("seeds %d and %d have the same trace", seed-1, seed)
		}
	}
	for seed := uint64(seeds); seed > 0; seed-- {
		if again := simulate(t, seed); again != first[seed] {
			t.Errorf("seed %d has the trace %s, and %s when it runs again", seed, first[seed], again)
		}
	}
}
