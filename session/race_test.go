package session

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/gotribes/tribes/internal/bubble"
)

// modes are the ways of a cluster to tell others what was written.
var modes = map[string]func(c *Config){
	"all":     func(c *Config) { c.Cluster.Wait = WaitAll },
	"one":     func(c *Config) { c.Cluster.Wait = WaitOne },
	"written": func(c *Config) { c.Cluster.Wait = WaitWritten },
	"none":    func(c *Config) { c.Cluster.Wait = WaitNone },
	"full":    func(c *Config) { c.Cluster.Full = true },
	"always":  func(c *Config) { c.Cluster.Full, c.Cluster.Always = true, true },
}

// inModes runs f with nodes in each of the modes.
func inModes(t *testing.T, names []string, run func(t *testing.T, f *farm, n []*server)) {
	for mode, cfg := range modes {
		t.Run(mode, func(t *testing.T) {
			inFarm(t, names, func(c *Config) { c.Route = ""; cfg(c) }, func(f *farm, n []*server) { run(t, f, n) })
		})
	}
}

// begin makes a session on the first node that all nodes have.
func begin(t *testing.T, n []*server) *client {
	t.Helper()
	c := newClient(t, n[0].Manager)
	c.with(func(s *Session) { must(t, Set(s, "begin", "v")) })
	time.Sleep(time.Second)
	alike(t, n, 1)
	return c
}

// also is another request of the client, on a node.
func (c *client) also(n *server) *client {
	return &client{t: c.t, m: n.Manager, cookie: c.cookie}
}

// A change that comes in while a request has written something, and goes on, does not
// take away what it has written.
func TestRemoteChangeDuringRequest(t *testing.T) {
	inModes(t, []string{"a", "b", "c"}, func(t *testing.T, f *farm, n []*server) {
		c := begin(t, n)
		c.with(func(s *Session) {
			must(t, Set(s, "mine", "a"))
			c.also(n[1]).with(func(s *Session) { must(t, Set(s, "theirs", "b")) })
			time.Sleep(time.Second)
			if get[string](t, s, "theirs") != "b" {
				t.Error("the change is not here")
			}
			must(t, Set(s, "late", "a"))
		})
		time.Sleep(time.Second)
		alike(t, n, 1)
		for _, x := range n {
			for name, want := range map[string]string{"mine": "a", "theirs": "b", "late": "a"} {
				if v, _ := x.own(c.id(), name); v != want {
					t.Errorf("%s: %s is %q", x.name, name, v)
				}
			}
		}
	})
}

