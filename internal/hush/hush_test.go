package hush

import (
	"testing"
	"time"

	"github.com/gotribes/tribes/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// One line of a text about a source in ten seconds; what was left out is counted.
func TestOneLineInAWhile(t *testing.T) {
	var h Hush[string]
	now := time.Now()
	for i := range 5 {
		if ok, _ := h.Allow("a", "x", now); ok != (i == 0) {
			t.Errorf("line %d: %v", i, ok)
		}
	}
	for _, l := range [][2]string{{"b", "x"}, {"a", "y"}} {
		if ok, skipped := h.Allow(l[0], l[1], now); !ok || skipped != 0 {
			t.Errorf("%v: %v, %d skipped", l, ok, skipped)
		}
	}
	if ok, skipped := h.Allow("a", "x", now.Add(Pause-1)); ok || skipped != 0 {
		t.Errorf("before the pause is over: %v, %d skipped", ok, skipped)
	}
	if ok, skipped := h.Allow("a", "x", now.Add(Pause)); !ok || skipped != 5 {
		t.Errorf("after a pause: %v, %d skipped", ok, skipped)
	}
}

// Many sources have a bounded number of lines, and are written of together; what is old makes
// room.
func TestManySources(t *testing.T) {
	h := Hush[int]{Max: 32}
	now := time.Now()
	lines := func() (n int) {
		for i := 1; i <= 1000; i++ {
			if ok, _ := h.Allow("a", i, now); ok {
				n++
			}
		}
		return n
	}
	if got := lines(); got != 33 || len(h.lines) != 33 {
		t.Errorf("%d lines about 1000 sources, %d remembered, want 32 and one for the rest", got, len(h.lines))
	}
	if got := lines(); got != 0 {
		t.Errorf("%d lines about the same ones, want 0", got)
	}
	if ok, _ := h.Allow("b", 1, now); !ok {
		t.Error("another text was left out")
	}
	now = now.Add(Pause)
	if got := lines(); got != 33 {
		t.Errorf("%d lines after a pause, want 33", got)
	}
}
