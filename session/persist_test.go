package session

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/session/sessiontest"
)

// office is some managers that have one store: nodes that know nothing of each other.
type office struct {
	t     *testing.T
	store *sessiontest.Store
	cfg   func(c *Config)
}

// inOffice runs f in a bubble.
func inOffice(t *testing.T, cfg func(*Config), f func(o *office)) {
	t.Helper()
	bubble.Test(t, func(t *testing.T) {
		f(&office{t: t, store: sessiontest.NewStore(), cfg: cfg})
	})
}

// node starts a manager.
func (o *office) node() *Manager {
	o.t.Helper()
	c := Config{Persist: &Persist{Store: o.store}}
	if o.cfg != nil {
		o.cfg(&c)
	}
	m, err := New(c)
	must(o.t, err)
	must(o.t, m.Start(o.t.Context()))
	o.t.Cleanup(func() { _ = m.Close() }) // what is open still; the test has looked
	return m
}

// crash ends a manager as a process does that is killed: nothing is saved.
func (o *office) crash(m *Manager) {
	m.keeper.Forget()
	_ = m.Close()
}

// on is the client's next request on another node.
func (c *client) on(m *Manager) *client {
	c.m = m
	return c
}

func eachRequest(c *Config) { c.Persist.EachRequest = true }

// All of a session comes back after a restart: values, counters, who has logged in, its id,
// its timeout and how long it has left.
func TestPersistRestart(t *testing.T) {
	inOffice(t, nil, func(o *office) {
		a := o.node()
		c := newClient(t, a)
		c.with(func(s *Session) {
			must(t, s.Login("ann"))
			must(t, Set(s, "cart", []string{"x", "y"}))
			_, err := s.Add("n", 7)
			must(t, errors.Join(err, s.SetTimeout(10*time.Minute)))
		})
		id := c.id()
		must(t, a.Close())
		time.Sleep(9 * time.Minute)
		c.on(o.node()).with(func(s *Session) {
			if v := get[[]string](t, s, "cart"); len(v) != 2 || get[int](t, s, "n") != 7 || s.User() != "ann" ||
				s.Timeout() != 10*time.Minute || string(s.ID()) != id || s.IsNew() {
				t.Errorf("cart %v, n %d, user %q, timeout %v, id %q", v, get[int](t, s, "n"), s.User(), s.Timeout(), s.ID())
			}
		})
		time.Sleep(13 * time.Minute)
		c.with(func(s *Session) {
			if s.ID() != "" {
				t.Error("lives beyond its timeout")
			}
		})
	})
}

// With EachRequest a response leaves when what its request has changed is stored, and what
// reads costs no call of the store.
func TestPersistEachRequest(t *testing.T) {
	inOffice(t, eachRequest, func(o *office) {
		a := o.node()
		c := newClient(t, a)
		c.do(func(s *Session, w http.ResponseWriter) {
			must(t, Set(s, "k", "v"))
			if n := o.store.Calls().Save; n != 0 {
				t.Errorf("%d saves before the header", n)
			}
			w.WriteHeader(http.StatusOK)
			if n := o.store.Calls().Save; n != 1 {
				t.Errorf("%d saves with the header", n)
			}
		})
		for range 50 {
			c.with(func(s *Session) {
				get[string](t, s, "k")
				_, err := s.Delete("none")
				must(t, err)
			})
		}
		if n := o.store.Calls(); n.Save != 1 || n.Load != 0 || n.Touch != 0 {
			t.Errorf("calls %+v", n)
		}
		o.crash(a)
		c.on(o.node()).with(func(s *Session) {
			if get[string](t, s, "k") != "v" {
				t.Error("lost in a crash after its response")
			}
		})
	})
}

// Of two writes that did not know of each other the one that was stored last counts, also if
// the request of the other one has no answer because its node was killed.
func TestPersistLastStoredCounts(t *testing.T) {
	inOffice(t, func(c *Config) { c.Persist.EachRequest, c.Persist.Check = true, true }, func(o *office) {
		for range 20 { // the ids of the nodes are chance
			a, b := o.node(), o.node()
			c := newClient(t, a)
			c.with(func(s *Session) { must(t, Set(s, "k", 1)) })
			early := *c
			c.on(b).with(func(s *Session) {
				early.with(func(s *Session) { must(t, Set(s, "k", 2)) })
				must(t, Set(s, "k", 3))
			})
			o.crash(a)
			c.on(o.node()).with(func(s *Session) {
				if k := get[int](t, s, "k"); k != 3 {
					t.Errorf("k is %d, and 3 was acknowledged", k)
				}
			})
			o.crash(b)
		}
	})
}

