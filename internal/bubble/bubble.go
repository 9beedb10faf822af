package bubble

import (
	"testing"
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
