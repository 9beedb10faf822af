package sessiontest

import (
	"fmt"

	"github.com/gotribes/tribes/session/store"
)

var listChecks = []check{
	{"ids of all sessions", list},
	{"ids while sessions come and go", listMoving},
}

// lister is the handle as a Lister; the check ends if it is none.
func (g *rig) lister(h store.Store) store.Lister {
	g.Helper()
	l, ok := h.(store.Lister)
	if !ok {
		g.Skip("the store is no store.Lister")
	}
	return l
}

// listed goes through all ids, none of which may come twice.
func (g *rig) listed(h store.Store) map[string]bool {
	g.Helper()
	all := make(map[string]bool)
	for id, err := range g.lister(h).IDs(g.ctx) {
		g.must(err)
		if all[id] {
			g.Errorf("the id %q came twice", id)
		}
		all[id] = true
	}
	return all
}

func list(g *rig) {
	if n := len(g.listed(g.a)); n != 0 {
		g.Fatalf("an empty store has %d ids", n)
	}
	const many = 300
	for i := range many {
		g.save(g.some(fmt.Sprintf("s%d", i), 1), 0)
	}
	g.must(g.b.Delete(g.ctx, "s7"))
	for _, h := range []store.Store{g.a, g.b} {
		all := g.listed(h)
		for i := range many {
			if id := fmt.Sprintf("s%d", i); all[id] != (i != 7) {
				g.Errorf("id %s listed: %t", id, all[id])
			}
		}
		if len(all) != many-1 {
			g.Errorf("%d ids of %d sessions", len(all), many-1)
		}
	}
	n := 0
	for _, err := range g.lister(g.a).IDs(g.ctx) {
		g.must(err)
		if n++; n == 3 {
			break
		}
	}
	g.same(g.save(g.some("s0", 2), 1)) // nothing is held after a break
}

// listMoving: what is there all the time is listed once, and what is found can be deleted
// on the way.
func listMoving(g *rig) {
	g.lister(g.a)
	const rest = 20
	for i := range rest {
		g.save(g.some(fmt.Sprintf("rest%d", i), 1), 0)
	}
	for i := range 4 * rest {
		g.save(g.some(fmt.Sprintf("gone%d", i), 1), 0)
	}
	seen := make(map[string]int)
	i := 0
	for id, err := range g.lister(g.a).IDs(g.ctx) {
		g.must(err)
		seen[id]++
		g.save(g.some(fmt.Sprintf("come%d", i), 1), 0)
		g.must(g.b.Delete(g.ctx, fmt.Sprintf("gone%d", i)))
		if i++; i > 20*rest {
			g.Fatal("the list does not end")
		}
	}
	for i := range rest {
		if id := fmt.Sprintf("rest%d", i); seen[id] != 1 {
			g.Errorf("%s was listed %d times", id, seen[id])
		}
	}
	for id, n := range seen {
		if n > 1 {
			g.Errorf("%s was listed %d times", id, n)
		}
	}
}
