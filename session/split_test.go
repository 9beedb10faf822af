package session

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/transport/mem"
)

// A change that overtakes the beginning of its session does not pass for all of it: the
// rest is fetched, and a request waits for that, also if the beginning is never there.
func TestChangeOvertakesBeginning(t *testing.T) {
	for _, crash := range []bool{false, true} {
		t.Run(fmt.Sprintf("crash %v", crash), func(t *testing.T) {
			inFarm(t, []string{"a", "b", "c"}, modes["none"], func(f *farm, n []*server) {
				time.Sleep(5 * time.Second) // they have compared
				f.net.SetLink("a", "c", mem.Link{Delay: 2 * time.Second})
				c := newClient(t, n[0].Manager)
				c.with(func(s *Session) { must(t, Set(s, "begin", "a")) })
				time.Sleep(10 * time.Millisecond)
				c.at(n[1]).with(func(s *Session) { must(t, Set(s, "next", "b")) })
				if crash {
					n[0].crash()
				}
				time.Sleep(1100 * time.Microsecond) // the change is at c, what it lacks is not
				c.at(n[2]).with(func(s *Session) {
					if s.IsNew() || get[string](t, s, "begin") != "a" || get[string](t, s, "next") != "b" {
						t.Errorf("new %v, names %v", s.IsNew(), s.Names())
					}
				})
				time.Sleep(10 * time.Second)
				alike(t, n[1:], 1)
			})
		})
	}
}

// Both sides of a split go on; when it heals each has what the other wrote, and of what
// both wrote all have the same.
func TestSplitHeals(t *testing.T) {
	inModes(t, []string{"a", "b", "c", "d"}, func(t *testing.T, f *farm, n []*server) {
		c := begin(t, n)
		f.net.Partition([]string{"a", "b"}, []string{"c", "d"})
		time.Sleep(10 * time.Second)
		own := newClient(t, n[3].Manager)
		own.with(func(s *Session) { must(t, Set(s, "k", "new")) })
		for i, x := range n {
			c.also(x).with(func(s *Session) {
				must(t, Set(s, "own"+x.name, "v"))
				must(t, Set(s, "same", x.name))
				_, err := s.Add("n", int64(1+i))
				must(t, err)
			})
		}
		f.net.Heal()
		time.Sleep(15 * time.Second)
		alike(t, n, 2)
		for _, x := range n {
			s, _ := x.Lookup(c.id())
			if s.Len() != 4+3 || get[int](t, s, "n") != 1+2+3+4 || x.ClusterStats().Current != 3 {
				t.Errorf("%s: %v, n %d, %+v", x.name, s.Names(), get[int](t, s, "n"), x.ClusterStats())
			}
		}
	})
}

// One node believes another gone, which has noticed nothing: both find each other again,
// and miss nothing.
func TestOneSidedFailure(t *testing.T) {
	for _, dir := range []string{"ab", "ba"} {
		t.Run(dir, func(t *testing.T) {
			inFarm(t, []string{"a", "b"}, func(c *Config) { c.Route = "" }, func(f *farm, n []*server) {
				c := begin(t, n)
				f.net.Cut(dir[:1], dir[1:])
				time.Sleep(10 * time.Second)
				deaf, other := n[1], n[0]
				if dir == "ba" {
					deaf, other = n[0], n[1]
				}
				if other.ClusterStats().Peers != 1 || deaf.ClusterStats().Peers != 0 {
					t.Fatalf("%+v, %+v", other.ClusterStats(), deaf.ClusterStats())
				}
				c.also(deaf).with(func(s *Session) { must(t, Set(s, "cut", "v")) })
				f.net.Heal()
				for _, x := range []*server{other, deaf} {
					res := c.also(x).with(func(s *Session) { must(t, Set(s, "healed"+x.name, "v")) })
					if res.StatusCode != http.StatusOK {
						t.Errorf("%s: status %d", x.name, res.StatusCode)
					}
				}
				time.Sleep(20 * time.Second)
				alike(t, n, 1)
				for _, x := range n {
					s, _ := x.Lookup(c.id())
					if s.Len() != 4 || x.ClusterStats().Current != 1 {
						t.Errorf("%s: %v, %+v", x.name, s.Names(), x.ClusterStats())
					}
				}
			})
		})
	}
}

// Greetings that are lost are repeated, however long it takes.
func TestGreetingsLost(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		f := newFarm(t, nil)
		f.net = mem.NewNetwork(mem.Config{DropTime: 20 * time.Second, Link: mem.Link{Delay: time.Millisecond}})
		a, b := f.boot("a"), f.boot("b")
		time.Sleep(time.Second) // they see each other
		f.net.Isolate("a")
		var all sync.WaitGroup
		for _, x := range []*server{a, b} {
			all.Go(func() { check(t, x.Start(context.Background())) })
		}
		time.Sleep(8 * time.Second)
		f.net.Heal()
		all.Wait()
		time.Sleep(10 * time.Second)
		for _, x := range []*server{a, b} {
			if s := x.ClusterStats(); s.Current != 1 {
				t.Errorf("%s: %+v", x.name, s)
			}
		}
		a.stop()
		b.stop()
	})
}

