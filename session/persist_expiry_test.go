package session

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gotribes/tribes/session/sessiontest"
)

// A session that is only read stays in the store, which is told of that at most once in an
// interval; nothing else is sent. Another node finds it alive.
func TestPersistTouches(t *testing.T) {
	inOffice(t, eachRequest, func(o *office) {
		a := o.node()
		c := newClient(t, a)
		c.with(func(s *Session) { must(t, Set(s, "k", "v")) })
		const minutes = 120
		for range minutes * 6 {
			time.Sleep(10 * time.Second)
			c.with(func(s *Session) { get[string](t, s, "k") })
		}
		if n := o.store.Calls(); n.Save != 1 || n.Touch < minutes/2 || n.Touch > minutes || n.Load != 0 {
			t.Errorf("calls %+v", n)
		}
		time.Sleep(29 * time.Minute)
		o.crash(a)
		c.on(o.node()).with(func(s *Session) {
			if get[string](t, s, "k") != "v" {
				t.Error("expired early in the store")
			}
		})
	})
}

// What has expired is removed from the store, also if it was not in memory any more; what
// never expires is not, and nobody is told that it is in use.
func TestPersistExpires(t *testing.T) {
	var destroyed atomic.Int64
	inOffice(t, func(c *Config) {
		eachRequest(c)
		c.Persist.SwapAfterIdle = 10 * time.Minute
		c.Listener.Destroyed = func(e Event) { destroyed.Add(1) }
	}, func(o *office) {
		a := o.node()
		c, forever := newClient(t, a), newClient(t, a)
		c.with(func(s *Session) { must(t, Set(s, "k", "v")) })
		forever.with(func(s *Session) { must(t, errors.Join(Set(s, "k", "v"), s.SetTimeout(-1))) })
		for range 60 {
			time.Sleep(time.Minute)
			forever.with(func(s *Session) { get[string](t, s, "k") })
		}
		if n := o.store.Calls().Touch; n != 0 {
			t.Errorf("%d touches of a session that never expires", n)
		}
		if n := len(o.store.Sessions()); n != 1 || destroyed.Load() != 0 {
			t.Errorf("%d sessions stored, %d told", n, destroyed.Load())
		}
		time.Sleep(50 * time.Hour)
		if n := a.Stats().Sessions; n != 0 {
			t.Errorf("%d in memory", n)
		}
		forever.on(o.node()).with(func(s *Session) {
			if get[string](t, s, "k") != "v" {
				t.Error("what never expires has expired")
			}
		})
	})
}

// A session that has expired on its node does not come back from the store, which keeps it a
// little longer.
func TestPersistExpiredStaysAway(t *testing.T) {
	var destroyed atomic.Int64
	inOffice(t, func(c *Config) {
		eachRequest(c)
		c.Listener.Destroyed = func(e Event) { destroyed.Add(1) }
	}, func(o *office) {
		c := newClient(t, o.node())
		c.with(func(s *Session) { must(t, Set(s, "k", "v")) })
		time.Sleep(30 * time.Minute)
		for range 10 {
			c.with(func(s *Session) {
				if s.ID() != "" {
					t.Error("expired, and there")
				}
			})
			time.Sleep(5 * time.Second)
		}
		if n := destroyed.Load(); n != 1 {
			t.Errorf("told %d times", n)
		}
		time.Sleep(5 * time.Minute)
		if n := len(o.store.Sessions()); n != 0 {
			t.Errorf("%d sessions stored", n)
		}
	})
}

// A node that has not seen a session for long does not end it if another uses it.
func TestPersistUsedElsewhere(t *testing.T) {
	var destroyed atomic.Int64
	inOffice(t, func(c *Config) {
		eachRequest(c)
		c.Listener.Destroyed = func(e Event) { destroyed.Add(1) }
	}, func(o *office) {
		a, b := o.node(), o.node()
		c := newClient(t, a)
		c.with(func(s *Session) { must(t, Set(s, "k", "v")) })
		for range 100 {
			time.Sleep(time.Minute)
			c.on(b).with(func(s *Session) { get[string](t, s, "k") })
		}
		c.with(func(s *Session) { must(t, Set(s, "k", "w")) })
		time.Sleep(28 * time.Minute)
		c.on(a).with(func(s *Session) {
			if s.ID() == "" {
				t.Error("ended on the node that did not use it")
			}
		})
		if n := destroyed.Load(); n != 0 {
			t.Errorf("%d ends were told", n)
		}
	})
}

// With routes, a node to which a client comes back does not trust its old copy.
func TestPersistFailback(t *testing.T) {
	inOffice(t, eachRequest, func(o *office) {
		nodes := make(map[string]*Manager)
		for _, route := range []string{"a", "b"} {
			o.cfg = func(c *Config) { eachRequest(c); c.Route = route }
			nodes[route] = o.node()
		}
		c := newClient(t, nodes["a"])
		for i, route := range []string{"a", "a", "b", "b", "a", "b", "a"} {
			c.on(nodes[route]).with(func(s *Session) {
				if n := get[int](t, s, "n"); n != i {
					t.Errorf("request %d, on %s, sees %d", i, route, n)
				}
				must(t, Set(s, "n", i+1))
			})
			if got := ID(c.id()).Route(); got != route {
				t.Errorf("route %q, want %q", got, route)
			}
		}
		if n := nodes["a"].PersistStats(); n.Loads > 4 {
			t.Errorf("%d loads", n.Loads)
		}
	})
}

// A store that does not work for longer than sessions live takes none of them that is in use.
func TestPersistLongOutage(t *testing.T) {
	for name, fault := range map[string]sessiontest.Faults{"down": {Down: errBroken}, "slow": {Delay: time.Hour}} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			inOffice(t, func(c *Config) {
				eachRequest(c)
				c.Persist.Logger = slog.New(slog.NewTextHandler(&out, nil))
			}, func(o *office) {
				a := o.node()
				c := newClient(t, a)
				c.with(func(s *Session) { must(t, Set(s, "n", 0)) })
				o.store.Inject(fault)
				slow := 0
				for range 200 {
					time.Sleep(time.Minute)
					begin := time.Now()
					res := c.with(func(s *Session) { _, err := s.Add("n", 1); must(t, err) })
					if res.StatusCode != http.StatusOK {
						t.Fatalf("status %d", res.StatusCode)
					}
					if time.Since(begin) > time.Second {
						slow++
					}
				}
				o.store.Inject(sessiontest.Faults{})
				if n, err := o.store.Expire(context.Background(), time.Now()); n != 1 || err != nil {
					t.Errorf("Expire = %d, %v", n, err)
				}
				time.Sleep(time.Minute)
				c.with(func(s *Session) { _, err := s.Add("n", 1); must(t, err) })
				o.crash(a)
				c.on(o.node()).with(func(s *Session) {
					if n := get[int](t, s, "n"); n != 201 {
						t.Errorf("n is %d", n)
					}
				})
				if slow > 5 {
					t.Errorf("%d requests waited for a store that does not answer", slow)
				}
			})
			if text := out.String(); strings.Count(text, "does not work") != 1 || strings.Count(text, "works again") != 1 || strings.Count(text, "\n") > 3 {
				t.Errorf("the log:\n%s", text)
			}
		})
	}
}
