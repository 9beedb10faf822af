package sessiontest

import (
	"context"
	"iter"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/session/store"
)

// spoiled is a store with one fault; what is nil is as it should be. Those that take two
// steps rest in between, so that others get their turn.
type spoiled struct {
	*Store
	load    func(ctx context.Context, id string) (*store.Session, error)
	save    func(ctx context.Context, s *store.Session, base uint64) error
	touch   func(ctx context.Context, id string, accessed time.Time) error
	delete  func(ctx context.Context, id string) error
	ids     func(ctx context.Context) iter.Seq2[string, error]
	expire  func(ctx context.Context, now time.Time) (int, error)
	rename  func(ctx context.Context, old string, s *store.Session, base uint64) error
	maxData int
}

func (s *spoiled) Load(ctx context.Context, id string) (*store.Session, error) {
	if s.load != nil {
		return s.load(ctx, id)
	}
	return s.Store.Load(ctx, id)
}

func (s *spoiled) Save(ctx context.Context, v *store.Session, base uint64) error {
	if s.save != nil {
		return s.save(ctx, v, base)
	}
	return s.Store.Save(ctx, v, base)
}

func (s *spoiled) Touch(ctx context.Context, id string, accessed time.Time) error {
	if s.touch != nil {
		return s.touch(ctx, id, accessed)
	}
	return s.Store.Touch(ctx, id, accessed)
}

func (s *spoiled) Delete(ctx context.Context, id string) error {
	if s.delete != nil {
		return s.delete(ctx, id)
	}
	return s.Store.Delete(ctx, id)
}

func (s *spoiled) IDs(ctx context.Context) iter.Seq2[string, error] {
	if s.ids != nil {
		return s.ids(ctx)
	}
	return s.Store.IDs(ctx)
}

func (s *spoiled) Expire(ctx context.Context, now time.Time) (int, error) {
	if s.expire != nil {
		return s.expire(ctx, now)
	}
	return s.Store.Expire(ctx, now)
}

func (s *spoiled) Rename(ctx context.Context, old string, v *store.Session, base uint64) error {
	if s.rename != nil {
		return s.rename(ctx, old, v, base)
	}
	return s.Store.Rename(ctx, old, v, base)
}

// failing is a test that only notes that it has failed.
type failing struct {
	testing.TB
	failed atomic.Bool
}

func (f *failing) Helper()               {}
func (f *failing) Error(...any)          { f.failed.Store(true) }
func (f *failing) Errorf(string, ...any) { f.failed.Store(true) }
func (f *failing) Fatal(...any)          { f.failed.Store(true); runtime.Goexit() }
func (f *failing) Fatalf(string, ...any) { f.failed.Store(true); runtime.Goexit() }
func (f *failing) Skip(...any)           { runtime.Goexit() }

// TestStoreFindsFaults runs the checks with stores that have a fault each: the check that
// is for it must fail.
func TestStoreFindsFaults(t *testing.T) {
	for _, sp := range spoilers {
		t.Run(sp.name, func(t *testing.T) {
			i := slices.IndexFunc(checks(), func(c check) bool { return c.name == sp.found })
			if i < 0 {
				t.Fatalf("there is no check %q", sp.found)
			}
			bubble.Test(t, func(t *testing.T) {
				if !finds(t, checks()[i], sp.spoil) {
					t.Errorf("the check %q passes", sp.found)
				}
			})
		})
	}
}

// finds runs a check, in a bubble, with a store that has a fault.
func finds(t *testing.T, c check, spoil func(*spoiled)) bool {
	f := &failing{TB: t}
	s := &spoiled{Store: NewStore()}
	spoil(s)
	o := Options{New: func(testing.TB) func() store.Store { return func() store.Store { return s } }, MaxData: s.maxData, Virtual: true}
	done := make(chan struct{})
	go func() {
		defer close(done)
		o.run(f, c)
	}()
	<-done
	return f.failed.Load()
}

// rest is the time between two steps: whoever can do something does it.
func rest() { time.Sleep(time.Millisecond) }

// changed returns the session as f leaves it.
func changed(s *store.Session, f func(*store.Session)) *store.Session {
	c := clone(*s)
	f(&c)
	return &c
}

// saving is a fault that changes what is saved.
func saving(f func(*store.Session)) func(*spoiled) {
	return func(s *spoiled) {
		s.save = func(ctx context.Context, v *store.Session, base uint64) error {
			return s.Store.Save(ctx, changed(v, f), base)
		}
	}
}

// blind replaces whatever is there.
func blind(s *spoiled) {
	s.save = func(ctx context.Context, v *store.Session, _ uint64) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.sessions[v.ID] = clone(*v)
		return nil
	}
}

// late looks at the version before it saves, in two steps.
func late(s *spoiled) {
	s.save = func(ctx context.Context, v *store.Session, base uint64) error {
		s.mu.Lock()
		was := s.sessions[v.ID].Version
		s.mu.Unlock()
		if was != base {
			return store.ErrConflict
		}
		rest()
		s.mu.Lock()
		defer s.mu.Unlock()
		s.sessions[v.ID] = clone(*v)
		return nil
	}
}

// lateTouch writes back what it has read before.
func lateTouch(s *spoiled) {
	s.save = func(ctx context.Context, v *store.Session, base uint64) error {
		rest()
		return s.Store.Save(ctx, v, base)
	}
	s.touch = func(ctx context.Context, id string, accessed time.Time) error {
		v, err := s.Store.Load(ctx, id)
		if err != nil {
			return err
		}
		rest()
		v.Accessed = accessed
		s.mu.Lock()
		defer s.mu.Unlock()
		s.sessions[id] = *v
		return nil
	}
}

// halves saves a session in two steps.
func halves(s *spoiled) {
	s.save = func(ctx context.Context, v *store.Session, base uint64) error {
		half := changed(v, func(h *store.Session) { h.Data = h.Data[:len(h.Data)/2] })
		if err := s.Store.Save(ctx, half, base); err != nil {
			return err
		}
		rest()
		s.mu.Lock()
		defer s.mu.Unlock()
		s.sessions[v.ID] = clone(*v)
		return nil
	}
}

func upper(s *spoiled) {
	s.load = func(ctx context.Context, id string) (*store.Session, error) {
		return s.Store.Load(ctx, strings.ToUpper(id))
	}
	s.save = func(ctx context.Context, v *store.Session, base uint64) error {
		return s.Store.Save(ctx, changed(v, func(v *store.Session) { v.ID = strings.ToUpper(v.ID) }), base)
	}
}
