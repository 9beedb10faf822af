package session

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/gotribes/tribes/session/sessiontest"
)

// inFarmWithStore is inFarm with a store that all nodes have.
func inFarmWithStore(t *testing.T, names []string, cfg func(*Config), run func(f *farm, n []*server, s *sessiontest.Store)) {
	t.Helper()
	s := sessiontest.NewStore()
	inFarm(t, names, func(c *Config) {
		c.Persist = &Persist{Store: s, EachRequest: true}
		if cfg != nil {
			cfg(c)
		}
	}, func(f *farm, n []*server) { run(f, n, s) })
}

// Beneath a cluster each change is stored once, by the node whose request has made it, and
// what ends is deleted once.
func TestPersistClusterSavesOnce(t *testing.T) {
	inFarmWithStore(t, []string{"a", "b", "c"}, nil, func(f *farm, n []*server, s *sessiontest.Store) {
		c := newClient(t, n[0].Manager)
		for i := range 30 {
			c.at(n[0]).with(func(s *Session) { must(t, Set(s, "n", i)) })
		}
		time.Sleep(2 * time.Minute)
		if calls := s.Calls(); calls.Save != 30 || calls.Load != 0 || calls.Touch != 0 {
			t.Errorf("%+v", calls)
		}
		for i := range 30 { // another node takes over: it has to find out what is stored, once
			c.at(n[1]).with(func(s *Session) { must(t, Set(s, "n", 30+i)) })
		}
		time.Sleep(2 * time.Minute)
		if calls := s.Calls(); calls.Save > 61 || calls.Load > 1 {
			t.Errorf("%+v", calls)
		}
		c.at(n[2]).with(func(s *Session) { s.Invalidate() })
		time.Sleep(2 * time.Minute)
		if calls := s.Calls(); calls.Delete != 1 || len(s.Sessions()) != 0 {
			t.Errorf("%d stored, %+v", len(s.Sessions()), calls)
		}
	})
}

// A restart of the whole cluster keeps the sessions: the first node finds them in the store,
// the others get them from it or there.
func TestPersistClusterRestart(t *testing.T) {
	for _, preload := range []bool{false, true} {
		t.Run(fmt.Sprintf("preload %v", preload), func(t *testing.T) {
			cfg := func(c *Config) { c.Persist.Preload = preload }
			inFarmWithStore(t, []string{"a", "b"}, cfg, func(f *farm, n []*server, s *sessiontest.Store) {
				c := newClient(t, n[0].Manager)
				c.with(func(s *Session) { must(t, s.Login("ann")); _, err := s.Add("n", 1); must(t, err) })
				quiet := newClient(t, n[1].Manager)
				quiet.with(func(s *Session) { must(t, Set(s, "k", "v")) })
				for _, x := range n {
					x.crash()
				}
				n2 := f.start("a2", "b2")
				if preload {
					alike(t, n2, 2)
				}
				for i, x := range []*server{n2[1], n2[0], n2[1], n2[1]} {
					c.at(x).with(func(s *Session) {
						if n := get[int](t, s, "n"); n != i+1 || s.User() != "ann" {
							t.Errorf("request %d: n %d, user %q", i, n, s.User())
						}
						_, err := s.Add("n", 1)
						must(t, err)
					})
				}
				time.Sleep(time.Minute)
				quiet.at(n2[0]).with(func(s *Session) {
					if get[string](t, s, "k") != "v" {
						t.Error("not found")
					}
				})
				time.Sleep(time.Minute)
				for _, x := range n2 {
					x.stop()
				}
			})
		})
	}
}

// A session that was ended in a split while the other side used it, and saved it again, is
// gone everywhere when the split has ended.
func TestPersistClusterEndInSplit(t *testing.T) {
	inFarmWithStore(t, []string{"a", "b"}, nil, func(f *farm, n []*server, s *sessiontest.Store) {
		c := newClient(t, n[0].Manager)
		c.with(func(s *Session) { must(t, Set(s, "k", "v")) })
		f.net.Partition([]string{"a"}, []string{"b"})
		time.Sleep(time.Minute)
		other := *c
		c.at(n[0]).with(func(s *Session) { s.Invalidate() })
		other.at(n[1]).with(func(s *Session) { must(t, Set(s, "k", "w")) })
		f.net.Heal()
		time.Sleep(2 * time.Minute)
		alike(t, n, 0)
		if len(s.Sessions()) != 0 {
			t.Errorf("%d stored", len(s.Sessions()))
		}
	})
}

