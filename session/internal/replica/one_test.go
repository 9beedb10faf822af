package replica

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/gotribes/tribes/session/internal/sessionwire"
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

// Each peer gets its answer, also if more of them ask at the same time than are answered at
// a time: who gets none takes this node for one that does not answer.
func TestManyPeersAsk(t *testing.T) {
	inRig(t, func(r *rig) {
		n := r.start("a", nil)
		var all []*rogue
		for i := range 24 {
			x := r.rogue(fmt.Sprint("x", i))
			x.meet(n, sessionwire.Ready)
			all = append(all, x)
		}
		time.Sleep(10 * time.Second)
		r.net.SetLinks(mem.Link{Delay: time.Millisecond})
		var asked sync.WaitGroup
		for _, x := range all {
			asked.Go(func() { must(t, x.send(n, &sessionwire.Fetch{Request: 7})) })
		}
		asked.Wait()
		time.Sleep(time.Second)
		for _, x := range all {
			if blocks := len(x.kinds(sessionwire.KindStateBlock)); blocks != 1 {
				t.Errorf("%s has %d answers", x.g.Local(), blocks)
			}
		}
		if s := n.Stats(); s.Refused > 0 {
			t.Errorf("%d questions were refused", s.Refused)
		}
	})
}
