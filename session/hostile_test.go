package session

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Ids that a client invents or bends lead to no session of another client, on no node.
func TestForgedIDsInAGroup(t *testing.T) {
	inFarm(t, []string{"a", "b"}, nil, func(f *farm, n []*server) {
		victim := newClient(t, n[0].Manager)
		victim.with(func(s *Session) { must(t, Set(s, "k", "secret")) })
		id := ID(victim.id())
		random := id.Random()
		turned := []byte(random)
		turned[5] ^= 1
		forged := []string{
			string(turned) + ".a", random[:len(random)-1] + ".a", random + "x.a", "../" + random + ".a",
			random + "/../x", random + ".a/../b", random + ".%61", random + "\x00.a", random + ".a\r\nx",
			strings.ToUpper(random) + ".a", random + "." + strings.Repeat("a", 65), "", ".", ".a", random + ".",
			strings.Repeat(random, 1000), "id-" + random, fmt.Sprintf("%x", random),
		}
		for _, x := range n {
			for _, bad := range forged {
				c := newClient(t, x.Manager)
				c.cookie = "sid=" + bad
				res := c.with(func(s *Session) {
					if s.ID() != "" || s.Has("k") || s.Len() != 0 {
						t.Errorf("%s: %.60q has a session", x.name, bad)
					}
				})
				if len(res.Cookies()) != 0 || res.StatusCode != http.StatusOK {
					t.Errorf("%s: %.60q: status %d, cookies %v", x.name, bad, res.StatusCode, res.Cookies())
				}
			}
			if s := x.Stats(); s.Sessions != 1 || s.Created > 1 {
				t.Errorf("%s: %+v", x.name, s)
			}
		}
	})
}

// The route in an id is no part of who the client is: whatever it says, the session is
// found, the client is told the route of the node that serves it, and nothing that it
// sent comes back.
func TestForgedRoutes(t *testing.T) {
	inFarm(t, []string{"a", "b"}, nil, func(f *farm, n []*server) {
		c := newClient(t, n[0].Manager)
		c.with(func(s *Session) { must(t, Set(s, "k", "v")) })
		random := ID(c.id()).Random()
		for i, route := range []string{"b", "nobody", strings.Repeat("z", 64), "-", "__proto__"} {
			x := n[i%2]
			c.cookie = "sid=" + random + "." + route
			c.at(x).with(func(s *Session) {
				if get[string](t, s, "k") != "v" {
					t.Errorf("%s: route %q: not found", x.name, route)
				}
			})
			if got := ID(c.id()); got.Random() != random || got.Route() != x.name {
				t.Errorf("%s: route %q: cookie %q", x.name, route, got)
			}
		}
		alike(t, n, 1)
	})
}

// Somebody has planted an id. After a login on one node it leads nowhere on any other,
// from the moment that the response has left; nor does any id from before.
func TestFixationInAGroup(t *testing.T) {
	inFarm(t, []string{"a", "b", "c"}, nil, func(f *farm, n []*server) {
		victim := newClient(t, n[0].Manager)
		victim.with(func(s *Session) { must(t, Set(s, "cart", "x")) })
		for round := range 6 {
			planted := victim.cookie
			here := n[round%3]
			victim.at(here).with(func(s *Session) { must(t, s.Login(fmt.Sprint("user", round))) })
			for _, x := range n {
				thief := &client{t: t, m: x.Manager, cookie: planted}
				res := thief.with(func(s *Session) {
					if s.User() != "" || s.Has("cart") || s.ID() != "" {
						t.Errorf("round %d, login on %s: the old id leads to the session on %s", round, here.name, x.name)
					}
				})
				if len(res.Cookies()) != 0 {
					t.Errorf("round %d: who has the old id is told %v", round, res.Cookies())
				}
				if _, ok := x.Lookup(strings.TrimPrefix(planted, "sid=")); ok {
					t.Errorf("round %d: %s finds the old id", round, x.name)
				}
				victim.at(x).with(func(s *Session) {
					if s.User() != fmt.Sprint("user", round) || get[string](t, s, "cart") != "x" {
						t.Errorf("round %d: on %s the user is %q", round, x.name, s.User())
					}
				})
			}
		}
		alike(t, n, 1)
	})
}

