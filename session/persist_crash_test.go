package session

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gotribes/tribes/session/sessiontest"
	"github.com/gotribes/tribes/session/store"
)

// blow makes the store of a process that is killed at its call number n: that call takes
// place if after is true, and nothing later does.
func (o *office) blow(n int, after bool) {
	var calls atomic.Int64
	o.store.Inject(sessiontest.Faults{Before: func(ctx context.Context, c sessiontest.Call) error {
		switch i := int(calls.Add(1)); {
		case i > n, i == n && !after:
			return errBroken
		}
		return nil
	}})
}

// A process that is killed between any two steps of a save leaves the session as it was
// before or as it is afterwards: never a half one, and none that was acknowledged is missing.
// So with a store that renames, and with one that does not.
func TestPersistKilledAtAnyStep(t *testing.T) {
	for _, plain := range []bool{false, true} {
		for _, after := range []bool{false, true} {
			for n := 1; n < 14; n++ {
				t.Run(fmt.Sprintf("plain %v, after %v, call %d", plain, after, n), func(t *testing.T) {
					inOffice(t, func(c *Config) { c.Persist.EachRequest, c.Persist.OnError = true, Fail }, func(o *office) {
						if plain {
							o.cfg = func(c *Config) { eachRequest(c); c.Persist.Store, c.Persist.OnError = o.store.Plain(), Fail }
						}
						o.killedAt(n, after)
					})
				})
			}
		}
	}
}

func (o *office) killedAt(n int, after bool) {
	t := o.t
	a := o.node()
	o.blow(n, after)
	c := newClient(t, a)
	acked, cookies := 0, []string{""}
	for i := 1; i <= 10; i++ {
		res := c.with(func(s *Session) {
			must(t, Set(s, "text", fmt.Sprint(i)))
			_, err := s.Add("n", 1)
			must(t, err)
			if i%3 == 0 {
				must(t, s.Login(fmt.Sprint("user", i)))
			}
		})
		if c.cookie != cookies[len(cookies)-1] {
			cookies = append(cookies, c.cookie)
		}
		if res.StatusCode == http.StatusOK {
			acked = i
		}
	}
	o.store.Inject(sessiontest.Faults{})
	o.crash(a)
	b := o.node()
	found := 0
	for _, s := range o.store.Sessions() {
		h, err := b.look(s.ID)
		must(t, err)
		if h == nil {
			continue
		}
		look := b.outside(h)
		n := get[int](t, look, "n")
		if text := get[string](t, look, "text"); text != fmt.Sprint(n) {
			t.Errorf("half a session: n %d, text %q", n, text)
		}
		if n%3 == 0 && look.User() != fmt.Sprint("user", n) {
			t.Errorf("half a session: n %d, user %q", n, look.User())
		}
		found = max(found, n)
	}
	if found < acked {
		t.Errorf("%d were acknowledged, %d are there", acked, found)
	}
	if acked > 0 && c.cookie != "" {
		c.on(b).with(func(s *Session) {
			if n := get[int](t, s, "n"); n < acked {
				t.Errorf("the client had %d acknowledged and finds %d", acked, n)
			}
		})
	}
}

// A store whose answers are lost has done what it was told: what is saved again afterwards
// is neither lost nor counted twice.
func TestPersistAnswersLost(t *testing.T) {
	for _, plain := range []bool{false, true} {
		t.Run(fmt.Sprintf("plain %v", plain), func(t *testing.T) {
			inOffice(t, nil, func(o *office) {
				o.cfg = func(c *Config) {
					eachRequest(c)
					if plain {
						c.Persist.Store = o.store.Plain()
					}
				}
				o.answersLost()
			})
		})
	}
}

func (o *office) answersLost() {
	t := o.t
	a := o.node()
	c := newClient(t, a)
	for i := range 30 {
		f := sessiontest.Faults{}
		if i%5 == 1 {
			f.Lost = errBroken
		}
		o.store.Inject(f)
		c.with(func(s *Session) {
			_, err := s.Add("n", 1)
			must(t, err)
			if i%10 == 1 || i%7 == 0 {
				must(t, s.Renew())
			}
		})
	}
	o.store.Inject(sessiontest.Faults{})
	time.Sleep(15 * time.Second)
	must(t, a.Close())
	c.on(o.node()).with(func(s *Session) {
		if n := get[int](t, s, "n"); n != 30 {
			t.Errorf("n is %d, want 30", n)
		}
	})
	if all := o.store.Sessions(); len(all) != 1 {
		t.Errorf("%d sessions stored", len(all))
	}
}

