package sessiontest

import (
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/gotribes/tribes/session/store"
)

var renameChecks = []check{
	{"rename", rename},
	{"renames that are refused", renameRefused},
	{"race of renames", renameRace},
	{"race of rename and save", renameSave},
}

// rename renames through a handle; the check ends if that is no Renamer.
func (g *rig) rename(h store.Store, old string, s *store.Session, base uint64, want error) {
	g.Helper()
	r, ok := h.(store.Renamer)
	if !ok {
		g.Skip("the store is no store.Renamer")
	}
	if err := r.Rename(g.ctx, old, s, base); !errors.Is(err, want) {
		g.Errorf("Rename of %q, version %d, to %q, version %d = %v, want %v", old, base, s.ID, s.Version, err, want)
	}
}

func rename(g *rig) {
	g.save(g.some("s", 1), 0)
	g.rename(g.a, "s", g.some("t", 2), 1, nil)
	g.absent("s")
	g.same(g.some("t", 2))
	g.rename(g.b, "t", g.some("S", 9), 2, nil)
	g.absent("t")
	g.same(g.some("S", 9))
	g.refuse(g.some("s", 2), 1, store.ErrConflict)
	g.refuse(g.some("t", 3), 2, store.ErrConflict)
	g.save(g.some("s", 1), 0)
	g.same(g.save(g.some("S", 10), 9))
}

func renameRefused(g *rig) {
	a, b := g.save(g.some("a", 3), 0), g.save(g.some("b", 3), 0)
	for _, tt := range []struct {
		old, id       string
		version, base uint64
	}{
		{"a", "new", 4, 2}, {"a", "new", 5, 4}, {"a", "new", 3, 3}, {"a", "new", 1, 0}, // not the version
		{"a", "b", 4, 3},        // is there
		{"a", "a", 4, 3},        // is there, too
		{"absent", "new", 4, 3}, // nothing to rename
		{"absent", "new", 1, 0},
		{"absent", "b", 4, 3},
	} {
		g.rename(g.a, tt.old, g.some(tt.id, tt.version), tt.base, store.ErrConflict)
		g.same(a)
		g.same(b)
		g.absent("new")
		g.absent("absent")
	}
}

// renameRace: of many renames one takes place.
func renameRace(g *rig) {
	g.save(g.some("s", 1), 0)
	from := "s"
	for round := range rounds {
		v := uint64(round + 1)
		name := func(n int) string { return fmt.Sprintf("s%d-%d", round, n) }
		var winners, winner atomic.Int64
		g.together(func(n int, h store.Store) error {
			r, isOne := h.(store.Renamer)
			if !isOne {
				return nil
			}
			ok, err := won(r.Rename(g.ctx, from, g.some(name(n), v+1), v))
			if ok {
				winners.Add(1)
				winner.Store(int64(n))
			}
			return err
		})
		if _, ok := g.a.(store.Renamer); !ok {
			g.Skip("the store is no store.Renamer")
		}
		if n := winners.Load(); n != 1 {
			g.Fatalf("%d of %d renames of one session succeeded", n, racers)
		}
		g.absent(from)
		from = name(int(winner.Load()))
		g.same(g.some(from, v+1))
		for n := range racers {
			if name(n) != from {
				g.absent(name(n))
			}
		}
	}
}

// renameSave: a session is under one id, whichever of save and rename comes first.
func renameSave(g *rig) {
	if _, ok := g.a.(store.Renamer); !ok {
		g.Skip("the store is no store.Renamer")
	}
	for round := range rounds {
		old, fresh := fmt.Sprintf("old%d", round), fmt.Sprintf("fresh%d", round)
		g.save(g.some(old, 1), 0)
		var renames, saves atomic.Int64
		g.together(func(n int, h store.Store) error {
			if n < 2 {
				ok, err := won(h.(store.Renamer).Rename(g.ctx, old, g.some(fresh, 2), 1))
				if ok {
					renames.Add(1)
				}
				return err
			}
			ok, err := won(h.Save(g.ctx, g.some(old, 2), 1))
			if ok {
				saves.Add(1)
			}
			return err
		})
		switch r, s := renames.Load(), saves.Load(); {
		case r == 1 && s == 0:
			g.absent(old)
			g.same(g.some(fresh, 2))
		case r == 0 && s == 1:
			g.absent(fresh)
			g.same(g.some(old, 2))
		default:
			g.Fatalf("%d renames and %d saves of one version succeeded", r, s)
		}
	}
}