// An id that was invalidated, or that a group never had, is not adopted on another node.
func TestDeadIDInAGroup(t *testing.T) {
	inFarm(t, []string{"a", "b"}, nil, func(f *farm, n []*server) {
		c := newClient(t, n[0].Manager)
		c.with(func(s *Session) { must(t, Set(s, "k", "v")) })
		dead := c.cookie
		c.with(func(s *Session) { s.Invalidate() })
		for _, cookie := range []string{dead, "sid=" + someID + ".a"} {
			x := &client{t: t, m: n[1].Manager, cookie: cookie}
			x.with(func(s *Session) { must(t, Set(s, "new", "v")) })
			if x.cookie == cookie || ID(x.id()).Random() == ID(strings.TrimPrefix(cookie, "sid=")).Random() {
				t.Errorf("%q was adopted", cookie)
			}
		}
	})
}

// However many and however large the cookies of a request are, at most a few are looked
// up, and the request is served.
func TestFloodOfCookies(t *testing.T) {
	inFarm(t, []string{"a"}, nil, func(f *farm, n []*server) {
		m := n[0].Manager
		c := newClient(t, m)
		c.with(func(s *Session) { must(t, Set(s, "k", "v")) })
		own := c.cookie
		tests := []struct {
			name, cookie string
			found        bool
			most         uint64 // looked at
		}{
			{"many of ours", strings.Repeat("sid="+someID+"; ", 10_000), false, maxCookies},
			{"many of others", strings.Repeat("x=y; ", 200_000) + own, false, 0},
			{"a large one", "sid=" + strings.Repeat("a", 1<<20), false, 0},
			{"semicolons", strings.Repeat(";", 1<<20), false, 0},
			{"own one first", own + "; " + strings.Repeat("sid=x; ", 100), true, maxCookies},
			{"own one last", strings.Repeat("sid=x; ", maxCookies) + own, false, maxCookies},
		}
		for _, tt := range tests {
			before := m.Stats()
			c := &client{t: t, m: m, cookie: tt.cookie}
			res := c.with(func(s *Session) {
				if (s.ID() != "") != tt.found {
					t.Errorf("%s: found is %v", tt.name, s.ID() != "")
				}
			})
			after := m.Stats()
			looked := after.Unknown - before.Unknown + after.Malformed - before.Malformed
			if res.StatusCode != http.StatusOK || looked > tt.most || after.Repeated != before.Repeated+1 {
				t.Errorf("%s: status %d, %d looked at, %+v", tt.name, res.StatusCode, looked, after)
			}
		}
	})
}

// A handler that stores what a client sends comes to the limits, and they are the same
// on all nodes: what was refused here is nowhere, what was taken is everywhere.
func TestFloodOfAttributes(t *testing.T) {
	small := func(c *Config) {
		c.Limits = Limits{Attributes: 20, NameBytes: 50, ValueBytes: 1000, SessionBytes: 10_000}
	}
	inFarm(t, []string{"a", "b"}, small, func(f *farm, n []*server) {
		c := newClient(t, n[0].Manager)
		for round := range 20 {
			c.at(n[round%2]).with(func(s *Session) {
				for i := range 100 {
					err := Set(s, fmt.Sprintf("form-%d-%d", round, i), strings.Repeat("x", 10*i))
					var limit *LimitError
					if err != nil && !errors.As(err, &limit) {
						t.Fatal(err)
					}
				}
				for _, name := range []string{"", strings.Repeat("n", 51)} {
					if Set(s, name, "x") == nil {
						t.Errorf("a name of %d bytes was taken", len(name))
					}
				}
				if s.Len() > 20 || s.Size() > 10_000 {
					t.Errorf("%d attributes, %d bytes", s.Len(), s.Size())
				}
			})
		}
		time.Sleep(time.Second)
		alike(t, n, 1)
		for _, x := range n {
			if s := x.ClusterStats(); s.Rejected+s.LeftOut+s.Gaps != 0 {
				t.Errorf("%s: %+v", x.name, s)
			}
		}
	})
}