// Requests of one session at the same time, on one node and on several, to one attribute
// and to others: no node differs afterwards, what was written to an attribute of its own
// is there, and each Add is counted.
func TestConcurrentRequests(t *testing.T) {
	const rounds = 1000
	inModes(t, []string{"a", "b", "c"}, func(t *testing.T, f *farm, n []*server) {
		c := begin(t, n)
		for i := range rounds {
			var all sync.WaitGroup
			for j := range 4 {
				all.Go(func() { // two on the first node
					c.also(n[j%3]).with(func(s *Session) {
						check(t, Set(s, "same", fmt.Sprint(i, j)))
						check(t, Set(s, fmt.Sprint("own", j), fmt.Sprint(i)))
						_, err := s.Add("hits", 1)
						check(t, err)
					})
				})
			}
			all.Wait()
		}
		time.Sleep(time.Second)
		alike(t, n, 1)
		for _, x := range n {
			s, _ := x.Lookup(c.id())
			if hits := get[int](t, s, "hits"); hits != 4*rounds {
				t.Errorf("%s: %d Adds of %d", x.name, hits, 4*rounds)
			}
			for j := range 4 {
				if v := get[string](t, s, fmt.Sprint("own", j)); v != fmt.Sprint(rounds-1) {
					t.Errorf("%s: own%d is %q", x.name, j, v)
				}
			}
			if st := x.ClusterStats(); st.Rejected+st.LeftOut+st.Malformed > 0 {
				t.Errorf("%s: %+v", x.name, st)
			}
		}
	})
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

// The next request finds on any node what the one before has written, with WaitAll: also
// the first of a session.
func TestFollowUpElsewhere(t *testing.T) {
	inFarm(t, []string{"a", "b", "c"}, nil, func(f *farm, n []*server) {
		for i := range 300 {
			c := newClient(t, n[i%3].Manager)
			c.with(func(s *Session) { must(t, Set(s, "k", "v")) })
			c.at(n[(i+1)%3]).with(func(s *Session) {
				if s.IsNew() || get[string](t, s, "k") != "v" {
					t.Fatalf("round %d: not there", i)
				}
			})
		}
	})
}

// A node that crashes when its response has left takes nothing with it, with WaitAll and
// with WaitOne.
func TestCrashAfterResponse(t *testing.T) {
	for _, mode := range []string{"all", "one", "full"} {
		t.Run(mode, func(t *testing.T) {
			inFarm(t, []string{"a", "b", "c"}, modes[mode], func(f *farm, n []*server) {
				c := newClient(t, n[0].Manager)
				for range 20 {
					c.with(func(s *Session) { _, err := s.Add("n", 1); must(t, err) })
				}
				n[0].crash()
				time.Sleep(90 * time.Second) // the two others compare
				for _, x := range n[1:] {
					s, ok := x.Lookup(c.id())
					if !ok || get[int](t, s, "n") != 20 {
						t.Errorf("%s: there %v", x.name, ok)
					}
				}
				alike(t, n[1:], 1)
			})
		})
	}
}

// A value that cannot be stored costs that value: not the others of its request, not the
// next request, not the session in a state transfer.
func TestBadValueCostsItself(t *testing.T) {
	small := func(c *Config) { c.Limits.ValueBytes = 100 }
	inFarm(t, []string{"a", "b"}, small, func(f *farm, n []*server) {
		c := newClient(t, n[0].Manager)
		res := c.with(func(s *Session) {
			must(t, Set(s, "good", "v"))
			if err := Set(s, "func", func() {}); !errors.Is(err, ErrUnsupported) {
				t.Errorf("a function: %v", err)
			}
			if err := Set(s, "large", make([]byte, 1000)); !errors.Is(err, ErrValueTooLarge) {
				t.Errorf("a large value: %v", err)
			}
			must(t, Set(s, "also", "v"))
		})
		if res.StatusCode != http.StatusOK {
			t.Errorf("status %d", res.StatusCode)
		}
		c.with(func(s *Session) { must(t, Set(s, "next", "v")) })
		late := f.start("c")[0]
		for _, x := range []*server{n[0], n[1], late} {
			for _, name := range []string{"good", "also", "next"} {
				if _, ok := x.own(c.id(), name); !ok {
					t.Errorf("%s lacks %s", x.name, name)
				}
			}
		}
		late.stop()
	})
}

// fill makes sessions on a node and returns their ids.
func fill(t *testing.T, n *server, count int) (ids []string) {
	for i := range count {
		c := newClient(t, n.Manager)
		c.with(func(s *Session) { must(t, Set(s, "n", fmt.Sprint(i))) })
		ids = append(ids, c.id())
	}
	return ids
}

// The member that gives the sessions dies in between, again and again: others give the
// rest, and if none is left a node that starts does not wait for ever.
func TestProviderDies(t *testing.T) {
	slow := func(c *Config) { c.Cluster.BlockSessions = 1 }
	inFarm(t, []string{"a", "b", "c"}, slow, func(f *farm, n []*server) {
		ids := fill(t, n[0], 2000)
		late := f.boot("d")
		done := make(chan error)
		go func() { done <- late.Start(context.Background()) }()
		for _, x := range n[:2] {
			time.Sleep(500 * time.Millisecond)
			if late.Ready() {
				t.Fatal("ready too early for this test")
			}
			x.crash()
		}
		must(t, <-done)
		if late.Stats().Sessions != len(ids) {
			t.Errorf("%d of %d sessions", late.Stats().Sessions, len(ids))
		}
		alike(t, []*server{n[2], late}, len(ids))
		late.stop()
	})
}

// Two that start lose the only one that could give: they do not wait for each other.
func TestOnlyProviderDies(t *testing.T) {
	slow := func(c *Config) { c.Cluster.BlockSessions = 1 }
	inFarm(t, []string{"a"}, slow, func(f *farm, n []*server) {
		fill(t, n[0], 6000)
		done := make(chan error)
		late := []*server{f.boot("b"), f.boot("c")}
		for _, x := range late {
			go func() { done <- x.Start(context.Background()) }()
		}
		time.Sleep(time.Second)
		n[0].crash()
		crashed := time.Now()
		for range late {
			must(t, <-done)
		}
		if took := time.Since(crashed); took > 20*time.Second {
			t.Errorf("ready %v after the crash", took)
		}
		time.Sleep(30 * time.Second)
		alike(t, late, late[0].Stats().Sessions)
		for _, x := range late {
			x.stop()
		}
	})
}

// A node that sees nobody when it starts has all sessions soon after it does.
func TestStartAlone(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		f := newFarm(t, nil)
		a := f.boot("a")
		b := f.boot("b")
		f.net.Partition([]string{"a"}, []string{"b"})
		time.Sleep(10 * time.Second)
		must(t, a.Start(context.Background()))
		must(t, b.Start(context.Background()))
		ids := fill(t, a, 100)
		f.net.Heal()
		time.Sleep(10 * time.Second)
		alike(t, []*server{a, b}, len(ids))
		a.stop()
		b.stop()
	})
}
