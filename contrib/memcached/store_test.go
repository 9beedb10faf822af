package memcached

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/session/sessiontest"
	"github.com/gotribes/tribes/session/store"
)

func saved(id string, version uint64) *store.Session {
	return &store.Session{ID: id, Version: version, Data: []byte("x"), Accessed: time.Now(), Timeout: time.Hour}
}

// The list of checks, with and without compare-and-swap, against a server in this process.
func TestConformanceWithoutServer(t *testing.T) {
	for name, noCAS := range map[string]bool{"memcached": false, "hazelcast": true} {
		t.Run(name, func(t *testing.T) {
			sessiontest.TestStore(t, sessiontest.Options{MaxData: 20_000, Forgets: true, Virtual: true,
				New: func(t testing.TB) func() store.Store {
					f := newFake(noCAS)
					f.before = func(string) { time.Sleep(time.Millisecond) } // so that calls interleave
					return func() store.Store { return f.open(t, Config{MaxData: 20_000, Timeout: time.Minute}) }
				}})
		})
	}
}

// A server without compare-and-swap is not taken for one that has it.
func TestServerWithoutCAS(t *testing.T) {
	f := newFake(true)
	s := f.open(t, Config{})
	s.config.Hazelcast = false
	if err := s.Save(t.Context(), saved("s", 1), 0); err != nil {
		t.Error(err)
	}
	if err := s.Save(t.Context(), saved("s", 2), 1); !errors.Is(err, errNoCAS) {
		t.Errorf("Save = %v", err)
	}
	if err := s.Touch(t.Context(), "s", time.Now().Add(time.Second)); !errors.Is(err, errNoCAS) {
		t.Errorf("Touch = %v", err)
	}
}

// A node that dies in a save holds up the others until its lock expires, and no longer.
func TestLockOfDeadNode(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		f := newFake(true)
		s := f.open(t, Config{Timeout: time.Minute})
		begin := time.Now()
		f.answer([]string{"add", "session:s:lock", "0", "10"}, nil)
		if err := s.Save(t.Context(), saved("s", 1), 0); err != nil {
			t.Error(err)
		}
		if d := time.Since(begin); d < lease || d > lease+lastTry {
			t.Errorf("waited %v", d)
		}
		f.answer([]string{"add", "session:s:lock", "0", "10"}, nil)
		s.config.Timeout = 3 * time.Second
		for name, err := range map[string]error{
			"Save":   s.Save(t.Context(), saved("s", 2), 1),
			"Touch":  s.Touch(t.Context(), "s", time.Now()),
			"Delete": s.Delete(t.Context(), "s"),
		} {
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s = %v", name, err)
			}
		}
		if got, err := s.Load(t.Context(), "s"); err != nil || got.Version != 1 {
			t.Errorf("Load = %+v, %v", got, err)
		}
	})
}

// A node that was stopped while it had the lock does not write when it goes on, nor does it
// take the lock from the node that has it now.
func TestLockIsHeldForTooLong(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		f := newFake(true)
		slow, other := f.open(t, Config{Timeout: time.Minute}), f.open(t, Config{Timeout: time.Minute})
		if err := slow.Save(t.Context(), saved("s", 1), 0); err != nil {
			t.Fatal(err)
		}
		stopped := false
		f.after = func(command string) {
			if command == "gets session:s" && !stopped {
				stopped = true
				time.Sleep(lease + time.Second) // the answer comes late
			}
		}
		begin := time.Now()
		done := make(chan error)
		go func() { done <- slow.Save(t.Context(), saved("s", 2), 1) }()
		synctest.Wait()
		if err := other.Save(t.Context(), saved("s", 3), 1); err != nil {
			t.Error(err)
		}
		if d := time.Since(begin); d < lease || d > lease+lastTry {
			t.Errorf("the other node waited %v", d)
		}
		f.answer([]string{"add", "session:s:lock", "0", "10"}, nil)
		if err := <-done; !errors.Is(err, errLate) {
			t.Errorf("the node that was stopped: %v", err)
		}
		if got, err := other.Load(t.Context(), "s"); err != nil || got.Version != 3 {
			t.Errorf("Load = %+v, %v", got, err)
		}
		if got := f.answer([]string{"gets", "session:s:lock"}, nil); got == "END\r\n" {
			t.Error("the lock of another node was removed")
		}
	})
}

// Two saves of one version, and a touch in between, which is no conflict.
func TestSaveIsRepeatedAfterTouch(t *testing.T) {
	f := newFake(false)
	s, other := f.open(t, Config{}), f.open(t, Config{})
	if err := s.Save(t.Context(), saved("s", 1), 0); err != nil {
		t.Fatal(err)
	}
	casses := 0
	f.before = func(command string) {
		if strings.HasPrefix(command, "cas ") {
			if casses++; casses == 1 {
				if err := other.Touch(t.Context(), "s", time.Now().Add(time.Minute)); err != nil {
					t.Error(err)
				}
			}
		}
	}
	if err := s.Save(t.Context(), saved("s", 2), 1); err != nil {
		t.Error(err)
	}
	if casses != 3 {
		t.Errorf("%d writes, want that of the touch and two of the save", casses)
	}
}

func TestClosed(t *testing.T) {
	s := newFake(false).open(t, Config{})
	if err := s.Save(t.Context(), saved("s", 1), 0); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := s.Load(t.Context(), "s"); !errors.Is(err, errClosed) {
		t.Errorf("Load = %v", err)
	}
}