// With WriteThrough each change is stored when the call that makes it returns.
func TestPersistWriteThrough(t *testing.T) {
	inOffice(t, func(c *Config) { c.Persist.WriteThrough = true }, func(o *office) {
		c := newClient(t, o.node())
		c.with(func(s *Session) {
			for i, f := range []func() error{
				func() error { return Set(s, "a", 1) },
				func() error { return Set(s, "b", 2) },
				func() error { _, err := s.Add("a", 2); return err },
				func() error { _, err := s.Delete("b"); return err },
				func() error { return s.SetTimeout(time.Hour) },
				func() error { return s.Renew() },
			} {
				must(t, f())
				if n := o.store.Calls(); n.Save+n.Rename != i+1 {
					t.Errorf("after %d changes: %+v", i+1, n)
				}
			}
		})
		if n := o.store.Calls(); n.Save+n.Rename != 6 {
			t.Errorf("%+v", n)
		}
	})
}

// Without EachRequest a session is saved when it was not used for a while, or has waited for
// long; once for each change, and not if nothing has changed.
func TestPersistAfterIdle(t *testing.T) {
	inOffice(t, nil, func(o *office) {
		a := o.node()
		c, busy := newClient(t, a), newClient(t, a)
		c.with(func(s *Session) { must(t, Set(s, "k", "v")) })
		busy.with(func(s *Session) { must(t, Set(s, "k", "v")) })
		for range 19 {
			time.Sleep(time.Second)
			busy.with(func(s *Session) {})
		}
		if n := o.store.Calls().Save; n != 0 {
			t.Errorf("%d saves before the time", n)
		}
		for range 12 {
			time.Sleep(time.Second)
			busy.with(func(s *Session) {})
		}
		if n := o.store.Calls().Save; n != 1 {
			t.Errorf("%d saves, want that of the session that is idle", n)
		}
		for range 60 {
			time.Sleep(time.Second)
			busy.with(func(s *Session) {})
		}
		if n := o.store.Calls().Save; n != 2 {
			t.Errorf("%d saves, want both sessions", n)
		}
		time.Sleep(10 * time.Minute)
		if n := o.store.Calls().Save; n != 2 {
			t.Errorf("%d saves, though nothing has changed", n)
		}
	})
}

// Two nodes that save one session at the same time lose nothing of each other: each Add is
// counted, and each attribute is there.
func TestPersistTwoNodes(t *testing.T) {
	for _, checks := range []bool{false, true} {
		t.Run(fmt.Sprintf("check %v", checks), func(t *testing.T) {
			inOffice(t, func(c *Config) { c.Persist.EachRequest, c.Persist.Check = true, checks }, func(o *office) {
				o.store.Inject(sessiontest.Faults{Delay: time.Millisecond})
				nodes := []*Manager{o.node(), o.node(), o.node()}
				c := newClient(t, nodes[0])
				c.with(func(s *Session) { must(t, Set(s, "begin", "v")) })
				const clients, rounds = 9, 30
				var all sync.WaitGroup
				for i := range clients {
					all.Go(func() {
						own := &client{t: t, cookie: c.cookie}
						for j := range rounds {
							at := i % 3 // without Check a client stays where it is
							if checks {
								at = (i + j) % 3
							}
							own.on(nodes[at]).with(func(s *Session) {
								_, err := s.Add("n", 1)
								check(t, err)
								check(t, Set(s, fmt.Sprint("own", i), j))
							})
						}
					})
				}
				all.Wait()
				c.on(o.node()).with(func(s *Session) {
					if n := get[int](t, s, "n"); n != clients*rounds {
						t.Errorf("%d Adds of %d", n, clients*rounds)
					}
					for i := range clients {
						if v := get[int](t, s, fmt.Sprint("own", i)); v != rounds-1 {
							t.Errorf("own%d is %d", i, v)
						}
					}
				})
				for _, m := range nodes {
					if s := m.PersistStats(); s.Failed > 0 || s.Unsaved > 0 || s.StoreErrors > 0 {
						t.Errorf("%+v", s)
					}
				}
			})
		})
	}
}

