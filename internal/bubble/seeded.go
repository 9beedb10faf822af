package bubble

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strings"
	"testing"
	"testing/cryptotest"
)

// Replays says that the program is one that replays: see package replay. Then what
// [Seeded] runs depends on nothing but the seed and the code.
const Replays = replays

// Seeded is [Test] for a simulation. In a program that replays, all that is left to chance
// comes from the seed; there the test must not be parallel. If the simulation fails, the
// command that replays it is printed; if it crashes there, the command is in the stacks.
// Flag names the test's flag that takes the one seed to run, and is empty if the name of
// the subtest suffices.
func Seeded(t *testing.T, flag string, seed uint64, f func(*testing.T)) {
	t.Helper()
	again := command(t.Name(), flag, seed)
	defer func() {
		if t.Failed() {
			t.Log("this seed again: " + again)
		}
	}()
	if replays {
		cryptotest.SetGlobalRandom(t, seed)
		t.Setenv("GODEBUG", strings.TrimPrefix(os.Getenv("GODEBUG")+",tracebacklabels=1", ","))
		defer chance(t, seed)()
	}
	Test(t, func(t *testing.T) {
		pprof.Do(t.Context(), pprof.Labels("this seed again", again), func(context.Context) { f(t) })
	})
}

// heapLimit is how much memory a simulation may use before the garbage collector runs in
// it, in bytes.
const heapLimit = 3 << 30

// chance lets what the runtime draws come from the seed until its result is called.
func chance(t *testing.T, seed uint64) func() {
	processors := alone()
	runtime.GC() // an empty sync.Pool; the second round takes what the first has spared
	runtime.GC()
	percent, limit := debug.SetGCPercent(-1), debug.SetMemoryLimit(heapLimit)
	before := collections()
	beginChance(seed)
	runtime.Gosched() // if this goroutine was to be preempted, it is now
	return func() {
		t.Logf("replay %016x", endChance())
		if collections() != before {
			t.Logf("the garbage collector has run beyond %d MiB: another run may differ", heapLimit>>20)
		}
		debug.SetGCPercent(percent)
		debug.SetMemoryLimit(limit)
		processors()
	}
}

// collections returns how often the garbage collector has run.
func collections() int64 {
	var s debug.GCStats
	debug.ReadGCStats(&s)
	return s.NumGC
}

// command is what a user types to run a seed again.
func command(test, flag string, seed uint64) string {
	args := []string{"go run ./simulation/replay"}
	if raced {
		args = append(args, "-race")
	}
	top, sub, _ := strings.Cut(test, "/")
	switch {
	case flag != "":
		args = append(args, fmt.Sprintf("-run '^%s$' %s -%s %d", top, here(), flag, seed))
	case sub != "":
		args = append(args, fmt.Sprintf("-run '^%s$/^%s$' %s", top, sub, here()))
	default:
		args = append(args, fmt.Sprintf("-run '^%s$' %s", top, here()))
	}
	return strings.Join(args, " ")
}

// here is the package that is tested, as seen from the root of its module; go test runs
// tests in its directory.
func here() string {
	dir, err := os.Getwd()
	if err != nil {
		return "."
	}
	for root := dir; ; root = filepath.Dir(root) {
		if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
			rel, _ := filepath.Rel(root, dir)
			return "./" + filepath.ToSlash(rel)
		}
		if root == filepath.Dir(root) {
			return "."
		}
	}
}
