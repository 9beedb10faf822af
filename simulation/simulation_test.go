package simulation

import (
	"flag"
	"fmt"
	"testing"

	"github.com/gotribes/tribes/internal/bubble"
)

var (
	simSeed  = flag.Uint64("simulation.seed", 0, "the one seed that TestSimulation runs")
	simSeeds = flag.Uint64("simulation.seeds", 0, "how many seeds TestSimulation runs, from 1 on")
)

// The stacks under all faults: see doc.go, and judge_test.go for what must hold.
func TestSimulation(t *testing.T) {
	first, last := uint64(1), size[uint64](20, 30, 3000)
	if *simSeeds != 0 {
		last = *simSeeds
	}
	if *simSeed != 0 {
		first, last = *simSeed, *simSeed
	}
	for seed := first; seed <= last; seed++ {
		name := fmt.Sprintf("seed %d, %s", seed, stacks[seed%uint64(len(stacks))].name)
		t.Run(name, func(t *testing.T) { simulate(t, seed) })
	}
}

// simulate runs a seed and returns the hash of its trace.
func simulate(t *testing.T, seed uint64) (sum string) {
	t.Helper()
	bubble.Seeded(t, "simulation.seed", seed, func(t *testing.T) {
		w := newWorld(seed)
		w.run()
		for i, what := range w.wrong {
			if i == 5 {
				t.Errorf("and %d more", len(w.wrong)-i)
				break
			}
			t.Error(what)
		}
		sum = w.trace.sum()
		t.Logf("trace %s: %d messages delivered, %d outcomes, %d replies to calls, %+v", sum, len(w.delivered), w.outcomes, w.replies, w.net.Stats())
		if err := w.trace.save(); err != nil {
			t.Error(err)
		}
	})
	return sum
}
