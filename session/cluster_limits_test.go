package session

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"time"
)

// Nodes that were apart have each made as many sessions as they may. Together that is up
// to twice as many, which all take; new ones are refused until there are fewer. What is
// beyond twice as many is refused by other nodes too, and the request that made it fails.
func TestSessionsBeyondTheLimit(t *testing.T) {
	const limit = 50
	few := func(c *Config) { c.Limits.Sessions, c.Timeout = limit, time.Hour }
	inFarm(t, []string{"a", "b"}, few, func(f *farm, n []*server) {
		f.net.Isolate("a")
		time.Sleep(10 * time.Second)
		ids := append(fill(t, n[0], limit), fill(t, n[1], limit)...)
		f.net.Heal()
		time.Sleep(time.Minute)
		alike(t, n, 2*limit)
		for _, x := range n {
			newClient(t, x.Manager).with(func(s *Session) {
				if err := Set(s, "k", "v"); !errors.Is(err, ErrTooManySessions) {
					t.Errorf("%s: one more: %v", x.name, err)
				}
			})
		}

		late := f.boot("c") // alone, it makes its own
		f.net.Isolate("c")
		time.Sleep(10 * time.Second)
		must(t, late.Start(context.Background()))
		fill(t, late, limit-1)
		f.net.Heal()
		time.Sleep(time.Minute)
		if s := n[0].ClusterStats(); n[0].Stats().Sessions != 2*limit || s.Rejected == 0 {
			t.Errorf("%d sessions of at most %d, %+v", n[0].Stats().Sessions, 2*limit, s)
		}
		for _, id := range ids[:limit+limit/2] {
			s, _ := n[0].Lookup(id)
			s.Invalidate()
		}
		time.Sleep(2 * time.Minute)
		alike(t, append(n, late), 2*limit-limit-limit/2+limit-1)
		late.stop()
	})
}

// Two nodes renew the id of one session at the same time: one id remains, the same on all
// nodes, with what is in the session; the other and the one before lead nowhere. No
// response waits here, or both would have got the one that remains.
func TestRenewOnTwoNodes(t *testing.T) {
	hasty := func(c *Config) { c.Cluster.Wait = WaitNone }
	inFarm(t, []string{"a", "b", "c"}, hasty, func(f *farm, n []*server) {
		c := begin(t, n)
		before, ids := c.id(), make([]string, 2)
		var all sync.WaitGroup
		for i, x := range n[:2] {
			all.Go(func() {
				own := c.also(x)
				if res := own.with(func(s *Session) { check(t, s.Renew()) }); res.StatusCode != http.StatusOK {
					t.Errorf("status %d", res.StatusCode)
				}
				ids[i] = own.id()
			})
		}
		all.Wait()
		time.Sleep(time.Second)
		alike(t, n, 1)
		for _, x := range n {
			found := 0
			for _, id := range ids {
				if v, ok := x.own(id, "begin"); ok && v == "v" {
					found++
				}
			}
			if _, old := x.Lookup(before); found != 1 || old || ids[0] == ids[1] {
				t.Errorf("%s: %d of the new ids lead to the session, the old one does: %v", x.name, found, old)
			}
		}
	})
}
