package session

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// A request that is under way with the id from before a login is not told the id that the
// login has given the session: who planted the old one could have sent it.
func TestLoginTellsNobodyElse(t *testing.T) {
	for name, cookie := range map[string]Cookie{"persistent": {Persistent: true}, "other route": {}} {
		t.Run(name, func(t *testing.T) {
			m := newManager(t, Config{Route: "a", Cookie: cookie})
			victim := newClient(t, m)
			victim.with(func(s *Session) { must(t, Set(s, "k", "v")) })
			thief := *victim
			if name == "other route" {
				thief.cookie = thief.cookie[:len(thief.cookie)-1] + "b"
			}
			thief.with(func(*Session) {
				victim.with(func(s *Session) { must(t, s.Login("ann")) })
			})
			thief.with(func(s *Session) {
				if s.User() != "" {
					t.Errorf("logged in as %q, with what a request from before the login was told", s.User())
				}
			})
			victim.with(func(s *Session) {
				if s.User() != "ann" {
					t.Errorf("the session of %q", s.User())
				}
			})
		})
	}
}

// A request that has come with the id from before a login, and whose session is still being
// looked for during that, does not get it.
func TestLoginBesideALookUp(t *testing.T) {
	inOffice(t, nil, func(o *office) {
		wait := make(chan struct{})
		o.cfg = func(c *Config) {
			eachRequest(c)
			c.Persist.Check, c.Persist.Store = true, firstLate{o.store, new(atomic.Bool), wait}
		}
		victim := newClient(t, o.node())
		victim.with(func(s *Session) { must(t, Set(s, "k", "v")) })
		thief := *victim
		var all sync.WaitGroup
		all.Go(func() {
			thief.with(func(s *Session) {
				if s.User() != "" {
					t.Errorf("has the session of %q", s.User())
				}
			})
		})
		synctest.Wait() // the session is looked for
		victim.with(func(s *Session) { must(t, s.Login("ann")) })
		close(wait)
		all.Wait()
		victim.with(func(s *Session) {
			if s.User() != "ann" {
				t.Errorf("the session of %q", s.User())
			}
		})
	})
}

// A request that is under way with the id from before a login does not get the session by
// giving it another id, neither by Renew nor by a login of somebody else.
func TestLoginKeepsOthersFromRenewing(t *testing.T) {
	for name, renew := range map[string]func(s *Session) error{
		"renew": (*Session).Renew,
		"login": func(s *Session) error { return s.Login("eve") },
	} {
		t.Run(name, func(t *testing.T) {
			m := newManager(t, Config{})
			victim := newClient(t, m)
			victim.with(func(s *Session) { must(t, Set(s, "k", "v")) })
			thief := *victim
			thief.with(func(s *Session) {
				victim.with(func(s *Session) { must(t, s.Login("ann")) })
				if err := renew(s); !errors.Is(err, ErrEnded) {
					t.Errorf("error %v, want ErrEnded", err)
				}
			})
			thief.with(func(s *Session) {
				if s.ID() != "" {
					t.Errorf("has the session of %q", s.User())
				}
			})
			victim.with(func(s *Session) {
				if s.User() != "ann" || get[string](t, s, "k") != "v" {
					t.Errorf("the session of %q", s.User())
				}
			})
		})
	}
}

// A request that has renewed the id is not told the one that a login has given the session
// since: the client that logs in had come before.
func TestLoginAfterARenewalTellsNobodyElse(t *testing.T) {
	m := newManager(t, Config{})
	victim := newClient(t, m)
	victim.with(func(s *Session) { must(t, Set(s, "k", "v")) })
	thief := *victim
	victim.with(func(s *Session) {
		login := s
		thief.with(func(s *Session) {
			must(t, s.Renew())
			must(t, login.Login("ann"))
		})
	})
	thief.with(func(s *Session) {
		if s.ID() != "" {
			t.Errorf("has the session of %q", s.User())
		}
	})
	victim.with(func(s *Session) {
		if s.User() != "ann" {
			t.Errorf("the session of %q", s.User())
		}
	})
}

// A form that is sent twice logs in twice, and both responses lead to the session.
func TestLoginTwiceAtTheSameTime(t *testing.T) {
	m := newManager(t, Config{})
	first := newClient(t, m)
	first.with(func(s *Session) { must(t, Set(s, "k", "v")) })
	second := *first
	first.with(func(one *Session) {
		second.with(func(two *Session) {
			must(t, one.Login("ann"))
			must(t, two.Login("ann"))
		})
	})
	for _, c := range []*client{first, &second} {
		c.with(func(s *Session) {
			if s.User() != "ann" || get[string](t, s, "k") != "v" {
				t.Errorf("the session of %q", s.User())
			}
		})
	}
}
