package session

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/session/internal/record"
	"github.com/gotribes/tribes/session/internal/stored"
	"github.com/gotribes/tribes/session/sessiontest"
	"github.com/gotribes/tribes/session/store"
)

// A token of scs can be used again when its session has expired, though the store still has
// its row.
func TestPersistTokenOfExpiredRow(t *testing.T) {
	inOffice(t, nil, func(o *office) {
		o.cfg = func(c *Config) { eachRequest(c); c.Persist.Store = o.store.Plain() }
		scs := o.node().SCS()
		must(t, scs.Commit("token", []byte("1"), time.Now().Add(time.Hour)))
		time.Sleep(2 * time.Hour)
		if n := len(o.store.Sessions()); n != 1 {
			t.Fatalf("%d rows", n)
		}
		must(t, scs.Commit("token", []byte("2"), time.Now().Add(time.Hour)))
		if data, _, err := o.node().SCS().Find("token"); string(data) != "2" || err != nil {
			t.Errorf("Find = %q, %v", data, err)
		}
		time.Sleep(2 * time.Hour)
		must(t, o.node().SCS().Commit("token", []byte("3"), time.Now().Add(time.Hour))) // that knows nothing of it
		if data, _, err := o.node().SCS().Find("token"); string(data) != "3" || err != nil {
			t.Errorf("Find = %q, %v", data, err)
		}
	})
}

// A row that holds something else than it should, a session of another key or bytes that are
// none, is not overwritten: the request fails, or the session is served from memory.
func TestPersistForeignRow(t *testing.T) {
	for _, strict := range []OnError{Fail, ServeFromMemory} {
		for _, kind := range []string{"key", "bytes"} {
			t.Run(strict.String()+", "+kind, func(t *testing.T) {
				inOffice(t, func(c *Config) { eachRequest(c); c.Persist.OnError = strict }, func(o *office) {
					a := o.node()
					c := newClient(t, a)
					c.with(func(s *Session) { must(t, Set(s, "k", "v")) })
					row := o.foreign(ID(c.id()), kind)
					res := c.with(func(s *Session) { must(t, Set(s, "k", "w")) })
					if failed := res.StatusCode != http.StatusOK; failed != (strict == Fail) {
						t.Errorf("status %d", res.StatusCode)
					}
					time.Sleep(time.Minute)
					if all := o.store.Sessions(); len(all) != 1 || string(all[0].Data) != string(row.Data) {
						t.Error("it was overwritten")
					}
					if s := a.PersistStats(); s.Unsaved != 1 || s.Down || s.Failed == 0 {
						t.Errorf("%+v", s)
					}
				})
			})
		}
	}
}

// foreign replaces what is stored under an id.
func (o *office) foreign(id ID, kind string) *store.Session {
	rec := record.New(record.NewSite(membership.NewID(), record.Limits{}, false), record.Key{1})
	must(o.t, rec.SetID(string(id)))
	row := o.store.Sessions()[0]
	row.Data = []byte("no session")
	if kind == "key" {
		row.Data = stored.Encode(CBOR().Name(), rec.Snapshot(0))
	}
	row.Version++
	must(o.t, o.store.Save(context.Background(), &row, row.Version-1))
	return &row
}

// Another codec is another application: its sessions are not taken, and not removed.
func TestPersistOtherCodec(t *testing.T) {
	inOffice(t, eachRequest, func(o *office) {
		c := newClient(t, o.node())
		c.with(func(s *Session) { must(t, Set(s, "k", "v")) })
		old := *c
		o.cfg = func(c *Config) { eachRequest(c); c.Codec = JSON() }
		b := o.node()
		c.on(b).with(func(s *Session) {
			if s.ID() != "" {
				t.Error("taken")
			}
		})
		if n := b.PersistStats().Unreadable; n != 1 || len(o.store.Sessions()) != 1 {
			t.Errorf("%d unreadable, %d rows", n, len(o.store.Sessions()))
		}
		o.cfg = eachRequest
		old.on(o.node()).with(func(s *Session) {
			if get[string](t, s, "k") != "v" {
				t.Error("lost")
			}
		})
	})
}

func TestPersistConfig(t *testing.T) {
	plain := sessiontest.NewStore().Plain()
	for name, p := range map[string]*Persist{
		"no store":       {},
		"preload":        {Store: plain, Preload: true},
		"timeout":        {Store: plain, Timeout: -1},
		"calls":          {Store: plain, Calls: -1},
		"on error":       {Store: plain, OnError: 7},
		"swap below min": {Store: plain, SwapAfterIdle: 1, SwapMinIdle: 2},
	} {
		if _, err := New(Config{Persist: p}); err == nil {
			t.Errorf("%s is no error", name)
		}
	}
	for name, p := range map[string]*Persist{
		"check": {Store: plain, Check: true}, "swap": {Store: plain, SwapAfterIdle: 1}, "in memory": {Store: plain, InMemory: 1},
	} {
		if err := p.withDefaults().validate(true); err == nil {
			t.Errorf("%s with a cluster is no error", name)
		}
		if err := p.withDefaults().validate(false); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
