package sessiontest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/session/store"
)

// Options say which store is tested, and how.
type Options struct {
	// New makes an empty store and returns a function that opens a handle of it, as each
	// node of an application has one. It is called once for each check. What it makes may be
	// undone by t.Cleanup.
	New func(t testing.TB) (open func() store.Store)
	// MaxData is the most bytes that a session may have in the store: so many are kept, one
	// more is store.ErrTooLarge. With 0 the store has no bound, and 1 MiB is tried.
	MaxData int
	// Forgets says that the store removes what has expired by itself. One that is a
	// store.Expirer does not.
	Forgets bool
	// Virtual runs each check in a bubble of testing/synctest, for stores that do no real
	// I/O. Any of their methods may take virtual time, or none.
	Virtual bool
}

// TestStore runs every check as a subtest. Of the optional interfaces those are checked that
// the first handle implements. Each check has a minute.
func TestStore(t *testing.T, o Options) {
	t.Helper()
	if o.New == nil {
		t.Fatal("sessiontest: Options.New is nil")
	}
	for _, c := range checks() {
		t.Run(c.name, func(t *testing.T) {
			if o.Virtual {
				bubble.Test(t, func(t *testing.T) { o.run(t, c) })
				return
			}
			o.run(t, c)
		})
	}
}

// check is one line of the list.
type check struct {
	name string
	run  func(g *rig)
}

// checks is the whole list.
func checks() []check {
	var all []check
	all = append(all, saveChecks...)
	all = append(all, valueChecks...)
	all = append(all, touchChecks...)
	all = append(all, raceChecks...)
	all = append(all, listChecks...)
	all = append(all, expireChecks...)
	return append(all, renameChecks...)
}

func (o Options) run(t testing.TB, c check) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	open := o.New(t)
	c.run(&rig{TB: t, o: o, ctx: ctx, a: open(), b: open(), begin: time.Now().Truncate(time.Millisecond)})
}

// rig is what a check works with: two handles of one store.
type rig struct {
	testing.TB
	o    Options
	ctx  context.Context
	a, b store.Store
	// begin is a time in whole milliseconds, just before the check.
	begin time.Time
}

// some is a session of the given version, with its version in the data, that was used when
// the check began.
func (g *rig) some(id string, version uint64) *store.Session {
	return &store.Session{
		ID: id, Data: fmt.Appendf(nil, "version %d of %s", version, id), Version: version,
		Accessed: g.begin, Timeout: time.Hour,
	}
}

// must fails the check at once if err is not nil.
func (g *rig) must(err error) {
	g.Helper()
	if err != nil {
		g.Fatal(err)
	}
}

// save saves through the first handle, and must succeed.
func (g *rig) save(s *store.Session, base uint64) *store.Session {
	g.Helper()
	if err := g.a.Save(g.ctx, s, base); err != nil {
		g.Fatalf("Save of %s, version %d on %d: %v", brief(s.ID), s.Version, base, err)
	}
	return s
}

// refuse saves through both handles, and must fail.
func (g *rig) refuse(s *store.Session, base uint64, want error) {
	g.Helper()
	for _, h := range []store.Store{g.a, g.b} {
		if err := h.Save(g.ctx, s, base); !errors.Is(err, want) {
			g.Errorf("Save of %s, version %d on %d = %v, want %v", brief(s.ID), s.Version, base, err, want)
		}
	}
}

// same checks that both handles have want as it is.
func (g *rig) same(want *store.Session) {
	g.Helper()
	for _, h := range []store.Store{g.a, g.b} {
		got, err := h.Load(g.ctx, want.ID)
		if err != nil {
			g.Errorf("Load of %s: %v", brief(want.ID), err)
			continue
		}
		if diff := differ(got, want); diff != "" {
			g.Errorf("session %s: %s", brief(want.ID), diff)
		}
	}
}

// absent checks that neither handle has a session.
func (g *rig) absent(id string) {
	g.Helper()
	for _, h := range []store.Store{g.a, g.b} {
		if got, err := h.Load(g.ctx, id); !errors.Is(err, store.ErrNotFound) || got != nil {
			g.Errorf("Load of %s, which is not there = %v, %v, want %v", brief(id), got, err, store.ErrNotFound)
		}
	}
}

// differ says in what two sessions differ, beside what a store may round.
func differ(got, want *store.Session) string {
	switch {
	case got == nil:
		return "Load returned nil and no error"
	case got.ID != want.ID:
		return fmt.Sprintf("id %q, want %q", got.ID, want.ID)
	case string(got.Data) != string(want.Data):
		return fmt.Sprintf("%d bytes %.60q, want %d bytes %.60q", len(got.Data), got.Data, len(want.Data), want.Data)
	case got.Version != want.Version:
		return fmt.Sprintf("version %d, want %d", got.Version, want.Version)
	case got.Accessed.UnixMilli() != want.Accessed.UnixMilli():
		return fmt.Sprintf("accessed %v, want %v", got.Accessed.UTC(), want.Accessed.UTC())
	case max(0, got.Timeout.Milliseconds()) != max(0, want.Timeout.Milliseconds()):
		return fmt.Sprintf("timeout %v, want %v", got.Timeout, want.Timeout)
	}
	return ""
}

// brief keeps long ids out of the output.
func brief(id string) string {
	const most = 40
	if len(id) > most {
		return fmt.Sprintf("%q... (%d bytes)", id[:most], len(id))
	}
	return fmt.Sprintf("%q", id)
}
