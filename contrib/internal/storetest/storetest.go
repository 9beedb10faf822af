// Package storetest has what the tests of stores with real servers share: what a store does
// while its server is down, hangs, or is killed. What it does otherwise is tested by package
// sessiontest.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gotribes/tribes/internal/proctest"
	"github.com/gotribes/tribes/session/store"
)

// Must fails the test at once if err is not nil.
func Must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Some is a session whose data says which version it is.
func Some(id string, version uint64) *store.Session {
	return &store.Session{ID: id, Version: version, Data: fmt.Appendf(nil, "%s in version %d", id, version),
		Accessed: time.Now().Truncate(time.Millisecond), Timeout: time.Hour}
}

// Version checks that a session as Some makes it is stored whole, and returns its version.
func Version(t testing.TB, s store.Store, id string) uint64 {
	t.Helper()
	got, err := s.Load(t.Context(), id)
	Must(t, err)
	if want := Some(id, got.Version); string(got.Data) != string(want.Data) {
		t.Errorf("version %d of %s has the data %q", got.Version, id, got.Data)
	}
	return got.Version
}

// Outage says whether an error says that the store does not work, and nothing of a session.
func Outage(err error) bool {
	return err != nil && !errors.Is(err, store.ErrNotFound) && !errors.Is(err, store.ErrConflict) &&
		!errors.Is(err, store.ErrTooLarge) && !errors.Is(err, store.ErrBadID)
}

// Broken checks that each method fails with an error that is an Outage: with want if it is
// not nil. What the calls wanted may take place later; the session s is not deleted.
func Broken(ctx context.Context, t testing.TB, s store.Store, want error) {
	t.Helper()
	_, load := s.Load(ctx, "s")
	calls := map[string]error{
		"Load": load, "Save": s.Save(ctx, Some("s", 2), 1), "first Save": s.Save(ctx, Some("t", 1), 0),
		"Touch": s.Touch(ctx, "s", time.Now()), "Delete": s.Delete(ctx, "t"),
	}
	if l, ok := s.(store.Lister); ok {
		calls["IDs"] = nil
		for _, err := range l.IDs(ctx) {
			calls["IDs"] = err
		}
	}
	if e, ok := s.(store.Expirer); ok {
		_, calls["Expire"] = e.Expire(ctx, time.Time{})
	}
	if r, ok := s.(store.Renamer); ok {
		calls["Rename"] = r.Rename(ctx, "t", Some("u", 2), 1)
	}
	for name, err := range calls {
		if !Outage(err) || want != nil && !errors.Is(err, want) {
			t.Errorf("%s = %v, want %v", name, err, want)
		}
	}
}

// Hangs checks stores whose server does not answer: no call lasts longer than its ctx, nor
// than the timeout of quick, which is short, also if it waits for others.
func Hangs(t testing.TB, s, quick store.Store) {
	t.Helper()
	begin := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	Broken(ctx, t, s, context.DeadlineExceeded)
	ctx, cancel = context.WithCancel(t.Context())
	defer time.AfterFunc(100*time.Millisecond, cancel).Stop()
	Broken(ctx, t, s, context.Canceled)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() { Broken(t.Context(), t, quick, context.DeadlineExceeded) })
	}
	wg.Wait()
	if d := time.Since(begin); d > 10*time.Second {
		t.Errorf("took %v in all", d)
	}
}

// writer saves one session again and again.
type writer struct {
	id    string
	acked uint64 // the last version of which it was told that it is saved
	err   error  // of the save after it
}

// large is a session that says in each of its parts which version it is.
func (w *writer) large(version uint64) *store.Session {
	s := Some(w.id, version)
	s.Data = []byte(strings.Repeat(string(s.Data)+";", 1000))
	return s
}

func (w *writer) run(ctx context.Context, s store.Store, saved func()) {
	for {
		if w.err = s.Save(ctx, w.large(w.acked+1), w.acked); w.err != nil {
			return
		}
		w.acked++
		saved()
	}
}

// found checks what is there when the server is back.
func (w *writer) found(t testing.TB, s store.Store) {
	t.Helper()
	if !Outage(w.err) {
		t.Errorf("the error of a server that is killed: %v", w.err)
	}
	got, err := s.Load(t.Context(), w.id)
	if errors.Is(err, store.ErrNotFound) && w.acked == 0 {
		return
	}
	Must(t, err)
	// The last save may have taken place without an answer.
	if got.Version != w.acked && got.Version != w.acked+1 || string(got.Data) != string(w.large(got.Version).Data) {
		t.Errorf("%s has version %d with %d bytes, after version %d was confirmed", w.id, got.Version, len(got.Data), w.acked)
	}
	w.acked = got.Version
}

// Killed checks that a server that is killed in the middle of saves, and comes back, has the
// last session that it confirmed or the one that was on its way, whole.
func Killed(t testing.TB, s store.Store, kill, back func()) {
	t.Helper()
	const enough = 100
	ctx, cancel := context.WithTimeout(t.Context(), proctest.Watchdog)
	defer cancel()
	writers := make([]*writer, 6)
	for i := range writers {
		writers[i] = &writer{id: fmt.Sprintf("s%d", i)}
	}
	for range 3 {
		var saves atomic.Int64
		reached := make(chan struct{})
		var wg sync.WaitGroup
		for _, w := range writers {
			wg.Go(func() {
				w.run(ctx, s, func() {
					if saves.Add(1) == enough {
						close(reached)
					}
				})
			})
		}
		select {
		case <-reached:
		case <-ctx.Done():
			t.Fatalf("%d saves in time, want %d", saves.Load(), enough)
		}
		kill()
		wg.Wait()
		back()
		for _, w := range writers {
			w.found(t, s)
		}
	}
}