// Who knew the id of a session before a login has no part in it afterwards, on no node, from
// the moment that the response has left.
func TestPersistLogin(t *testing.T) {
	for _, plain := range []bool{false, true} {
		t.Run(fmt.Sprintf("plain %v", plain), func(t *testing.T) {
			inOffice(t, nil, func(o *office) { // also if a request is not saved otherwise
				if plain {
					o.cfg = func(c *Config) { c.Persist.Store = o.store.Plain() }
				}
				a, b := o.node(), o.node()
				c := newClient(t, a)
				c.with(func(s *Session) { must(t, Set(s, "k", "v")) })
				must(t, a.Drain(context.Background()))
				planted := *c
				c.with(func(s *Session) { must(t, s.Login("ann")) })
				for _, m := range []*Manager{a, b, o.node()} {
					thief := planted
					thief.on(m).with(func(s *Session) {
						if s.User() != "" || s.Has("k") || s.ID() != "" {
							t.Error("the old id leads to the session")
						}
					})
				}
				c.on(b).with(func(s *Session) {
					if s.User() != "ann" || get[string](t, s, "k") != "v" {
						t.Error("the new id does not lead to the session")
					}
				})
				if all := o.store.Sessions(); len(all) != 1 {
					t.Errorf("%d sessions stored", len(all))
				}
			})
		})
	}
}

// A session that another node has ended has ended here too when this node saves it: it is
// not brought back.
func TestPersistDeletedElsewhere(t *testing.T) {
	var remote atomic.Int64
	inOffice(t, func(c *Config) {
		eachRequest(c)
		c.Listener.Destroyed = func(e Event) {
			if e.Remote {
				remote.Add(1)
			}
		}
	}, func(o *office) {
		a, b := o.node(), o.node()
		c := newClient(t, a)
		c.with(func(s *Session) { must(t, Set(s, "k", "v")) })
		c.on(b).with(func(s *Session) { s.Invalidate() })
		c.cookie = "sid=" + string(o.idOf(a))
		res := c.on(a).with(func(s *Session) { must(t, Set(s, "k", "w")) })
		if res.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("status %d, and what was written is nowhere", res.StatusCode)
		}
		c.with(func(s *Session) {
			if s.ID() != "" {
				t.Error("lives on")
			}
		})
		if n := len(o.store.Sessions()); n != 0 || remote.Load() != 1 || a.PersistStats().Lost != 1 {
			t.Errorf("%d stored, %d told, %+v", n, remote.Load(), a.PersistStats())
		}
	})
}

// A write to a session that the store does not have any more is not acknowledged, whatever
// OnError says: it is nowhere.
func TestPersistLostWriteFails(t *testing.T) {
	for _, onError := range []OnError{ServeFromMemory, Fail} {
		t.Run(onError.String(), func(t *testing.T) { lostWriteFails(t, onError) })
	}
}

func lostWriteFails(t *testing.T, onError OnError) {
	inOffice(t, func(c *Config) {
		eachRequest(c)
		c.Persist.OnError = onError
	}, func(o *office) {
		a := o.node()
		c := newClient(t, a)
		c.with(func(s *Session) { must(t, Set(s, "k", "v")) })
		for _, s := range o.store.Sessions() { // the store has lost it
			must(t, o.store.Delete(t.Context(), s.ID))
		}
		res := c.with(func(s *Session) { must(t, Set(s, "k", "w")) })
		if res.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("status %d, want 503", res.StatusCode)
		}
		c.with(func(s *Session) {
			if s.ID() != "" {
				t.Error("lives on")
			}
			must(t, Set(s, "k", "x"))
		})
		if st := a.PersistStats(); st.Lost != 1 || st.Failed != 0 || len(o.store.Sessions()) != 1 {
			t.Errorf("%d stored, %+v, want one session lost, and its successor stored", len(o.store.Sessions()), st)
		}
	})
}

// idOf returns the id of the only session of a manager.
func (o *office) idOf(m *Manager) (id ID) {
	for s := range m.All() {
		id = s.ID()
	}
	return id
}