// A node sees a session expire at the moment at which another one uses it, with a write or
// with a read: all keep it.
func TestExpiredAndUsedAtOnce(t *testing.T) {
	short := func(c *Config) {
		c.Route, c.Timeout, c.Sweep = "", 20*time.Second, time.Second
		c.Cluster.TouchInterval = 2 * time.Second
	}
	inFarm(t, []string{"a", "b", "c"}, short, func(f *farm, n []*server) {
		var all []*client
		for range 300 {
			all = append(all, begin1(t, n[0]))
		}
		first, used := time.Now(), 0
		for i, c := range all { // around the deadline of the first node, and past the sweep after it
			time.Sleep(time.Until(first.Add(19*time.Second + time.Duration(i)*10*time.Millisecond)))
			c.at(n[1]).with(func(s *Session) {
				if s.ID() == "" {
					return // it was not in use in time
				}
				used++
				if i%2 == 0 {
					must(t, Set(s, "k", "used"))
				}
			})
		}
		time.Sleep(5 * time.Second)
		alike(t, n, used)
		if used < 100 || used == len(all) {
			t.Errorf("%d of %d used in time", used, len(all))
		}
		time.Sleep(30 * time.Second)
		for _, x := range n {
			if x.Stats().Sessions != 0 {
				t.Errorf("%s has %d sessions", x.name, x.Stats().Sessions)
			}
		}
	})
}

func begin1(t *testing.T, n *server) *client {
	c := newClient(t, n.Manager)
	c.with(func(s *Session) { must(t, Set(s, "k", "v")) })
	return c
}

// What a node refuses costs that change: the request that made it is told, others go on.
func TestRefusedChangeCostsItself(t *testing.T) {
	uneven := func(c *Config) {
		if c.Route == "b" {
			c.Limits.ValueBytes = 100
		}
	}
	inFarm(t, []string{"a", "b"}, uneven, func(f *farm, n []*server) {
		c, other := begin1(t, n[0]), begin1(t, n[0])
		status := func(want int, f func(s *Session)) {
			t.Helper()
			if res := c.with(f); res.StatusCode != want {
				t.Errorf("status %d, want %d", res.StatusCode, want)
			}
		}
		status(http.StatusServiceUnavailable, func(s *Session) { must(t, Set(s, "large", strings.Repeat("x", 1000))) })
		status(http.StatusOK, func(s *Session) { get[string](t, s, "k") })
		status(http.StatusOK, func(s *Session) { must(t, Set(s, "k", "2")) })
		if v, _ := n[1].own(other.id(), "k"); v != "v" || n[0].ClusterStats().LeftOut > 0 {
			t.Errorf("the other session has %q, %+v", v, n[0].ClusterStats())
		}
	})
}

// A node that was cut off while a session was invalidated does not give it to one that
// has started meanwhile.
func TestInvalidatedBesideStart(t *testing.T) {
	inFarm(t, []string{"a", "b", "c"}, nil, func(f *farm, n []*server) {
		c := begin(t, n)
		f.net.Isolate("c")
		time.Sleep(10 * time.Second)
		id := c.id()
		c.with(func(s *Session) { s.Invalidate() })
		late := f.boot("d")
		f.net.Partition([]string{"c"}, []string{"d"})
		must(t, late.Start(context.Background()))
		f.net.Mend("c", "d")
		f.net.Mend("d", "c")
		for range 1000 {
			time.Sleep(10 * time.Millisecond)
			if _, ok := late.Lookup(id); ok {
				t.Fatal("it is back")
			}
		}
		alike(t, []*server{n[2], late}, 0)
		f.net.Heal()
		late.stop()
	})
}

// A session that ends while changes of it come in from elsewhere stays so.
func TestInvalidatedAmongChanges(t *testing.T) {
	inModes(t, []string{"a", "b", "c"}, func(t *testing.T, f *farm, n []*server) {
		for range 200 {
			c := begin1(t, n[0])
			time.Sleep(10 * time.Millisecond)
			var all sync.WaitGroup
			for i, x := range n {
				all.Go(func() {
					c.also(x).with(func(s *Session) {
						if i == 0 {
							s.Invalidate()
							return
						}
						if s.held() != nil {
							_, _ = s.Add("n", 1) // or it has ended
						}
					})
				})
			}
			all.Wait()
			for _, x := range n {
				time.Sleep(10 * time.Millisecond)
				if _, ok := x.Lookup(c.id()); ok {
					t.Fatalf("%s has it", x.name)
				}
			}
		}
	})
}

// A client that moves to another node keeps its session, also when the time has come at
// which the node that it left would have ended it.
func TestUsedElsewhereForLonger(t *testing.T) {
	short := func(c *Config) {
		c.Timeout, c.Sweep, c.Cluster.TouchInterval = 20*time.Second, time.Second, 2*time.Second
	}
	inFarm(t, []string{"a", "b", "c"}, short, func(f *farm, n []*server) {
		c := begin1(t, n[0])
		for range 20 {
			time.Sleep(5 * time.Second)
			c.at(n[1]).with(func(s *Session) {
				if s.ID() == "" {
					t.Error("the session is gone")
				}
			})
			alike(t, n, 1)
		}
	})
}
