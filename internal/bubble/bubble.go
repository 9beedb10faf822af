package bubble

import (
	"runtime"
	"runtime/debug"
	"testing"
	"testing/cryptotest"
	"testing/synctest"
)

// Test is [synctest.Test], safe to use with the race detector.
func Test(t *testing.T, f func(*testing.T)) {
	t.Helper()
	if raced || replays {
		defer alone()()
	}
	synctest.Test(t, f)
}

// Seeded is Test for a simulation that draws all that comes at random from seed.
func Seeded(t *testing.T, seed uint64, f func(*testing.T)) {
	t.Helper()
	cryptotest.SetGlobalRandom(t, seed)
	if replays {
		defer alone()()
		runtime.GC() // twice empties pools
		runtime.GC()
		defer debug.SetGCPercent(debug.SetGCPercent(-1))
		seedRuntime(true, seed)
		defer seedRuntime(false, 0)
		runtime.Gosched() // a preemption that was asked for comes now
	}
	Test(t, f)
}