// A stored session that cannot be read costs itself alone: it is counted, stays, and its
// client gets a new one.
func TestPersistUnreadable(t *testing.T) {
	inOffice(t, eachRequest, func(o *office) {
		a := o.node()
		clients := []*client{newClient(t, a), newClient(t, a), newClient(t, a), newClient(t, a)}
		for i, c := range clients {
			c.with(func(s *Session) { must(t, Set(s, "i", i)) })
		}
		o.crash(a)
		rows := make(map[string]store.Session)
		for _, s := range o.store.Sessions() {
			rows[s.ID] = s
		}
		spoil := func(c *client, data []byte) {
			s := rows[ID(c.id()).Random()]
			s.Data = data
			s.Version++
			must(t, o.store.Save(context.Background(), &s, s.Version-1))
		}
		spoil(clients[0], []byte("what is this?"))
		spoil(clients[1], nil)
		spoil(clients[2], rows[ID(clients[3].id()).Random()].Data) // of another session
		b := o.node()
		for i, c := range clients {
			c.on(b).with(func(s *Session) {
				if there := s.Has("i"); there != (i == 3) {
					t.Errorf("session %d: there %v", i, there)
				}
				must(t, Set(s, "again", true))
			})
		}
		if s := b.PersistStats(); s.Unreadable != 3 || len(o.store.Sessions()) != 7 {
			t.Errorf("%d stored, %+v", len(o.store.Sessions()), s)
		}
	})
}

// A session that is too large for the store is served from memory, is counted, and is saved
// when it is small again.
func TestPersistTooLarge(t *testing.T) {
	inOffice(t, eachRequest, func(o *office) {
		a := o.node()
		c := newClient(t, a)
		c.with(func(s *Session) { must(t, Set(s, "small", 1)) })
		o.store.Inject(sessiontest.Faults{MaxData: 1000})
		c.with(func(s *Session) { must(t, Set(s, "large", make([]byte, 2000))) })
		saves := o.store.Calls().Save
		for range 10 {
			c.with(func(s *Session) {
				if len(get[[]byte](t, s, "large")) != 2000 {
					t.Error("not served from memory")
				}
			})
		}
		if s := a.PersistStats(); s.TooLarge != 1 || s.Unsaved != 1 || s.Down || o.store.Calls().Save != saves {
			t.Errorf("%d saves more, %+v", o.store.Calls().Save-saves, s)
		}
		c.with(func(s *Session) { _, err := s.Delete("large"); must(t, err) })
		if s := a.PersistStats(); s.Unsaved != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// Lookup and SCS find what has left memory, and Stored has all that there is.
func TestPersistLookup(t *testing.T) {
	inOffice(t, func(c *Config) { c.Persist.SwapAfterIdle, c.Timeout = time.Minute, 20*time.Hour }, func(o *office) {
		a := o.node()
		c := newClient(t, a)
		c.with(func(s *Session) { must(t, errors.Join(Set(s, "k", "v"), s.Login("ann"))) })
		scs := a.SCS()
		token := "any token: / \x00 ü"
		must(t, scs.Commit(token, []byte("data"), time.Now().Add(10*time.Hour)))
		time.Sleep(3 * time.Minute)
		if n := a.Stats().Sessions; n != 0 {
			t.Fatalf("%d sessions in memory", n)
		}
		s, ok := a.Lookup(c.id())
		if !ok || get[string](t, s, "k") != "v" {
			t.Errorf("Lookup: %v", ok)
		}
		data, found, err := scs.Find(token)
		if string(data) != "data" || !found || err != nil {
			t.Errorf("Find = %q, %v, %v", data, found, err)
		}
		time.Sleep(3 * time.Minute)
		all, err := scs.All()
		if string(all[token]) != "data" || len(all) != 1 || err != nil {
			t.Errorf("All = %q, %v", all, err)
		}
		time.Sleep(3 * time.Minute)
		users := 0
		for s, err := range a.Stored(context.Background()) {
			must(t, err)
			if s.User() == "ann" {
				users++
				s.Invalidate()
			}
		}
		must(t, scs.Delete(token))
		if n := len(o.store.Sessions()); users != 1 || n != 0 {
			t.Errorf("%d sessions of the user, %d stored", users, n)
		}
		o.store.Inject(sessiontest.Faults{Down: errBroken})
		if _, _, err := scs.Find(token); !errors.Is(err, ErrStore) {
			t.Errorf("Find = %v", err)
		}
	})
}
