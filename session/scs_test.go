package session

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gotribes/tribes/internal/bubble"
)

func TestSCS(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		m := newManager(t, Config{})
		store := m.SCS()
		data := []byte("data")
		must(t, store.Commit("token", data, time.Now().Add(time.Minute)))
		data[0] = 'x'
		got, found, err := store.Find("token")
		if string(got) != "data" || !found || err != nil {
			t.Errorf("Find = %q, %v, %v", got, found, err)
		}
		got[0] = 'y'
		must(t, store.Commit("other", []byte("2"), time.Now().Add(time.Hour)))
		all, err := store.All()
		if len(all) != 2 || string(all["token"]) != "data" || err != nil {
			t.Errorf("All = %q, %v", all, err)
		}
		time.Sleep(30 * time.Second)
		must(t, store.Commit("token", []byte("new"), time.Now().Add(time.Minute)))
		time.Sleep(59 * time.Second)
		if got, found, _ := store.Find("token"); string(got) != "new" || !found {
			t.Errorf("Find = %q, %v", got, found)
		}
		time.Sleep(time.Second)
		if _, found, _ := store.Find("token"); found {
			t.Error("found after its expiry")
		}
		must(t, store.Delete("other"))
		must(t, store.Delete("other"))
		must(t, store.Commit("late", []byte("x"), time.Now()))
		if all, err := store.All(); len(all) != 0 || err != nil || m.Stats().Sessions != 0 {
			t.Errorf("All = %q, %v; %+v", all, err, m.Stats())
		}
	})
}

func TestSCSAndSessionsDoNotMix(t *testing.T) {
	m := newManager(t, Config{})
	store := m.SCS()
	must(t, store.Commit(someID, []byte("x"), time.Now().Add(time.Hour)))
	c := newClient(t, m)
	for _, id := range []string{someID, "scs:" + someID, "scs:" + someID[4:]} {
		c.cookie = "sid=" + id
		c.with(func(s *Session) {
			if s.ID() != "" {
				t.Errorf("cookie %q leads to %q", id, s.ID())
			}
		})
	}
	c.with(func(s *Session) { must(t, Set(s, "v", "x")) })
	if _, found, err := store.Find(c.id()); found || err != nil {
		t.Errorf("Find = %v, %v", found, err)
	}
	n := 0
	for range m.All() {
		n++
	}
	if n != 1 {
		t.Errorf("%d sessions, want that of the client", n)
	}
}

func TestSCSRefuses(t *testing.T) {
	store := newManager(t, Config{}).SCS()
	later := time.Now().Add(time.Hour)
	for _, token := range []string{"", "a.b", strings.Repeat("x", 201)} {
		if err := store.Commit(token, nil, later); err == nil {
			t.Errorf("Commit of the token %.20q is no error", token)
		}
		if _, found, err := store.Find(token); found || err != nil {
			t.Errorf("Find = %v, %v", found, err)
		}
	}
	if err := store.Commit("t", make([]byte, 2<<20), later); !errors.Is(err, ErrValueTooLarge) {
		t.Errorf("Commit of 2 MiB = %v", err)
	}
}

func TestSCSConcurrently(t *testing.T) {
	m := newManager(t, Config{})
	store := m.SCS()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 50 {
				if err := store.Commit("t", fmt.Append(nil, i, j), time.Now().Add(time.Hour)); err != nil {
					t.Error(err)
				}
				if j%10 == 0 {
					if err := store.Delete("t"); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	must(t, store.Delete("t"))
	if n := m.Stats().Sessions; n != 0 {
		t.Errorf("%d sessions are left", n)
	}
}
