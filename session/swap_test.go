package session

import (
	"context"
	"net/http"
	"testing"

	"github.com/gotribes/tribes/session/internal/table"
	"github.com/gotribes/tribes/session/sessiontest"
)

// restless is a backend whose sessions leave memory whenever one looks.
type restless struct{ *local }

func (b restless) Peek(id string) *held {
	return &held{Rec: b.local.Peek(id).Rec, Kept: &table.Kept{Swapped: true}}
}

// A session that leaves memory again and again is read as it was last.
func TestReadOfASessionThatLeavesMemory(t *testing.T) {
	m := newManager(t, Config{})
	c := newClient(t, m)
	c.with(func(s *Session) { must(t, Set(s, "k", "v")) })
	s, ok := m.Lookup(c.id())
	if !ok {
		t.Fatal("not found")
	}
	s.h = restless{m.b.(*local)}.Peek(c.id())
	m.b = restless{m.b.(*local)}
	if v := get[string](t, s, "k"); v != "v" {
		t.Errorf("k is %q", v)
	}
}

// A session that leaves memory while it is ended from outside of a request has ended.
func TestPersistInvalidateBesideASwap(t *testing.T) {
	inOffice(t, eachRequest, func(o *office) {
		a := o.node()
		c := newClient(t, a)
		c.with(func(s *Session) { must(t, s.Login("ann")) })
		s, ok := a.Lookup(c.id())
		if !ok {
			t.Fatal("not found")
		}
		h := s.held() // as Invalidate has it
		h.Mu.Lock()
		h.Kept.Swapped = true
		a.keeper.Evict(h)
		h.Mu.Unlock()
		h, ended := a.endWhole(h)
		if !ended {
			t.Error("not ended")
		}
		must(t, s.save(h, nil))
		c.with(func(s *Session) {
			if s.ID() != "" {
				t.Errorf("ended, and there is the session of %q", s.User())
			}
		})
		if n := len(o.store.Sessions()); n != 0 {
			t.Errorf("%d stored sessions", n)
		}
	})
}

// A request that has made a session too large for its store gets 503, also if a drain has
// found that out.
func TestPersistTooLargeFailsForTheFirst(t *testing.T) {
	inOffice(t, func(c *Config) { eachRequest(c); c.Persist.OnError = Fail }, func(o *office) {
		a := o.node()
		o.store.Inject(sessiontest.Faults{MaxData: 10})
		res := newClient(t, a).with(func(s *Session) {
			must(t, Set(s, "k", "v"))
			if err := a.Drain(context.Background()); err == nil {
				t.Error("drained, and nothing is stored")
			}
		})
		if res.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("status %d, and nothing is stored", res.StatusCode)
		}
	})
}
