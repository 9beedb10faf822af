package mcast

import (
	"testing"
	"time"

	"github.com/gotribes/tribes/internal/bubble"
)

func TestQuiet(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		var q quiet
		for i, c := range []struct {
			after   time.Duration
			kind    string
			from    int
			ok      bool
			leftOut uint64
		}{
			{0, "a", 1, true, 0},
			{0, "a", 1, false, 0},
			{0, "b", 1, true, 0},
			{time.Second, "a", 2, true, 1},
			{0, "a", 3, true, 0},
			{0, "a", 4, true, 0},
			{0, "a", 5, false, 0}, // too many sources
			{58 * time.Second, "a", 1, false, 0},
			{time.Second, "a", 1, true, 2},
			{0, "a", 1, false, 0},
			{time.Hour, "a", 5, true, 1},
		} {
			time.Sleep(c.after)
			if leftOut, ok := q.may(c.kind, host(c.from)); ok != c.ok || leftOut != c.leftOut {
				t.Errorf("step %d: may(%q, %d) = %d, %v, want %d, %v", i, c.kind, c.from, leftOut, ok, c.leftOut, c.ok)
			}
		}
	})
}
