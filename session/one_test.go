package session

import (
	"fmt"
	"testing"
	"time"

	"github.com/gotribes/tribes/transport/mem"
)

// With WaitOne a change may be on one other node alone. The client that comes to a third
// one, because its node has crashed, finds it there nevertheless.
func TestWaitOneIsFound(t *testing.T) {
	one := func(c *Config) { c.Cluster.Wait = WaitOne }
	inFarm(t, []string{"a", "b", "c"}, one, func(f *farm, n []*server) {
		c := newClient(t, n[0].Manager)
		c.with(func(s *Session) { must(t, Set(s, "k", "before")) })
		f.net.Cut("a", "c")
		c.with(func(s *Session) { must(t, Set(s, "k", "after")) })
		if v, _ := n[2].own(c.id(), "k"); v != "before" {
			t.Fatalf("c has %q; nothing is tested", v)
		}
		n[0].crash()
		c.at(n[2]).with(func(s *Session) {
			if v, _, err := Get[string](s, "k"); err != nil || v != "after" {
				t.Errorf("the client finds %q, %v", v, err)
			}
		})
		n[1].stop()
		n[2].stop()
	})
}

// So it does if the client was at that node before, and that node has not heard of it since.
func TestWaitOneIsFoundByANodeOfBefore(t *testing.T) {
	for _, route := range []bool{true, false} {
		t.Run(fmt.Sprint("routes ", route), func(t *testing.T) {
			one := func(c *Config) {
				c.Cluster.Wait = WaitOne
				if !route {
					c.Route = ""
				}
			}
			inFarm(t, []string{"a", "b", "c"}, one, func(f *farm, n []*server) {
				c := newClient(t, n[0].Manager)
				c.with(func(s *Session) { must(t, Set(s, "k", "first")) })
				c.at(n[2]).with(func(s *Session) { must(t, Set(s, "k", "before")) })
				time.Sleep(time.Second)
				f.net.SetLink("a", "c", mem.Link{Delay: 200 * time.Millisecond})
				c.at(n[0]).with(func(s *Session) { must(t, Set(s, "k", "after")) })
				if v, _ := n[2].own(c.id(), "k"); v != "before" {
					t.Fatalf("c has %q; nothing is tested", v)
				}
				c.at(n[2]).with(func(s *Session) {
					if v, _, err := Get[string](s, "k"); err != nil || v != "after" {
						t.Errorf("the client finds %q, %v", v, err)
					}
				})
			})
		})
	}
}
