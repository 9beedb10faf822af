package session

import (
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

// A store for scs finds it, too.
func TestSCSWaitOneIsFound(t *testing.T) {
	one := func(c *Config) { c.Cluster.Wait = WaitOne }
	inFarm(t, []string{"a", "b", "c"}, one, func(f *farm, n []*server) {
		commit := func(data string) { must(t, n[0].SCS().Commit("token", []byte(data), time.Now().Add(time.Hour))) }
		commit("before")
		f.net.Cut("a", "c")
		commit("after")
		if all, err := n[2].SCS().All(); err != nil || string(all["token"]) != "before" {
			t.Fatalf("c has %q, %v; nothing is tested", all, err)
		}
		n[0].crash()
		if data, found, err := n[2].SCS().Find("token"); err != nil || !found || string(data) != "after" {
			t.Errorf("Find = %q, %v, %v", data, found, err)
		}
		n[1].stop()
		n[2].stop()
	})
}

// A session that was made, or got a new id, is found by the next request on every node, and one
// that was ended by none.
func TestWaitOneOfANewID(t *testing.T) {
	one := func(c *Config) { c.Cluster.Wait = WaitOne }
	inFarm(t, []string{"a", "b", "c"}, one, func(f *farm, n []*server) {
		f.net.SetLink("a", "c", mem.Link{Delay: 200 * time.Millisecond})
		c := newClient(t, n[0].Manager)
		c.with(func(s *Session) { must(t, Set(s, "k", "v")) })
		for _, what := range []string{"made", "logged in"} {
			c.at(n[2]).with(func(s *Session) {
				if v := get[string](t, s, "k"); v != "v" {
					t.Errorf("%s: the client has lost its session, it finds %q", what, v)
				}
			})
			c.at(n[0]).with(func(s *Session) { must(t, s.Login("ann")) })
		}
		old := *c
		c.at(n[0]).with(func(s *Session) { s.Invalidate() })
		n[0].crash()
		old.at(n[2]).with(func(s *Session) {
			if s.ID() != "" {
				t.Errorf("logged out, and there is the session of %q", s.User())
			}
		})
		n[1].stop()
		n[2].stop()
	})
}
