package sessiontest

import (
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"github.com/gotribes/tribes/session/store"
)

var expireChecks = []check{
	{"expiry to the millisecond", expireExact},
	{"expiry of what is kept", expireKept},
	{"expired sessions count as stored", expireStored},
	{"expiry by two nodes", expireTwice},
	{"race of expiry and save", expireSaved},
}

// expire removes through a handle; the check ends if that is no Expirer.
func (g *rig) expire(h store.Store, now time.Time, want int) {
	g.Helper()
	e, ok := h.(store.Expirer)
	if !ok {
		g.Skip("the store is no store.Expirer")
	}
	n, err := e.Expire(g.ctx, now)
	g.must(err)
	if n != want {
		g.Errorf("Expire removed %d sessions, want %d", n, want)
	}
}

func expireExact(g *rig) {
	g.expire(g.a, time.Now(), 0)
	for i, timeout := range []time.Duration{time.Millisecond, 999 * time.Millisecond, time.Second, 1001 * time.Millisecond, time.Hour} {
		s := g.some(fmt.Sprintf("s%d", i), 1)
		s.Timeout = timeout
		g.save(s, 0)
		end := s.Accessed.Add(timeout)
		g.expire(g.a, end.Add(-time.Millisecond), 0)
		g.expire(g.b, end.Add(-1), 0)
		g.same(s)
		g.expire(g.a, end, 1)
		g.absent(s.ID)
		g.expire(g.b, end.Add(time.Hour), 0)
	}
}

func expireKept(g *rig) {
	far := time.Date(9000, 1, 1, 0, 0, 0, 0, time.UTC)
	var kept []*store.Session
	for i, timeout := range []time.Duration{0, -1, -time.Hour, math.MinInt64} {
		s := g.some(fmt.Sprintf("ever%d", i), 1)
		s.Timeout = timeout
		kept = append(kept, g.save(s, 0))
	}
	old := g.some("old", 1)
	old.Accessed, old.Timeout = time.Time{}, time.Hour
	g.save(old, 0)
	late := g.some("late", 1)
	late.Accessed, late.Timeout = far.Add(-time.Hour), time.Hour+time.Millisecond
	kept = append(kept, g.save(late, 0))
	touched := g.some("touched", 1)
	touched.Timeout = time.Minute
	g.save(touched, 0)
	touched.Accessed = far
	g.must(g.a.Touch(g.ctx, "touched", far))
	kept = append(kept, touched)
	g.expire(g.b, far, 1)
	for _, s := range kept {
		g.same(s)
	}
	g.absent("old")
}

func expireStored(g *rig) {
	if _, ok := g.a.(store.Expirer); !ok {
		g.Skip("the store is no store.Expirer")
	}
	s := g.some("s", 1)
	s.Accessed = s.Accessed.Add(-time.Hour)
	s.Timeout = time.Minute
	g.save(s, 0)
	g.refuse(g.some("s", 2), 0, store.ErrConflict)
	s = g.some("s", 2)
	g.save(s, 1)
	g.expire(g.a, time.Now(), 0)
	g.same(s)
	g.expire(g.a, s.Accessed.Add(s.Timeout), 1)
	g.refuse(g.some("s", 3), 2, store.ErrConflict)
	g.save(g.some("s", 1), 0)
}

// expireTwice: each session counts once.
func expireTwice(g *rig) {
	g.expire(g.a, time.Time{}, 0)
	const many = 50
	for i := range many {
		g.save(g.some(fmt.Sprintf("s%d", i), 1), 0)
	}
	var removed atomic.Int64
	g.together(func(_ int, h store.Store) error {
		n, err := h.(store.Expirer).Expire(g.ctx, time.Now().Add(2*time.Hour))
		removed.Add(int64(n))
		return err
	})
	if n := removed.Load(); n != many {
		g.Errorf("%d sessions were counted as removed, want %d", n, many)
	}
	for i := range many {
		g.absent(fmt.Sprintf("s%d", i))
	}
}

// expireSaved: a session that is saved with a later access is not removed, nor brought back
// if it was.
func expireSaved(g *rig) {
	g.expire(g.a, time.Time{}, 0)
	for round := range rounds {
		id := fmt.Sprintf("s%d", round)
		old := g.some(id, 1)
		old.Accessed = old.Accessed.Add(-2 * time.Hour)
		g.save(old, 0)
		var saved atomic.Bool
		g.together(func(n int, h store.Store) error {
			if n%2 == 0 {
				_, err := h.(store.Expirer).Expire(g.ctx, time.Now())
				return err
			}
			ok, err := won(h.Save(g.ctx, g.some(id, 2), 1))
			if ok {
				saved.Store(true)
			}
			return err
		})
		if !saved.Load() {
			g.absent(id)
			continue
		}
		if s, err := g.a.Load(g.ctx, id); err != nil || s.Version != 2 {
			g.Errorf("a session that was saved while others expired: %v, %v", s, err)
		}
	}
}
