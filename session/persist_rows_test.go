package session

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gotribes/tribes/session/sessiontest"
	"github.com/gotribes/tribes/session/store"
)

// breaking makes the calls of some methods fail.
func breaking(methods ...string) sessiontest.Faults {
	return sessiontest.Faults{Before: func(_ context.Context, c sessiontest.Call) error {
		for _, m := range methods {
			if c.Method == m {
				return errBroken
			}
		}
		return nil
	}}
}

// With a store that cannot rename, the old row may outlive a login for want of a delete. It
// leads nowhere on nodes that have the session, and is deleted as soon as that works.
func TestPersistOldRowLeft(t *testing.T) {
	inOffice(t, nil, func(o *office) {
		o.cfg = func(c *Config) { eachRequest(c); c.Persist.Store = o.store.Plain() }
		a, b := o.node(), o.node()
		c := newClient(t, a)
		c.with(func(s *Session) { must(t, Set(s, "k", "v")) })
		planted := *c
		o.store.Inject(breaking("Delete"))
		c.with(func(s *Session) { must(t, s.Login("ann")) })
		c.on(b).with(func(s *Session) { get[string](t, s, "k") })
		if n := len(o.store.Sessions()); n != 2 {
			t.Fatalf("%d rows, want both", n)
		}
		for _, m := range []*Manager{a, b} {
			thief := planted
			thief.on(m).with(func(s *Session) {
				if s.ID() != "" {
					t.Errorf("the old id leads to the session of %q", s.User())
				}
			})
		}
		o.store.Inject(sessiontest.Faults{})
		time.Sleep(time.Minute)
		if n := len(o.store.Sessions()); n != 1 {
			t.Errorf("%d rows", n)
		}
	})
}

// What is ended while the store does not work is over at once, and deleted when it works.
func TestPersistEndedInOutage(t *testing.T) {
	inOffice(t, eachRequest, func(o *office) {
		a := o.node()
		c := newClient(t, a)
		c.with(func(s *Session) { must(t, Set(s, "k", "v")) })
		old := *c
		o.store.Inject(breaking("Delete"))
		c.with(func(s *Session) { s.Invalidate() })
		old.with(func(s *Session) {
			if s.ID() != "" {
				t.Error("it has come back from the store")
			}
		})
		o.store.Inject(sessiontest.Faults{})
		time.Sleep(time.Minute)
		if n := len(o.store.Sessions()); n != 0 {
			t.Errorf("%d rows", n)
		}
	})
}

// A token of scs that is deleted and used again while the store does not work is there.
func TestPersistTokenAgain(t *testing.T) {
	inOffice(t, eachRequest, func(o *office) {
		a := o.node()
		scs := a.SCS()
		must(t, scs.Commit("token", []byte("1"), time.Now().Add(time.Hour)))
		o.store.Inject(breaking("Delete", "Save"))
		must(t, scs.Delete("token"))
		must(t, scs.Commit("token", []byte("2"), time.Now().Add(time.Hour)))
		o.store.Inject(sessiontest.Faults{})
		time.Sleep(time.Minute)
		must(t, a.Close())
		data, found, err := o.node().SCS().Find("token")
		if string(data) != "2" || !found || err != nil {
			t.Errorf("Find = %q, %v, %v", data, found, err)
		}
		b := o.node()
		_, _, err = b.SCS().Find("token") // is in memory now
		must(t, err)
		o.store.Inject(sessiontest.Faults{Lost: errBroken})
		must(t, b.SCS().Delete("token"))
		o.store.Inject(sessiontest.Faults{})
		must(t, b.SCS().Commit("token", []byte("2"), time.Now().Add(time.Hour)))
		time.Sleep(time.Minute)
		if data, _, err := o.node().SCS().Find("token"); string(data) != "2" || err != nil {
			t.Errorf("Find after a delete whose answer was lost = %q, %v", data, err)
		}
		time.Sleep(2 * time.Hour)
		scs = o.node().SCS() // its row has expired and may be there still
		must(t, scs.Commit("token", []byte("3"), time.Now().Add(time.Hour)))
		if data, _, err := o.node().SCS().Find("token"); string(data) != "3" || err != nil {
			t.Errorf("Find = %q, %v", data, err)
		}
	})
}

// Nobody is logged out early by a failover, though the store is not told of each access.
func TestPersistNotEarly(t *testing.T) {
	inOffice(t, eachRequest, func(o *office) {
		a, b := o.node(), o.node()
		c := newClient(t, a)
		c.with(func(s *Session) { must(t, Set(s, "k", "v")) })
		time.Sleep(50 * time.Second)
		c.with(func(s *Session) { get[string](t, s, "k") })
		o.crash(a)
		time.Sleep(29*time.Minute + 50*time.Second)
		c.on(b).with(func(s *Session) {
			if get[string](t, s, "k") != "v" {
				t.Error("expired before its time")
			}
		})
	})
}

// A save goes on although its client has gone.
func TestPersistClientGone(t *testing.T) {
	inOffice(t, eachRequest, func(o *office) {
		a := o.node()
		ctx, cancel := context.WithCancel(context.Background())
		o.store.Inject(sessiontest.Faults{Before: func(context.Context, sessiontest.Call) error { cancel(); return nil }})
		r := httptest.NewRequest("GET", "/", nil).WithContext(ctx)
		a.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			must(t, Set(From(r), "k", "v"))
		})).ServeHTTP(httptest.NewRecorder(), r)
		if s := a.PersistStats(); s.Saves != 1 || s.Failed != 0 || ctx.Err() == nil {
			t.Errorf("%+v", s)
		}
	})
}