// With Check a request sees what the one before has done on another node, also that it has
// ended the session.
func TestPersistCheck(t *testing.T) {
	inOffice(t, func(c *Config) { c.Persist.EachRequest, c.Persist.Check = true, true }, func(o *office) {
		nodes := []*Manager{o.node(), o.node()}
		c := newClient(t, nodes[0])
		for i := range 20 {
			c.on(nodes[i%2]).with(func(s *Session) {
				if n := get[int](t, s, "n"); n != i {
					t.Errorf("request %d sees %d", i, n)
				}
				must(t, Set(s, "n", i+1))
			})
		}
		old := *c
		c.with(func(s *Session) { s.Invalidate() })
		for _, m := range nodes {
			again := old
			again.on(m).with(func(s *Session) {
				if s.ID() != "" {
					t.Error("lives on after its end")
				}
			})
		}
		if n := len(o.store.Sessions()); n != 0 {
			t.Errorf("%d sessions in the store", n)
		}
	})
}

// A session leaves memory when it was not used for long, or when there are too many, and
// comes back when it is needed; that is neither its end nor its beginning. One that a
// request has stays.
func TestPersistSwap(t *testing.T) {
	var mu sync.Mutex
	told := make(map[string]int)
	tell := func(what string) func(Event) {
		return func(Event) { mu.Lock(); told[what]++; mu.Unlock() }
	}
	inOffice(t, func(c *Config) {
		c.Persist.SwapAfterIdle, c.Persist.InMemory, c.Persist.SwapMinIdle = 5*time.Minute, 10, 5*time.Second
		c.Listener = Listener{Created: tell("created"), Destroyed: tell("destroyed"), Activated: tell("activated"), Passivated: tell("passivated")}
	}, func(o *office) {
		a := o.node()
		clients := make([]*client, 15)
		for i := range clients {
			clients[i] = newClient(t, a)
			clients[i].with(func(s *Session) { must(t, Set(s, "i", i)) })
			time.Sleep(time.Second)
		}
		time.Sleep(15 * time.Second)
		if n := a.Stats().Sessions; n != 10 {
			t.Errorf("%d sessions in memory", n)
		}
		for i, c := range clients[:5] { // the oldest have left
			if a.b.Peek(c.id()) != nil {
				t.Errorf("session %d is in memory", i)
			}
		}
		for i, c := range clients {
			c.with(func(s *Session) {
				if get[int](t, s, "i") != i {
					t.Errorf("session %d has lost its content", i)
				}
			})
		}
		clients[7].with(func(s *Session) {
			time.Sleep(20 * time.Minute)
			must(t, Set(s, "late", true))
		})
		if n := a.Stats().Sessions; n != 1 {
			t.Errorf("%d sessions in memory, want that of the request", n)
		}
		clients[7].with(func(s *Session) {
			if !get[bool](t, s, "late") {
				t.Error("written by a long request, and lost")
			}
		})
		mu.Lock()
		defer mu.Unlock()
		if told["created"] != 15 || told["destroyed"] != 0 || told["activated"] < 5 || told["passivated"]-told["activated"] != 14 {
			t.Errorf("listener: %v", told)
		}
	})
}

// What is kept from before a session left memory is still that session.
func TestPersistWriteAfterSwap(t *testing.T) {
	inOffice(t, func(c *Config) { c.Persist.SwapAfterIdle, c.Timeout = time.Minute, 2*time.Hour }, func(o *office) {
		a := o.node()
		c := newClient(t, a)
		var after *Session
		c.with(func(s *Session) { must(t, Set(s, "n", 1)); after = s })
		look, ok := a.Lookup(c.id())
		if !ok {
			t.Fatal("not found")
		}
		for i, s := range []*Session{after, look, after} {
			time.Sleep(5 * time.Minute)
			if a.Stats().Sessions != 0 {
				t.Fatal("still in memory")
			}
			if n := get[int](t, s, "n"); n != i+1 {
				t.Errorf("reads %d, want %d", n, i+1)
			}
			time.Sleep(5 * time.Minute)
			_, err := s.Add("n", 1)
			must(t, err)
		}
		time.Sleep(5 * time.Minute)
		if !look.Invalidate() {
			t.Error("not ended")
		}
		c.with(func(s *Session) {
			if s.ID() != "" {
				t.Error("lives on")
			}
		})
		if n := len(o.store.Sessions()); n != 0 {
			t.Errorf("%d stored sessions", n)
		}
	})
}
