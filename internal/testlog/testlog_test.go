package testlog

import (
	"fmt"
	"sync"
	"testing"

	"github.com/gotribes/tribes/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

func TestLog(t *testing.T) {
	var l Log
	var all sync.WaitGroup
	for i := range 10 {
		all.Go(func() { fmt.Fprintf(&l, "line %d\n", i) })
	}
	all.Wait()
	if a, b := l.Lines("line"), l.Lines("line 7"); a != 10 || b != 1 {
		t.Errorf("%d lines, %d of them the seventh", a, b)
	}
	if all := l.String(); l.Take() != all || l.Take() != "" || l.Lines("") != 0 {
		t.Errorf("%q, then %q", all, l.String())
	}
}
