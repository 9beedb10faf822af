package session

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/gotribes/tribes/session/sessiontest"
	"github.com/gotribes/tribes/session/store"
)

// slowPost is a store whose saves, while it is on, fail and take place when they are let.
type slowPost struct {
	*sessiontest.Store
	on   bool
	held []func() error
}

func (p *slowPost) Save(ctx context.Context, s *store.Session, base uint64) error {
	if !p.on {
		return p.Store.Save(ctx, s, base)
	}
	late := *s
	p.held = append(p.held, func() error { return p.Store.Save(context.Background(), &late, base) })
	return errBroken
}

// A save that was given up can take place when its session has been ended and deleted: the
// session does not come back with that.
func TestPersistLateSaveAfterEnd(t *testing.T) {
	inOffice(t, nil, func(o *office) {
		post := &slowPost{Store: o.store, on: true}
		o.cfg = func(c *Config) { eachRequest(c); c.Persist.Store = post }
		a := o.node()
		c := newClient(t, a)
		c.with(func(s *Session) { must(t, s.Login("ann")) })
		old := *c
		c.with(func(s *Session) { s.Invalidate() })
		post.on = false
		time.Sleep(5 * time.Second)
		must(t, post.held[0]())
		old.with(func(s *Session) {
			if s.ID() != "" {
				t.Errorf("logged out, and there is the session of %q", s.User())
			}
		})
		time.Sleep(2 * time.Minute)
		if n := len(o.store.Sessions()); n != 0 {
			t.Errorf("%d rows are left", n)
		}
	})
}

// The row of a save whose answer was lost, or that came late, does not stay when a login has
// given the session another id.
func TestPersistLoginAfterALostSave(t *testing.T) {
	inOffice(t, nil, func(o *office) {
		post := &slowPost{Store: o.store, on: true}
		o.cfg = func(c *Config) { eachRequest(c); c.Persist.Store = post }
		a, b := o.node(), o.node()
		c := newClient(t, a)
		c.with(func(s *Session) { must(t, Set(s, "k", "v")) })
		planted := *c
		must(t, post.held[0]())
		post.on = false
		c.with(func(s *Session) { must(t, s.Login("ann")) })
		time.Sleep(2 * time.Minute)
		planted.on(b).with(func(s *Session) {
			if s.ID() != "" {
				t.Errorf("the id from before the login leads to %v", s.Names())
			}
		})
		c.on(b).with(func(s *Session) {
			if s.User() != "ann" {
				t.Errorf("the session of %q", s.User())
			}
		})
	})
}

// With Fail no request is answered with success whose changes are in a session that is too
// large for the store, also if another request has found that out.
func TestPersistTooLargeFailsForAll(t *testing.T) {
	inOffice(t, func(c *Config) { eachRequest(c); c.Persist.OnError = Fail }, func(o *office) {
		c := newClient(t, o.node())
		c.with(func(s *Session) { must(t, Set(s, "k", 1)) })
		o.store.Inject(sessiontest.Faults{MaxData: 10})
		res := c.with(func(s *Session) {
			must(t, Set(s, "a", 1))
			other := *c
			res := other.with(func(s *Session) { must(t, Set(s, "b", 1)) })
			if res.StatusCode != http.StatusServiceUnavailable {
				t.Errorf("the first that saves has status %d", res.StatusCode)
			}
		})
		if res.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("status %d, and nothing is stored", res.StatusCode)
		}
		if res := c.with(func(s *Session) { get[int](t, s, "k") }); res.StatusCode != http.StatusOK {
			t.Errorf("a request that changes nothing has status %d", res.StatusCode)
		}
	})
}

// The write that is stored last counts also if a save of its node had failed before.
func TestPersistLastStoredCountsAfterFailure(t *testing.T) {
	inOffice(t, eachRequest, func(o *office) {
		a, b := o.node(), o.node()
		c := newClient(t, a)
		c.with(func(s *Session) { must(t, Set(s, "k", 1)) })
		for i := range 5 {
			c.on(b).with(func(s *Session) { must(t, Set(s, "k", 2+i)) })
		}
		o.store.Inject(sessiontest.Faults{Down: errBroken})
		c.on(a).with(func(s *Session) { must(t, Set(s, "other", 1)) })
		o.store.Inject(sessiontest.Faults{})
		c.with(func(s *Session) { must(t, Set(s, "k", 9)) })
		c.on(o.node()).with(func(s *Session) {
			if k := get[int](t, s, "k"); k != 9 {
				t.Errorf("k is %d, and 9 was acknowledged", k)
			}
		})
	})
}

// stuck is a store that hangs in a save, whatever its context says.
type stuck struct {
	*sessiontest.Store
	wait chan struct{}
}

func (s stuck) Save(ctx context.Context, x *store.Session, base uint64) error {
	<-s.wait
	return s.Store.Save(ctx, x, base)
}

// A call of the store that never ends, as of a disk that hangs, holds up its own request, and
// others of the session for a bounded time.
func TestPersistStuckSave(t *testing.T) {
	inOffice(t, nil, func(o *office) {
		wait := make(chan struct{})
		o.cfg = func(c *Config) { eachRequest(c); c.Persist.OnError, c.Persist.Store = Fail, stuck{o.store, wait} }
		a := o.node()
		c := newClient(t, a)
		time.AfterFunc(time.Hour, func() { close(wait) })
		c.with(func(s *Session) {
			must(t, Set(s, "k", 1))
			id := s.ID()
			time.AfterFunc(time.Minute, func() {
				other := newClient(t, a)
				other.cookie = "sid=" + string(id)
				begin := time.Now()
				res := other.with(func(s *Session) { must(t, Set(s, "k", 2)) })
				if took := time.Since(begin); res.StatusCode != http.StatusServiceUnavailable || took > 21*time.Second {
					t.Errorf("status %d after %v", res.StatusCode, took)
				}
			})
		})
	})
}
