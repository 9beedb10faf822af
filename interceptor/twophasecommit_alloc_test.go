//go:build !race

package interceptor

import (
	"bytes"
	"testing"

	"github.com/gotribes/tribes/message"
)

// What is allocated is the goroutine that confirms, if none runs, and the entry of
// what waits.
func TestTwoPhaseCommitAllocatesLittle(t *testing.T) {
	text := bytes.Repeat([]byte("some text "), 100)
	for _, tt := range []struct {
		name string
		most float64
		f    func()
	}{
		{"sends", 3, costOfSend(t, new(TwoPhaseCommit), text, message.Sync)},
		{"passes", 0, costOfSend(t, &TwoPhaseCommit{OptionFlag: 0x1000}, text, message.Sync)},
		{"receives", 3, costOfCommit(t, text)},
	} {
		for range 1000 {
			tt.f() // fills the pools
		}
		if got := testing.AllocsPerRun(1000, tt.f); got > tt.most {
			t.Errorf("TwoPhaseCommit %s: %v allocations, want at most %v", tt.name, got, tt.most)
		}
	}
}
