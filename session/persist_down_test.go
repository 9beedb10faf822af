package session

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/gotribes/tribes/session/sessiontest"
)

var errBroken = errors.New("broken")

// While the store does not work, ServeFromMemory serves what is in memory and saves it
// afterwards; what is not in memory gets 503, since nobody knows whether it is there.
func TestPersistStoreDown(t *testing.T) {
	inOffice(t, eachRequest, func(o *office) {
		a := o.node()
		c, other := newClient(t, a), newClient(t, o.node())
		c.with(func(s *Session) { must(t, Set(s, "n", 1)) })
		other.with(func(s *Session) { must(t, Set(s, "k", "v")) })
		o.store.Inject(sessiontest.Faults{Down: errBroken})
		for range 10 {
			res := c.with(func(s *Session) { _, err := s.Add("n", 1); must(t, err) })
			if res.StatusCode != http.StatusOK {
				t.Fatalf("status %d", res.StatusCode)
			}
		}
		fresh := newClient(t, a)
		fresh.with(func(s *Session) { must(t, Set(s, "new", true)) })
		res := other.on(a).with(func(s *Session) { t.Error("served without its session") })
		if res.StatusCode != http.StatusServiceUnavailable || other.cookie == "" {
			t.Errorf("status %d, cookie %q", res.StatusCode, other.cookie)
		}
		if s := a.PersistStats(); s.Unsaved != 2 || !s.Down {
			t.Errorf("%+v", s)
		}
		o.store.Inject(sessiontest.Faults{})
		time.Sleep(15 * time.Second)
		if s := a.PersistStats(); s.Unsaved != 0 || s.Down {
			t.Errorf("not recovered: %+v", s)
		}
		o.crash(a)
		b := o.node()
		c.on(b).with(func(s *Session) {
			if n := get[int](t, s, "n"); n != 11 {
				t.Errorf("n is %d", n)
			}
		})
		fresh.on(b).with(func(s *Session) {
			if !get[bool](t, s, "new") {
				t.Error("a session made during the outage is lost")
			}
		})
	})
}

// With Fail a change that cannot be stored is not answered with success.
func TestPersistStoreDownFails(t *testing.T) {
	for name, fault := range map[string]sessiontest.Faults{
		"down": {Down: errBroken}, "slow": {Delay: time.Hour}, "full": {Full: errBroken}, "large": {MaxData: 10},
	} {
		t.Run(name, func(t *testing.T) {
			inOffice(t, func(c *Config) { c.Persist.EachRequest, c.Persist.OnError = true, Fail }, func(o *office) {
				c := newClient(t, o.node())
				c.with(func(s *Session) { must(t, Set(s, "n", 1)) })
				o.store.Inject(fault)
				for range 5 {
					begin := time.Now()
					res := c.with(func(s *Session) { _, err := s.Add("n", 1); must(t, err) })
					if took := time.Since(begin); res.StatusCode != http.StatusServiceUnavailable || took > 5*time.Second {
						t.Errorf("status %d after %v", res.StatusCode, took)
					}
				}
				o.store.Inject(sessiontest.Faults{})
				time.Sleep(15 * time.Second)
				res := c.with(func(s *Session) { _, err := s.Add("n", 1); must(t, err) })
				if res.StatusCode != http.StatusOK {
					t.Errorf("status %d when the store works again", res.StatusCode)
				}
			})
		})
	}
}

// Close saves everything; without it a crash loses what was not saved yet, and no more.
func TestPersistClose(t *testing.T) {
	inOffice(t, nil, func(o *office) {
		a, b := o.node(), o.node()
		kept, lost := newClient(t, a), newClient(t, b)
		for _, c := range []*client{kept, lost} {
			c.with(func(s *Session) { must(t, Set(s, "n", 1)) })
			time.Sleep(2 * time.Minute)
			c.with(func(s *Session) { must(t, Set(s, "n", 2)) })
		}
		must(t, a.Drain(context.Background()))
		if a.Ready() || a.PersistStats().Unsaved != 0 {
			t.Errorf("after Drain: ready %v, %+v", a.Ready(), a.PersistStats())
		}
		must(t, a.Close())
		o.crash(b)
		for c, want := range map[*client]int{kept: 2, lost: 1} {
			c.on(o.node()).with(func(s *Session) {
				if n := get[int](t, s, "n"); n != want {
					t.Errorf("n is %d, want %d", n, want)
				}
			})
		}
		c := o.node()
		client := newClient(t, c)
		client.with(func(s *Session) { must(t, Set(s, "n", 1)) })
		o.store.Inject(sessiontest.Faults{Down: errBroken})
		if err := c.Close(); !errors.Is(err, errBroken) {
			t.Errorf("Close with a store that does not work = %v", err)
		}
		o.store.Inject(sessiontest.Faults{})
	})
}

// With Preload all sessions are in memory when Start returns.
func TestPersistPreload(t *testing.T) {
	inOffice(t, nil, func(o *office) {
		a := o.node()
		for range 100 {
			newClient(t, a).with(func(s *Session) { must(t, Set(s, "k", "v")) })
		}
		must(t, a.Close())
		o.cfg = func(c *Config) { c.Persist.Preload = true }
		if n := o.node().Stats().Sessions; n != 100 {
			t.Errorf("%d sessions", n)
		}
		o.cfg = func(c *Config) { c.Persist.Preload, c.Persist.InMemory = true, 30 }
		if n := o.node().Stats().Sessions; n != 30 {
			t.Errorf("%d sessions, want 30", n)
		}
		o.cfg = func(c *Config) { c.Persist.Preload, c.Persist.OnError = true, Fail }
		o.store.Inject(sessiontest.Faults{Down: errBroken})
		c := Config{Persist: &Persist{Store: o.store, Preload: true, OnError: Fail}}
		m, err := New(c)
		must(t, err)
		if err := m.Start(context.Background()); !errors.Is(err, ErrStore) || !errors.Is(err, errBroken) {
			t.Errorf("Start = %v", err)
		}
		must(t, m.Close())
		o.store.Inject(sessiontest.Faults{})
	})
}
