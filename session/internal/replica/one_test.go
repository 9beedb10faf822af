package replica

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/gotribes/tribes/transport/mem"
)

// With One many sessions that were last in use elsewhere are asked for at the same time,
// as after a node has gone: each look-up gets its answer, and none waits for the budget.
func TestOneAsksForManyAtOnce(t *testing.T) {
	inRig(t, func(r *rig) {
		r.net = mem.NewNetwork(mem.Config{Seed: 1, Link: mem.Link{Delay: 2 * time.Millisecond}})
		one := func(c *Config) { c.Wait = One }
		a := r.start("a", one)
		b := r.start("b", one)
		const sessions = 100
		for i := range sessions {
			a.create(fmt.Sprint("id", i))
		}
		time.Sleep(time.Second)
		begin := time.Now()
		var finds sync.WaitGroup
		for i := range sessions {
			finds.Go(func() {
				h, err := b.Find(context.Background(), fmt.Sprint("id", i))
				if h == nil || err != nil {
					t.Errorf("id%d: %v, %v", i, h, err)
				}
			})
		}
		finds.Wait()
		if took := time.Since(begin); took >= b.cfg.Budget || a.Stats().Refused > 0 {
			t.Errorf("%d look-ups took %v, %d questions were not answered", sessions, took, a.Stats().Refused)
		}
	})
}
