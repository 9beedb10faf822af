package storetest

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/internal/leak"
	"github.com/gotribes/tribes/session/sessiontest"
	"github.com/gotribes/tribes/session/store"
)

func TestMain(m *testing.M) { leak.Main(m) }

// failing is a test that only notes that it has failed.
type failing struct {
	testing.TB
	failed atomic.Bool
}

func (f *failing) Helper()               {}
func (f *failing) Errorf(string, ...any) { f.failed.Store(true) }
func (f *failing) Fatal(...any)          { f.failed.Store(true); runtime.Goexit() }
func (f *failing) Fatalf(string, ...any) { f.failed.Store(true); runtime.Goexit() }

// fails reports whether a check fails.
func fails(t *testing.T, check func(t testing.TB)) bool {
	t.Helper()
	f := &failing{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		check(f)
	}()
	<-done
	return f.failed.Load()
}

var errDown = errors.New("down")

func TestBroken(t *testing.T) {
	for name, tt := range map[string]struct {
		down, want error
		fails      bool
	}{
		"down":            {errDown, nil, false},
		"as expected":     {errDown, errDown, false},
		"another error":   {errDown, context.Canceled, true},
		"says a conflict": {store.ErrConflict, nil, true},
		"says not found":  {errors.Join(errDown, store.ErrNotFound), nil, true},
		"works":           {nil, nil, true},
	} {
		s := sessiontest.NewStore()
		s.Inject(sessiontest.Faults{Down: tt.down})
		for _, s := range []store.Store{s, s.Plain()} {
			if got := fails(t, func(t testing.TB) { Broken(t.Context(), t, s, tt.want) }); got != tt.fails {
				t.Errorf("%s: fails %t", name, got)
			}
		}
	}
}

// late is a store whose calls take a time at most.
type late struct {
	store.Store
	most time.Duration
}

func (l late) with(ctx context.Context, f func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, l.most)
	defer cancel()
	return f(ctx)
}

func (l late) Load(ctx context.Context, id string) (v *store.Session, err error) {
	return v, l.with(ctx, func(ctx context.Context) error {
		v, err = l.Store.Load(ctx, id)
		return err
	})
}

func (l late) Save(ctx context.Context, s *store.Session, base uint64) error {
	return l.with(ctx, func(ctx context.Context) error { return l.Store.Save(ctx, s, base) })
}

func (l late) Touch(ctx context.Context, id string, at time.Time) error {
	return l.with(ctx, func(ctx context.Context) error { return l.Store.Touch(ctx, id, at) })
}

func (l late) Delete(ctx context.Context, id string) error {
	return l.with(ctx, func(ctx context.Context) error { return l.Store.Delete(ctx, id) })
}

func TestHangs(t *testing.T) {
	for most, want := range map[time.Duration]bool{100 * time.Millisecond: false, 3 * time.Second: true} {
		bubble.Test(t, func(t *testing.T) {
			s := sessiontest.NewStore()
			s.Inject(sessiontest.Faults{Delay: time.Hour})
			if got := fails(t, func(t testing.TB) { Hangs(t, s, late{s.Plain(), most}) }); got != want {
				t.Errorf("with a timeout of %v: fails %t", most, got)
			}
		})
	}
}

// A store that forgets a save that it has acknowledged, or keeps half of it, is found.
func TestKilled(t *testing.T) {
	for name, tt := range map[string]struct {
		lose  func(before, at []store.Session) []store.Session
		fails bool
	}{
		"nothing":        {func(_, at []store.Session) []store.Session { return at }, false},
		"all":            {func(_, at []store.Session) []store.Session { return nil }, true},
		"the last saves": {func(before, _ []store.Session) []store.Session { return before }, true},
		"half of each": {func(_, at []store.Session) []store.Session {
			for i := range at {
				at[i].Data = at[i].Data[:len(at[i].Data)/2]
			}
			return at
		}, true},
	} {
		got := fails(t, func(t testing.TB) {
			s := sessiontest.NewStore()
			var before []store.Session
			Killed(t, s, func() {
				before = s.Sessions()
				saves := s.Calls().Save
				for s.Calls().Save < saves+50 {
					runtime.Gosched()
				}
				s.Inject(sessiontest.Faults{Down: errDown})
			}, func() {
				s.Inject(sessiontest.Faults{})
				kept := tt.lose(before, s.Sessions())
				for _, v := range s.Sessions() {
					Must(t, s.Delete(t.Context(), v.ID))
				}
				for _, v := range kept {
					Must(t, s.Save(t.Context(), &v, 0))
				}
			})
		})
		if got != tt.fails {
			t.Errorf("with the loss of %s: fails %t", name, got)
		}
	}
}
