package session

import (
	"slices"
	"sync"
	"testing"
	"time"
)

// With ExpireOnStop a node takes the sessions that were last in use on it with it, on all
// nodes and with their listeners told; those that another node has taken over stay, and so
// do all without it.
func TestExpireOnStop(t *testing.T) {
	for _, on := range []bool{true, false} {
		var mu sync.Mutex
		var told []string // by whom and why
		cfg := func(c *Config) {
			c.Cluster.ExpireOnStop = on && c.Route != "b"
			name := c.Route
			c.Listener.Destroyed = func(e Event) {
				mu.Lock()
				defer mu.Unlock()
				told = append(told, name+" "+e.Reason.String())
			}
		}
		inFarm(t, []string{"a", "b", "c"}, cfg, func(f *farm, n []*server) {
			own, moved := begin1(t, n[0]), begin1(t, n[0])
			moved.at(n[1]).with(func(s *Session) { get[string](t, s, "k") })
			f.net.Cut("c", "a") // does not answer: that may not hold up the end for long
			begin := time.Now()
			n[0].stop()
			if took := time.Since(begin); took > 10*time.Second {
				t.Errorf("stopped after %v", took)
			}
			f.net.Heal()
			time.Sleep(2 * time.Minute)
			for _, x := range n[1:] {
				if _, found := x.Lookup(own.id()); found == on {
					t.Errorf("%v: %s has what was in use on the node that stopped: %v", on, x.name, found)
				}
				if _, found := x.Lookup(moved.id()); !found {
					t.Errorf("%v: %s lacks what has moved", on, x.name)
				}
			}
			alike(t, n[1:], n[1].Stats().Sessions)
			if on { // what has moved must not end with the test
				n[2].config.Cluster.ExpireOnStop = false
			}
		})
		slices.Sort(told)
		want := map[bool][]string{true: {"a invalidated", "b invalidated", "c invalidated"}}[on]
		if !slices.Equal(told, want) {
			t.Errorf("%v: told %q, want %q", on, told, want)
		}
	}
}

// However many sessions a node ends, all others have ended them when it has stopped.
func TestExpireOnStopOfMany(t *testing.T) {
	const sessions = 5_000 // more than fit in a message
	cfg := func(c *Config) { c.Cluster.ExpireOnStop = true }
	inFarm(t, []string{"a", "b"}, cfg, func(f *farm, n []*server) {
		fill(t, n[0], sessions)
		alike(t, n, sessions)
		must(t, n[0].Close())
		if left := n[1].Stats().Sessions; left != 0 {
			t.Errorf("%d sessions are left", left)
		}
	})
}