// A flood of new sessions ends at the limit of the node, and what a request could not get
// is told to its handler alone.
func TestFloodOfSessions(t *testing.T) {
	inFarm(t, []string{"a", "b"}, func(c *Config) { c.Limits.Sessions = 50 }, func(f *farm, n []*server) {
		refused := 0
		for i := range 500 {
			c := newClient(t, n[i%2].Manager)
			res := c.with(func(s *Session) {
				if err := Set(s, "k", "v"); errors.Is(err, ErrTooManySessions) {
					refused++
				} else {
					must(t, err)
				}
			})
			if res.StatusCode != http.StatusOK {
				t.Fatalf("request %d: status %d", i, res.StatusCode)
			}
		}
		if refused != 450 {
			t.Errorf("%d refused", refused)
		}
		alike(t, n, 50)
	})
}

// What another node refuses is no acknowledged write: the request fails with 503 and its
// client gets no cookie. The next request of the session is served.
func TestRefusedByAnotherNode(t *testing.T) {
	uneven := func(c *Config) {
		if c.Route == "b" {
			c.Limits.ValueBytes = 100
		}
	}
	inFarm(t, []string{"a", "b"}, uneven, func(f *farm, n []*server) {
		large := func(s *Session) { must(t, Set(s, "k", strings.Repeat("x", 200))) }
		fresh := newClient(t, n[0].Manager)
		if res := fresh.with(large); res.StatusCode != http.StatusServiceUnavailable || len(res.Cookies()) != 0 {
			t.Errorf("a new session: status %d, cookies %v", res.StatusCode, res.Cookies())
		}
		c := newClient(t, n[0].Manager)
		c.with(func(s *Session) { must(t, Set(s, "k", "small")) })
		if res := c.with(large); res.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("status %d", res.StatusCode)
		}
		for _, h := range []func(*Session){
			func(s *Session) { s.Has("k") }, func(s *Session) { must(t, Set(s, "k", "y")) }, func(s *Session) { s.Invalidate() },
		} {
			if res := c.with(h); res.StatusCode != http.StatusOK {
				t.Errorf("afterwards: status %d", res.StatusCode)
			}
		}
		if s := n[0].ClusterStats(); s.Rejected == 0 || s.LeftOut != 0 || n[1].ClusterStats().Rejected == 0 {
			t.Errorf("%+v, %+v", s, n[1].ClusterStats())
		}
	})
}

// Who knows the id of a session from before a login, and uses it on the other side of a split
// during that, does not have the session of the login when the split has healed.
func TestFixationInASplit(t *testing.T) {
	for name, cfg := range map[string]func(*Config){"cluster": nil, "backup": withBackups(func(b *Backup) { b.Backups = 2 })} {
		t.Run(name, func(t *testing.T) {
			inFarm(t, []string{"a", "b", "c"}, cfg, func(f *farm, n []*server) {
				victims, thieves, used := make([]*client, 6), make([]client, 6), 0
				for i := range victims {
					victims[i] = newClient(t, n[0].Manager)
					victims[i].with(func(s *Session) { must(t, Set(s, "cart", i)) })
					thieves[i] = *victims[i]
				}
				f.net.Partition([]string{"a", "b"}, []string{"c"})
				time.Sleep(10 * time.Second)
				for i, victim := range victims {
					victim.with(func(s *Session) { must(t, s.Login("ann")) })
					for range 20 {
						thieves[i].at(n[2]).with(func(s *Session) {
							if s.Has("cart") {
								must(t, s.Renew())
								used++
							}
						})
					}
				}
				f.net.Heal()
				time.Sleep(30 * time.Second)
				if used < 20 {
					t.Errorf("%d of the old ids were used; nothing is tested", used)
				}
				for i, victim := range victims {
					for _, x := range n {
						thieves[i].at(x).with(func(s *Session) {
							if s.User() != "" {
								t.Errorf("%s: who knew the old id has the session of %q", x.name, s.User())
							}
						})
						victim.at(x).with(func(s *Session) {
							if s.User() != "ann" || get[int](t, s, "cart") != i {
								t.Errorf("%s: the session of %q, names %v", x.name, s.User(), s.Names())
							}
						})
					}
				}
			})
		})
	}
}
