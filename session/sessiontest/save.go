package sessiontest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/gotribes/tribes/session/store"
)

var saveChecks = []check{
	{"what is not there", nothing},
	{"save, load and delete", lifecycle},
	{"versions", versions},
	{"conflicts", conflicts},
	{"ids", ids},
	{"bad ids", badIDs},
	{"context that has ended", ended},
}

func nothing(g *rig) {
	g.absent("nobody")
	if err := g.a.Touch(g.ctx, "nobody", g.begin); !errors.Is(err, store.ErrNotFound) {
		g.Errorf("Touch of what is not there = %v, want %v", err, store.ErrNotFound)
	}
	if err := g.a.Delete(g.ctx, "nobody"); err != nil {
		g.Errorf("Delete of what is not there = %v", err)
	}
	g.refuse(g.some("nobody", 2), 1, store.ErrConflict)
	g.absent("nobody")
}

func lifecycle(g *rig) {
	first := g.save(g.some("s", 1), 0)
	other := g.save(g.some("other", 1), 0)
	g.same(first)
	second := g.save(g.some("s", 2), 1)
	g.same(second)
	third := g.some("s", 3)
	g.must(g.b.Save(g.ctx, third, 2))
	g.same(third)
	g.must(g.b.Delete(g.ctx, "s"))
	g.absent("s")
	g.must(g.a.Delete(g.ctx, "s"))
	g.refuse(g.some("s", 4), 3, store.ErrConflict)
	g.absent("s")
	g.same(g.save(g.some("s", 9), 0))
	g.same(other)
}

// versions need not follow each other, and use all of their 64 bits.
func versions(g *rig) {
	base := uint64(0)
	for _, v := range []uint64{1, 2, 1000, math.MaxInt32 + 1, math.MaxInt64, math.MaxInt64 + 1, math.MaxUint64} {
		g.save(g.some("s", v), base)
		g.same(g.some("s", v))
		base = v
	}
}

func conflicts(g *rig) {
	stored := g.save(g.some("s", 5), 0)
	for _, tt := range []struct{ version, base uint64 }{
		{1, 0}, {6, 0}, {5, 4}, {6, 4}, {7, 6}, {math.MaxUint64, math.MaxUint64 - 1},
		{5, 5}, {4, 5}, {0, 5}, // versions must grow
	} {
		s := g.some("s", tt.version)
		s.Data = []byte("what must not be seen")
		g.refuse(s, tt.base, store.ErrConflict)
		g.same(stored)
	}
	g.refuse(g.some("new", 0), 0, store.ErrConflict)
	g.absent("new")
}

// ids differ if one byte differs, also where file systems and collations disagree.
func ids(g *rig) {
	all := []string{
		"a", "A", "aa", "aA", "Aa", "AA", "0", "-", "_", "--", "a_c", "abc", "a-c", "-rf", "nul", "CON", "con",
		"0123456789", "ABCDEFGHIJKLMNOPQRSTUVWXYZ-_", "abcdefghijklmnopqrstuvwxyz-_",
		strings.Repeat("x", store.MaxID), strings.Repeat("x", store.MaxID-1), strings.Repeat("X", store.MaxID),
		strings.Repeat("x", store.MaxID-1) + "y",
	}
	for _, id := range all {
		g.save(g.some(id, 1), 0)
	}
	for i, id := range all {
		g.same(g.some(id, 1))
		if i%2 == 0 {
			g.save(g.some(id, 2), 1)
		} else {
			g.must(g.a.Delete(g.ctx, id))
		}
	}
	for i, id := range all {
		if i%2 == 0 {
			g.same(g.some(id, 2))
		} else {
			g.absent(id)
		}
	}
}

func badIDs(g *rig) {
	for _, id := range []string{
		"", ".", "..", "../s", "a/b", `a\b`, "a.node", "a b", "a:b", "a%00", "a\x00", "a\n", "ä", "a'--", "s*", strings.Repeat("x", store.MaxID+1),
	} {
		wrong := func(what string, err error) {
			if !errors.Is(err, store.ErrBadID) {
				g.Errorf("%s of the id %q = %v, want %v", what, id, err, store.ErrBadID)
			}
		}
		got, err := g.a.Load(g.ctx, id)
		wrong("Load", err)
		if got != nil {
			g.Errorf("Load of the id %q returned a session", id)
		}
		wrong("Save", g.a.Save(g.ctx, g.some(id, 1), 0))
		wrong("Touch", g.a.Touch(g.ctx, id, g.begin))
		wrong("Delete", g.a.Delete(g.ctx, id))
		if r, ok := g.a.(store.Renamer); ok {
			wrong("Rename", r.Rename(g.ctx, id, g.some("good", 2), 1))
			wrong("Rename to", r.Rename(g.ctx, "good", g.some(id, 2), 1))
		}
	}
}

func ended(g *rig) {
	stored := g.save(g.some("s", 1), 0)
	ctx, cancel := context.WithCancel(g.ctx)
	cancel()
	for _, h := range []store.Store{g.a, g.b} {
		_, err := h.Load(ctx, "s")
		calls := map[string]error{
			"Load": err, "Save": h.Save(ctx, g.some("t", 1), 0), "Touch": h.Touch(ctx, "s", stored.Accessed),
			"Delete": h.Delete(ctx, "t"),
		}
		if l, ok := h.(store.Lister); ok {
			calls["IDs"] = fmt.Errorf("no error")
			for _, err := range l.IDs(ctx) {
				calls["IDs"] = err
			}
		}
		if e, ok := h.(store.Expirer); ok {
			_, calls["Expire"] = e.Expire(ctx, stored.Accessed)
		}
		if r, ok := h.(store.Renamer); ok {
			calls["Rename"] = r.Rename(ctx, "absent", g.some("t", 2), 1)
		}
		for name, err := range calls {
			if !errors.Is(err, context.Canceled) {
				g.Errorf("%s with a context that has ended = %v, want %v", name, err, context.Canceled)
			}
		}
	}
	g.same(stored)
	g.same(g.save(g.some("s", 2), 1))
}