// Two sides of a split write to one session, and both save it: the store has the writes of
// both, as the nodes do.
func TestPersistClusterSplit(t *testing.T) {
	inFarmWithStore(t, []string{"a", "b"}, func(c *Config) { c.Route = "" }, func(f *farm, n []*server, s *sessiontest.Store) {
		c := newClient(t, n[0].Manager)
		c.with(func(s *Session) { must(t, Set(s, "k", "v")) })
		f.net.Partition([]string{"a"}, []string{"b"})
		time.Sleep(time.Minute)
		for i := range 20 {
			c.at(n[i%2]).with(func(s *Session) { _, err := s.Add("n", 1); must(t, err); must(t, Set(s, fmt.Sprint(i), i)) })
		}
		f.net.Heal()
		time.Sleep(2 * time.Minute)
		alike(t, n, 1)
		for _, x := range n {
			x.crash()
		}
		x := f.boot("c")
		must(t, x.Start(context.Background()))
		c.at(x).with(func(s *Session) {
			if get[int](t, s, "n") != 20 || s.Len() != 22 {
				t.Errorf("n %d, %d attributes", get[int](t, s, "n"), s.Len())
			}
		})
		x.stop()
	})
}

// A node of a cluster that has lost its store serves, and has everything stored afterwards.
func TestPersistClusterStoreDown(t *testing.T) {
	inFarmWithStore(t, []string{"a", "b"}, func(c *Config) { c.Route = "" }, func(f *farm, n []*server, s *sessiontest.Store) {
		c := newClient(t, n[0].Manager)
		s.Inject(sessiontest.Faults{Down: errBroken})
		for i := range 20 {
			c.at(n[i%2]).with(func(s *Session) { _, err := s.Add("n", 1); must(t, err) })
		}
		s.Inject(sessiontest.Faults{})
		time.Sleep(time.Minute)
		for _, x := range n {
			if st := x.PersistStats(); st.Unsaved != 0 {
				t.Errorf("%s: %+v", x.name, st)
			}
			x.crash()
		}
		x := f.boot("c")
		must(t, x.Start(context.Background()))
		c.at(x).with(func(s *Session) {
			if get[int](t, s, "n") != 20 {
				t.Errorf("n %d", get[int](t, s, "n"))
			}
		})
		x.stop()
	})
}

// A session that has expired on all nodes does not come back from the store, which keeps it a
// little longer, on any of them.
func TestPersistClusterExpired(t *testing.T) {
	cfg := func(c *Config) {
		if c.Route == "a" {
			c.Sweep = time.Second // it tells the others
		}
		c.Route = ""
	}
	inFarmWithStore(t, []string{"a", "b", "c"}, cfg, func(f *farm, n []*server, s *sessiontest.Store) {
		c := newClient(t, n[0].Manager)
		c.with(func(s *Session) { must(t, Set(s, "k", "v")) })
		time.Sleep(30*time.Minute + 3*time.Second)
		alike(t, n, 0)
		if len(s.Sessions()) != 1 {
			t.Fatal("the store has removed it already")
		}
		for range 6 {
			for _, x := range n {
				old := *c
				old.at(x).with(func(s *Session) {
					if s.ID() != "" {
						t.Errorf("%s: it is back", x.name)
					}
				})
			}
			time.Sleep(5 * time.Second)
		}
		time.Sleep(5 * time.Minute)
		if n := len(s.Sessions()); n != 0 {
			t.Errorf("%d stored", n)
		}
	})
}

// A node that is not ready looks nothing up in the store: it would not know what has ended.
func TestPersistClusterNotReady(t *testing.T) {
	inFarmWithStore(t, []string{"a"}, nil, func(f *farm, n []*server, s *sessiontest.Store) {
		c := newClient(t, n[0].Manager)
		c.with(func(s *Session) { must(t, Set(s, "k", "v")) })
		x := f.boot("b")
		if _, ok := x.Lookup(c.id()); ok {
			t.Error("found")
		}
		must(t, x.Start(context.Background()))
		if _, ok := x.Lookup(c.id()); !ok {
			t.Error("not found when it is ready")
		}
		x.stop()
	})
}