// A save that did not work is tried again, whatever else is off.
func TestPersistRetries(t *testing.T) {
	inOffice(t, func(c *Config) { c.Persist.SaveAfterIdle, c.Persist.SaveWithin = -1, -1 }, func(o *office) {
		a := o.node()
		c, never := newClient(t, a), newClient(t, a)
		c.with(func(s *Session) { must(t, Set(s, "k", "v")) })
		never.with(func(s *Session) { must(t, Set(s, "k", "v")) })
		must(t, a.Drain(context.Background()))
		o.store.Inject(sessiontest.Faults{Down: errBroken})
		c.with(func(s *Session) { must(t, s.Login("ann")) })
		never.with(func(s *Session) { must(t, Set(s, "k", "w")) })
		o.store.Inject(sessiontest.Faults{})
		time.Sleep(25 * time.Minute)
		if s := a.PersistStats(); s.Unsaved != 1 || s.Saves != 3 {
			t.Errorf("%+v, %+v", s, o.store.Calls())
		}
	})
}

// A row that came and went and came again is not taken for the one of before: what both
// nodes have written is there.
func TestPersistRowAgain(t *testing.T) {
	inOffice(t, eachRequest, func(o *office) {
		a, b := o.node(), o.node()
		c := newClient(t, a)
		c.with(func(s *Session) { must(t, Set(s, "k", "v")) })
		c.on(b).with(func(s *Session) { get[string](t, s, "k") })
		o.store.Inject(sessiontest.Faults{Down: errBroken})
		for range 60 {
			time.Sleep(time.Minute)
			c.on(a).with(func(s *Session) { get[string](t, s, "k") })
			c.on(b).with(func(s *Session) { get[string](t, s, "k") })
		}
		time.Sleep(time.Second) // the last touches have failed
		o.store.Inject(sessiontest.Faults{})
		if n, err := o.store.Expire(context.Background(), time.Now()); n != 1 || err != nil {
			t.Fatalf("Expire = %d, %v", n, err)
		}
		time.Sleep(2 * time.Second)
		c.on(a).with(func(s *Session) { must(t, Set(s, "a", 1)) })
		c.on(b).with(func(s *Session) { must(t, Set(s, "b", 1)) })
		c.on(o.node()).with(func(s *Session) {
			if s.Len() != 3 {
				t.Errorf("there are %v", s.Names())
			}
		})
	})
}

// To leave memory costs a session that has not changed no save; nor does to come back.
func TestPersistSwapSavesOnce(t *testing.T) {
	inOffice(t, func(c *Config) { eachRequest(c); c.Persist.SwapAfterIdle = time.Minute }, func(o *office) {
		a := o.node()
		c := newClient(t, a)
		c.with(func(s *Session) { must(t, Set(s, "k", "v")) })
		for range 10 {
			time.Sleep(3*time.Minute + time.Second/2) // not when it is swept
			if a.Stats().Sessions != 0 {
				t.Fatal("in memory")
			}
			c.with(func(s *Session) { get[string](t, s, "k") })
		}
		if n := o.store.Calls(); n.Save != 1 || n.Load != 10 || n.Touch > 10 {
			t.Errorf("%+v", n)
		}
	})
}

// A store that forgets a session does not end it where other nodes hold it too.
func TestPersistClusterRowLost(t *testing.T) {
	inFarmWithStore(t, []string{"a", "b"}, func(c *Config) { c.Route = "" }, func(f *farm, n []*server, s *sessiontest.Store) {
		c := newClient(t, n[0].Manager)
		for i := range 4 {
			c.at(n[i%2]).with(func(s *Session) { must(t, Set(s, fmt.Sprint(i), i)) })
			for _, row := range s.Sessions() {
				must(t, s.Delete(context.Background(), row.ID))
			}
		}
		c.with(func(s *Session) { must(t, Set(s, "last", true)) })
		time.Sleep(time.Minute)
		alike(t, n, 1)
		for _, x := range n {
			x.crash()
		}
		x := f.boot("c")
		must(t, x.Start(context.Background()))
		c.at(x).with(func(s *Session) {
			if s.Len() != 5 {
				t.Errorf("there are %v", s.Names())
			}
		})
		x.stop()
	})
}

// lateStore is a store whose loads are answered late: with what was there when they began.
type lateStore struct {
	*sessiontest.Store
	wait chan struct{} // loads wait until it is closed
}

func (l lateStore) Load(ctx context.Context, id string) (*store.Session, error) {
	s, err := l.Store.Load(ctx, id)
	<-l.wait
	return s, err
}

// With Check a request that waits for a load that another one has begun does not get what was
// there before its own client's last response.
func TestPersistJoinedLoad(t *testing.T) {
	inOffice(t, func(c *Config) { eachRequest(c); c.Persist.Check = true }, func(o *office) {
		a := o.node()
		late := lateStore{o.store, make(chan struct{})}
		o.cfg = func(c *Config) {
			eachRequest(c)
			c.Persist.Check, c.Persist.Store, c.Persist.Timeout = true, late, time.Hour
		}
		b := o.node()
		c := newClient(t, a)
		c.with(func(s *Session) { must(t, Set(s, "n", 1)) })
		var all sync.WaitGroup
		all.Go(func() { first := *c; first.on(b).with(func(*Session) {}) })
		synctest.Wait()
		c.with(func(s *Session) { must(t, Set(s, "n", 2)) })
		all.Go(func() {
			second := *c
			second.on(b).with(func(s *Session) {
				if n := get[int](t, s, "n"); n != 2 {
					t.Errorf("n is %d", n)
				}
			})
		})
		synctest.Wait()
		close(late.wait)
		all.Wait()
	})
}
