package sessiontest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/session/store"
)

// shared makes stores in memory whose handles are the same.
func shared(f Faults) func(testing.TB) func() store.Store {
	return func(testing.TB) func() store.Store {
		s := NewStore()
		s.Inject(f)
		return func() store.Store { return s }
	}
}

func TestStoreInMemory(t *testing.T) {
	t.Run("unbounded", func(t *testing.T) { TestStore(t, Options{New: shared(Faults{})}) })
	t.Run("bounded", func(t *testing.T) { TestStore(t, Options{New: shared(Faults{MaxData: 70_000}), MaxData: 70_000}) })
	t.Run("virtual", func(t *testing.T) {
		TestStore(t, Options{New: shared(Faults{Delay: time.Millisecond}), Virtual: true})
	})
	t.Run("slow saves", func(t *testing.T) {
		TestStore(t, Options{New: shared(Faults{Before: slowSave, MaxData: 5000}), MaxData: 5000, Virtual: true})
	})
	t.Run("busy sessions", func(t *testing.T) {
		TestStore(t, Options{New: busy, MaxData: 5000, Virtual: true})
	})
	t.Run("plain", func(t *testing.T) {
		TestStore(t, Options{New: func(testing.TB) func() store.Store {
			s := NewStore()
			return s.Plain
		}})
	})
}

// slowSave lets saves take time, and nothing else.
func slowSave(_ context.Context, c Call) error {
	if c.Method == "Save" {
		time.Sleep(time.Millisecond)
	}
	return nil
}

// busy makes stores in which the first one who saves a session takes time for it, and all
// others are refused at once meanwhile.
func busy(testing.TB) func() store.Store {
	s := NewStore()
	var saved sync.Map
	s.Inject(Faults{MaxData: 5000, Before: func(ctx context.Context, c Call) error {
		if c.Method != "Save" {
			return nil
		}
		if _, taken := saved.LoadOrStore(c.ID, true); taken {
			return store.ErrConflict
		}
		defer saved.Delete(c.ID)
		return slowSave(ctx, c)
	}})
	return func() store.Store { return s }
}

func TestFaults(t *testing.T) {
	ctx := t.Context()
	boom := errors.New("boom")
	s := NewStore()
	some := (&rig{begin: time.Now()}).some
	try := func(f Faults, v *store.Session, base uint64, want error) {
		t.Helper()
		s.Inject(f)
		if err := s.Save(ctx, v, base); !errors.Is(err, want) {
			t.Errorf("Save with %+v = %v, want %v", f, err, want)
		}
		s.Inject(Faults{})
	}
	version := func(want uint64) {
		t.Helper()
		if all := s.Sessions(); len(all) != 1 || all[0].Version != want {
			t.Errorf("stored: %+v, want version %d", all, want)
		}
	}
	try(Faults{}, some("s", 1), 0, nil)
	try(Faults{Down: boom}, some("s", 2), 1, boom)
	try(Faults{Conflicts: 1}, some("s", 2), 1, store.ErrConflict)
	try(Faults{MaxData: 3}, some("s", 2), 1, store.ErrTooLarge)
	try(Faults{Full: boom, Room: 3}, some("s", 2), 1, boom)
	try(Faults{Before: func(context.Context, Call) error { return boom }}, some("s", 2), 1, boom)
	version(1)
	try(Faults{Lost: boom}, some("s", 2), 1, boom)
	version(2)
	try(Faults{Full: boom, Room: 30}, some("s", 3), 2, nil)
	version(3)
	if c := s.Calls(); c != (Calls{Save: 8}) {
		t.Errorf("calls: %+v", c)
	}
}

func TestDelayEndsWithContext(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		s := NewStore()
		s.Inject(Faults{Delay: time.Hour})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin := time.Now()
		if _, err := s.Load(ctx, "s"); !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != time.Second {
			t.Errorf("Load = %v after %v", err, time.Since(begin))
		}
		if _, err := s.Load(t.Context(), "s"); !errors.Is(err, store.ErrNotFound) || time.Since(begin) != time.Hour+time.Second {
			t.Errorf("Load = %v after %v", err, time.Since(begin))
		}
	})
}
