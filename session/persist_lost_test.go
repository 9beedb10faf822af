package session

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/gotribes/tribes/session/sessiontest"
	"github.com/gotribes/tribes/session/store"
)

// Of several requests that write to a session that the store has lost none is acknowledged,
// whichever of them, or of those that only read, finds that out.
func TestPersistLostWriteFailsBesideOthers(t *testing.T) {
	lose := func(t *testing.T, o *office) {
		for _, row := range o.store.Sessions() {
			must(t, o.store.Delete(context.Background(), row.ID))
		}
	}
	for name, check := range map[string]bool{"another saves": false, "another compares": true} {
		t.Run(name, func(t *testing.T) {
			inOffice(t, func(c *Config) { eachRequest(c); c.Persist.Check = check }, func(o *office) {
				c := newClient(t, o.node())
				c.with(func(s *Session) { must(t, Set(s, "k", 1)) })
				res := c.with(func(s *Session) {
					must(t, Set(s, "a", 1))
					other := *c
					if check {
						lose(t, o)
						other.with(func(*Session) {})
						return
					}
					res := other.with(func(s *Session) {
						must(t, Set(s, "b", 1))
						lose(t, o)
					})
					if res.StatusCode != http.StatusServiceUnavailable {
						t.Errorf("the first that saves has status %d", res.StatusCode)
					}
				})
				if res.StatusCode != http.StatusServiceUnavailable {
					t.Errorf("status %d, and nothing is stored", res.StatusCode)
				}
			})
		})
	}
}

// A session that is ended while what another node has saved of it is on its way from the store
// does not come back with that.
func TestPersistEndBesideARead(t *testing.T) {
	for name, act := range map[string]func(s *Session) error{
		"of a save that was overtaken": func(s *Session) error { return Set(s, "a", 1) },
		"of a comparison":              func(*Session) error { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			inOffice(t, func(c *Config) { eachRequest(c); c.Route = "a" }, func(o *office) {
				a := o.node()
				late := lateStore{o.store, make(chan struct{})}
				o.cfg = func(c *Config) { eachRequest(c); c.Route, c.Persist.Store = "b", late }
				b := o.node()
				c := newClient(t, b)
				c.with(func(s *Session) { must(t, s.Login("ann")) })
				mine, old := *c, *c
				var all sync.WaitGroup
				mine.on(b).with(func(s *Session) {
					c.on(a).with(func(s *Session) { must(t, Set(s, "x", 1)) })
					other := *c
					if name == "of a save that was overtaken" {
						other = mine
					}
					all.Go(func() { other.on(b).with(func(s *Session) { must(t, act(s)) }) })
					synctest.Wait() // the other one reads
					s.Invalidate()
					all.Go(func() { close(late.wait) })
				})
				all.Wait()
				old.with(func(s *Session) {
					if s.ID() != "" {
						t.Errorf("logged out, and there is the session of %q", s.User())
					}
				})
			})
		})
	}
}

// firstLate is a store whose first load is answered late: with what was there when it began.
type firstLate struct {
	*sessiontest.Store
	late *atomic.Bool
	wait chan struct{}
}

func (f firstLate) Load(ctx context.Context, id string) (*store.Session, error) {
	s, err := f.Store.Load(ctx, id)
	if f.late.CompareAndSwap(false, true) {
		<-f.wait
	}
	return s, err
}

// A session that is ended while Stored reads it, or of which the store could not be told that
// it has ended, does not come back with that.
func TestPersistEndBesideStored(t *testing.T) {
	inOffice(t, eachRequest, func(o *office) {
		c := newClient(t, o.node())
		c.with(func(s *Session) { must(t, s.Login("ann")) })
		old := *c
		wait := make(chan struct{})
		o.cfg = func(c *Config) { eachRequest(c); c.Persist.Store = firstLate{o.store, new(atomic.Bool), wait} }
		b := o.node()
		var all sync.WaitGroup
		all.Go(func() {
			for _, err := range b.Stored(context.Background()) {
				must(t, err)
			}
		})
		synctest.Wait() // Stored reads
		for s, err := range b.Stored(context.Background()) {
			must(t, err)
			s.Invalidate()
		}
		close(wait)
		all.Wait()
		old.on(b).with(func(s *Session) {
			if s.ID() != "" {
				t.Errorf("logged out, and there is the session of %q", s.User())
			}
		})
		c = newClient(t, b)
		c.with(func(s *Session) { must(t, s.Login("ann")) })
		old = *c
		o.store.Inject(breaking("Delete"))
		c.with(func(s *Session) { s.Invalidate() })
		left := slices.Collect(maps.Keys(maps.Collect(b.Stored(context.Background()))))
		o.store.Inject(sessiontest.Faults{})
		old.with(func(s *Session) {
			if s.ID() != "" || len(left) > 0 {
				t.Errorf("logged out, and Stored has brought back the session of %q", s.User())
			}
		})
	})
}
