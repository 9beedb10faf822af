package sessiontest

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"time"

	"github.com/gotribes/tribes/session/store"
)

var valueChecks = []check{
	{"data", data},
	{"sizes", sizes},
	{"too much data", tooLarge},
	{"data is copied", copied},
	{"times", times},
	{"timeouts", timeouts},
}

// every has each byte once.
func every() []byte {
	b := make([]byte, 256)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}

func data(g *rig) {
	reversed := every()
	for i, j := 0, len(reversed)-1; i < j; i, j = i+1, j-1 {
		reversed[i], reversed[j] = reversed[j], reversed[i]
	}
	base := uint64(0)
	for _, b := range [][]byte{
		nil, {}, {0}, {0, 0, 0}, []byte("\n"), []byte("\r\n"), []byte("  "), []byte(`\x41`), []byte(`'";--`), []byte("%s?$1:x"),
		{0xFF}, {0xC3, 0x28}, {0xEF, 0xBB, 0xBF}, every(), reversed, []byte("null"), nil,
	} {
		s := g.some("s", base+1)
		s.Data = b
		g.save(s, base)
		g.same(s)
		base++
	}
}

// random are n bytes that do not compress, the same ones each time.
func random(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{1})
	_, _ = r.Read(b) // never fails
	return b
}

func sizes(g *rig) {
	most := g.o.MaxData
	if most == 0 {
		most = 1 << 20
	}
	base := uint64(0)
	for _, n := range []int{1, 255, 256, 4095, 4096, 65535, 65536, most - 1, most, 2} {
		if n > most {
			continue
		}
		s := g.some("s", base+1)
		s.Data = random(n)
		g.save(s, base)
		g.same(s)
		base++
	}
	s := g.some("fresh", 1)
	s.Data = random(most)
	g.save(s, 0)
	g.same(s)
}

func tooLarge(g *rig) {
	if g.o.MaxData == 0 {
		g.Skip("the store has no bound")
	}
	stored := g.save(g.some("s", 1), 0)
	for _, over := range []int{1, 4096} {
		s := g.some("s", 2)
		s.Data = random(g.o.MaxData + over)
		g.refuse(s, 1, store.ErrTooLarge)
		g.same(stored)
		s.ID, s.Version = "fresh", 1
		g.refuse(s, 0, store.ErrTooLarge)
		g.absent("fresh")
		if r, ok := g.a.(store.Renamer); ok {
			s.Version = 2
			if err := r.Rename(g.ctx, "s", s, 1); !errors.Is(err, store.ErrTooLarge) {
				g.Errorf("Rename with %d bytes = %v, want %v", len(s.Data), err, store.ErrTooLarge)
			}
			g.same(stored)
			g.absent("fresh")
		}
	}
}

// copied: neither side sees what the other does with its bytes afterwards.
func copied(g *rig) {
	mine := g.some("s", 1)
	g.save(mine, 0)
	want := g.some("s", 1)
	clear(mine.Data)
	mine.Version, mine.Timeout = 7, time.Second
	g.same(want)
	got, err := g.a.Load(g.ctx, "s")
	g.must(err)
	clear(got.Data)
	_ = append(got.Data, bytes.Repeat([]byte{'x'}, 64)...)
	got.Version, got.Timeout = 7, time.Second
	g.same(want)
}

// times are kept to the millisecond, as far away as years have four digits.
func times(g *rig) {
	now := time.Now()
	for i, at := range []time.Time{
		now, now.Add(-time.Hour), now.Add(24 * time.Hour), time.Unix(0, 0), time.Unix(0, 1), time.Unix(0, -1),
		time.Unix(-1, 0), time.UnixMilli(-1), time.UnixMilli(999), time.UnixMilli(1 << 31), time.Unix(1<<32, 999_999_999), {},
		time.Date(1, 1, 1, 0, 0, 0, 1e6, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 999e6, time.UTC),
		time.Date(2026, 11, 27, 1, 2, 3, 456_789_012, time.FixedZone("", -7*3600)),
	} {
		s := g.some("s", uint64(i+1))
		s.Accessed, s.Timeout = at, 0 // else it might have expired
		g.save(s, uint64(i))
		g.same(s)
		t := g.some("t", uint64(i+1))
		t.Accessed, t.Timeout = at, time.Hour
		g.expirable(t, uint64(i))
	}
}

// timeouts are kept to the millisecond; all that are not above 0 mean for ever.
func timeouts(g *rig) {
	for i, d := range []time.Duration{
		time.Hour, 0, -1, -time.Millisecond, -time.Hour, math.MinInt64, math.MaxInt64,
		time.Hour + time.Millisecond, 1<<31*time.Millisecond + time.Millisecond, 1 << 31 * time.Second, 100 * 365 * 24 * time.Hour,
	} {
		s := g.some("s", uint64(i+1))
		s.Timeout = d
		g.save(s, uint64(i))
		g.same(s)
	}
	for i, d := range []time.Duration{time.Millisecond, 999 * time.Millisecond, 1001 * time.Millisecond, 59_999 * time.Millisecond} {
		s := g.some("t", uint64(i+1))
		s.Timeout = d
		g.expirable(s, uint64(i))
	}
}

// expirable saves a session that the store may find expired, and that it may have removed
// before.
func (g *rig) expirable(s *store.Session, base uint64) {
	g.Helper()
	err := g.a.Save(g.ctx, s, base)
	if g.o.Forgets && errors.Is(err, store.ErrConflict) {
		err = g.a.Save(g.ctx, s, 0)
	}
	g.must(err)
	if got, err := g.b.Load(g.ctx, s.ID); !g.o.Forgets || !errors.Is(err, store.ErrNotFound) {
		g.must(err)
		if diff := differ(got, s); diff != "" {
			g.Error(diff)
		}
	}
}
