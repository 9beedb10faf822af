//go:build !race

package group

import (
	"context"
	"testing"

	"github.com/gotribes/tribes/message"
)

// The wait of a call takes memory for its answers alone, whatever its destinations and
// however it is sent.
func TestCallWaitAllocates(t *testing.T) {
	b := newRig(t)
	w := &b.layer.waiting
	to, ctx := []*Member{b.peer, b.peer, b.peer}, context.Background()
	got := testing.AllocsPerRun(1000, func() {
		c, err := w.begin(to, AllReplies, nil)
		if err != nil {
			t.Fatal(err)
		}
		c.receipt.SettleAll(to, message.Acknowledged, nil)
		for range to {
			if !c.settle(c.id, b.peer.Key(), Answer{Outcome: CallReplied}) {
				t.Error("an answer was not taken")
			}
		}
		if timedOut, cause := c.wait(ctx, nil); timedOut || cause != nil {
			t.Error(cause)
		}
		if got, _ := c.finish(false, nil); got != len(to) {
			t.Errorf("%d replies", got)
		}
	})
	if got != 1 {
		t.Errorf("the wait makes %v allocations, want 1", got)
	}
}
