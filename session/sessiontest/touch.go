package sessiontest

import (
	"time"

	"github.com/gotribes/tribes/session/store"
)

var touchChecks = []check{
	{"touch", touch},
	{"touch never goes back", touchBack},
	{"touch of what never expires", touchForEver},
}

func touch(g *rig) {
	want := g.save(g.some("s", 3), 0)
	other := g.save(g.some("other", 1), 0)
	for _, later := range []time.Duration{time.Millisecond, 2 * time.Second, time.Hour} {
		want.Accessed = want.Accessed.Add(later)
		g.must(g.b.Touch(g.ctx, "s", want.Accessed))
		g.same(want)
	}
	g.same(other)
	g.same(g.save(g.some("s", 4), 3)) // the version was left
}

func touchBack(g *rig) {
	want := g.save(g.some("s", 1), 0)
	for _, earlier := range []time.Duration{0, time.Millisecond, time.Minute, 24 * time.Hour} {
		g.must(g.a.Touch(g.ctx, "s", want.Accessed.Add(-earlier)))
		g.same(want)
	}
	g.must(g.a.Touch(g.ctx, "s", time.Time{}))
	g.must(g.a.Touch(g.ctx, "s", time.UnixMilli(0)))
	g.same(want)
}

func touchForEver(g *rig) {
	want := g.some("s", 1)
	want.Timeout = 0
	g.save(want, 0)
	want.Accessed = want.Accessed.Add(time.Minute)
	for _, h := range []store.Store{g.a, g.b} {
		g.must(h.Touch(g.ctx, "s", want.Accessed))
	}
	g.same(want)
}
