package session

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gotribes/tribes/internal/bubble"
)

func TestExpiry(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		var told []string
		begin := time.Now()
		m := newManager(t, Config{Timeout: time.Minute, Sweep: 10 * time.Second, Listener: Listener{
			Destroyed: func(e Event) { told = append(told, fmt.Sprint(e.Reason, " after ", time.Since(begin))) },
		}})
		c := newClient(t, m)
		c.with(func(s *Session) { must(t, Set(s, "v", "x")) })
		time.Sleep(59 * time.Second)
		c.with(func(s *Session) {
			if !s.Has("v") {
				t.Error("expired too early")
			}
		})
		time.Sleep(time.Minute) // the clock of the test; nothing waits
		c.with(func(s *Session) {
			if s.Has("v") {
				t.Error("found after its timeout")
			}
		})
		c.with(func(s *Session) { must(t, Set(s, "v", "x")) })
		time.Sleep(71 * time.Second)
		synctest.Wait()
		want := []string{"expired after 1m59s", "expired after 3m0s"}
		if st := m.Stats(); !slices.Equal(told, want) || st.Expired != 2 || st.Sessions != 0 {
			t.Errorf("told %q, want %q; %+v", told, want, st)
		}
	})
}

func TestTimeouts(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		m := newManager(t, Config{Timeout: -1, Sweep: time.Hour})
		never, short, kept := newClient(t, m), newClient(t, m), newClient(t, m)
		never.with(func(s *Session) {
			must(t, Set(s, "v", "x"))
			if s.Timeout() != 0 {
				t.Errorf("timeout %v, want never", s.Timeout())
			}
		})
		short.with(func(s *Session) {
			must(t, s.SetTimeout(time.Minute)) // before there is a session
			if s.Timeout() != time.Minute || m.Stats().Sessions != 1 {
				t.Errorf("timeout %v, %d sessions", s.Timeout(), m.Stats().Sessions)
			}
			must(t, Set(s, "v", "x"))
		})
		kept.with(func(s *Session) {
			must(t, Set(s, "v", "x"))
			must(t, s.SetTimeout(time.Minute))
			for range 5 { // a long response
				time.Sleep(50 * time.Second)
				s.Touch()
			}
			if !s.Has("v") || s.Timeout() != time.Minute {
				t.Error("expired although it was touched")
			}
			must(t, s.SetTimeout(0))
		})
		time.Sleep(100 * 24 * time.Hour)
		for name, c := range map[string]*client{"never": never, "short": short, "kept": kept} {
			c.with(func(s *Session) {
				if s.Has("v") != (name != "short") {
					t.Errorf("%s: there is %v", name, s.Has("v"))
				}
			})
		}
	})
}

// A request that lasts longer than the timeout is told that its writes are in vain.
func TestExpiryDuringARequest(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		m := newManager(t, Config{Timeout: time.Minute, Sweep: time.Hour})
		newClient(t, m).with(func(s *Session) {
			must(t, Set(s, "v", "x"))
			time.Sleep(time.Minute)
			if err := Set(s, "v", "y"); !errors.Is(err, ErrEnded) {
				t.Errorf("Set = %v", err)
			}
			if _, ok := m.Lookup(string(s.ID())); ok {
				t.Error("found although expired")
			}
		})
		if m.Stats().Sessions != 0 {
			t.Error("the end of the request has not ended it")
		}
	})
}

func TestClose(t *testing.T) {
	m := newManager(t, Config{})
	c := newClient(t, m)
	c.with(func(s *Session) { must(t, Set(s, "v", "x")) })
	must(t, m.Close())
	c.with(func(s *Session) {
		if s.Has("v") {
			t.Error("found after Close")
		}
		if err := Set(s, "v", 1); !errors.Is(err, ErrClosed) {
			t.Errorf("Set = %v", err)
		}
	})
	must(t, m.Close())
	if m.Stats().Sessions != 0 {
		t.Errorf("%+v", m.Stats())
	}
}

func TestCloseDuringARequest(t *testing.T) {
	m := newManager(t, Config{})
	newClient(t, m).with(func(s *Session) {
		must(t, Set(s, "v", "x"))
		must(t, m.Close())
		must(t, s.Renew())
		must(t, Set(s, "v", "y"))
		s.Invalidate()
	})
	if n := m.Stats().Sessions; n != 0 {
		t.Errorf("%d sessions", n)
	}
}
