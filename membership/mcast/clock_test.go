package mcast

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gotribes/tribes/internal/bubble"
)

// A step of the wall clock can have no effect where no time is taken apart: the
// monotonic reading counts in Sub, Since, Until, Before, After and timers, and
// is lost in the methods below.
func TestNoWallClock(t *testing.T) {
	losing := map[string]bool{"Unix": true, "UnixMilli": true, "UnixMicro": true, "UnixNano": true, "Round": true,
		"Truncate": true, "UTC": true, "Local": true, "In": true, "AddDate": true, "Format": true, "Date": true}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		checked++
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok {
				if sel, ok := call.Fun.(*ast.SelectorExpr); ok && losing[sel.Sel.Name] {
					t.Errorf("%s: a call of %s, which loses the monotonic reading", fset.Position(n.Pos()), sel.Sel.Name)
				}
			}
			return true
		})
	}
	if checked < 10 {
		t.Errorf("only %d files checked", checked)
	}
}

func TestHeart(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		const frequency = 500 * time.Millisecond
		begin := time.Now()
		at := func(ms int) time.Time { return begin.Add(time.Duration(ms) * time.Millisecond) }
		h := heart{next: at(500)}
		check := func(ms int, want bool) {
			t.Helper()
			if got := h.due(at(ms), frequency); got != want {
				t.Errorf("due at %dms = %v, want %v", ms, got, want)
			}
		}
		check(499, false)
		check(500, true)
		check(501, false)
		check(1100, true) // late; the pace is kept
		check(1499, false)
		check(1500, true)
		check(9000, true) // far too late; what was missed is not made up for
		check(9001, false)
		check(9500, true)

		h = heart{next: at(100_000)}
		h.soon(0)
		check(0, true)
		h.soon(0)
		if got := h.extra; !got.Equal(at(50)) {
			t.Errorf("a second heartbeat out of turn after %v, want 50ms", got.Sub(begin))
		}
		h.soon(time.Minute) // it does not delay the other
		check(49, false)
		check(50, true)
		h.soon(200 * time.Millisecond)
		h.soon(100 * time.Millisecond)
		if got := h.wait(); got != 100*time.Millisecond {
			t.Errorf("wait() = %v, want 100ms", got)
		}
		check(100_000, true) // a regular one does for both
		check(100_001, false)
	})
}

func TestAnswerDelay(t *testing.T) {
	for _, c := range []struct {
		n    int
		most time.Duration
	}{{0, 0}, {8, 0}, {9, 1800 * time.Microsecond}, {100, 20 * time.Millisecond}, {10_000, maxSpread}} {
		for range 1000 {
			if got := answerDelay(c.n); got < 0 || got > c.most {
				t.Fatalf("answerDelay(%d) = %v, want 0 to %v", c.n, got, c.most)
			}
		}
	}
}
