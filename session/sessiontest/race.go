package sessiontest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gotribes/tribes/session/store"
)

var raceChecks = []check{
	{"race of first saves", raceFirst},
	{"race of saves", raceSave},
	{"race of save and touch", raceTouch},
	{"race of save and delete", raceDelete},
	{"loads see whole sessions", raceLoad},
	{"many sessions at the same time", raceMany},
}

// How many goroutines race, half of them with each handle, and how often.
const (
	racers = 8
	rounds = 10
)

// together runs f in as many goroutines as race.
func (g *rig) together(f func(n int, h store.Store) error) {
	g.Helper()
	var wg sync.WaitGroup
	begin := make(chan struct{})
	errs := make(chan error, racers)
	for n := range racers {
		h := g.a
		if n%2 == 1 {
			h = g.b
		}
		wg.Go(func() {
			<-begin
			errs <- f(n, h)
		})
	}
	close(begin)
	wg.Wait()
	for range racers {
		g.must(<-errs)
	}
}

// won tells a save that took place from one that was overtaken.
func won(err error) (bool, error) {
	if errors.Is(err, store.ErrConflict) {
		return false, nil
	}
	return err == nil, err
}

func raceFirst(g *rig) {
	for round := range rounds {
		id := fmt.Sprintf("s%d", round)
		var winners, winner atomic.Int64
		g.together(func(n int, h store.Store) error {
			s := g.some(id, 1)
			s.Data = []byte{byte(n)}
			ok, err := won(h.Save(g.ctx, s, 0))
			if ok {
				winners.Add(1)
				winner.Store(int64(n))
			}
			return err
		})
		if n := winners.Load(); n != 1 {
			g.Fatalf("%d of %d first saves of one session succeeded", n, racers)
		}
		want := g.some(id, 1)
		want.Data = []byte{byte(winner.Load())}
		g.same(want)
	}
}

// pace is for who tries again until others have got on. Under virtual time they never do as
// long as anybody runs: then it sleeps, three times as long each time or so, which sees the
// middle of what takes nanoseconds and the end of what takes seconds. Real time needs none
// of it.
type pace struct{ last time.Duration }

// again returns when it is time to try again, or an error when the time of the check is over.
func (p *pace) again(g *rig) error {
	if g.o.Virtual {
		p.last += 1 + rand.N(4*p.last+1)
		timer := time.NewTimer(p.last)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-g.ctx.Done():
		}
	}
	return g.ctx.Err()
}

// add1 adds 1 to a counter.
func (g *rig) add1(h store.Store, id string) error {
	for p := (pace{}); ; {
		s, err := h.Load(g.ctx, id)
		if err != nil {
			return err
		}
		base := s.Version
		s.Data = binary.BigEndian.AppendUint64(nil, binary.BigEndian.Uint64(s.Data)+1)
		s.Version++
		if ok, err := won(h.Save(g.ctx, s, base)); ok || err != nil {
			return err
		}
		if err := p.again(g); err != nil {
			return err
		}
	}
}

// counter saves a session with a counter in it.
func (g *rig) counter(id string) *store.Session {
	g.Helper()
	s := g.some(id, 1)
	s.Data = make([]byte, 8)
	return g.save(s, 0)
}

// counted checks what a counter has come to.
func (g *rig) counted(id string, want uint64) *store.Session {
	g.Helper()
	s, err := g.b.Load(g.ctx, id)
	g.must(err)
	if n := binary.BigEndian.Uint64(s.Data); n != want || s.Version != want+1 {
		g.Errorf("%d times 1 came to %d in version %d, want version %d", want, n, s.Version, want+1)
	}
	return s
}

// raceSave: no version has two winners, so no addition is lost.
func raceSave(g *rig) {
	g.counter("s")
	g.together(func(_ int, h store.Store) error {
		for range rounds {
			if err := g.add1(h, "s"); err != nil {
				return err
			}
		}
		return nil
	})
	g.counted("s", racers*rounds)
}

// raceTouch: a touch undoes no save.
func raceTouch(g *rig) {
	first := g.counter("s")
	g.together(func(n int, h store.Store) error {
		for i := range rounds {
			var err error
			if n < racers/2 {
				err = g.add1(h, "s")
			} else {
				err = h.Touch(g.ctx, "s", first.Accessed.Add(time.Duration(i)*time.Millisecond))
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	g.counted("s", racers/2*rounds)
}

// raceDelete: a save that replaces a version never brings back what was deleted.
func raceDelete(g *rig) {
	for round := range rounds {
		id := fmt.Sprintf("s%d", round)
		g.save(g.some(id, 1), 0)
		g.together(func(n int, h store.Store) error {
			if n == round%racers {
				return h.Delete(g.ctx, id)
			}
			_, err := won(h.Save(g.ctx, g.some(id, 2), 1))
			return err
		})
		g.absent(id)
	}
}

// raceLoad: whoever loads finds the bytes and the version of one save, and never an older
// one than before.
func raceLoad(g *rig) {
	size := 128 << 10
	if g.o.MaxData > 0 {
		size = min(size, g.o.MaxData)
	}
	build := func(v uint64) *store.Session {
		s := g.some("s", v)
		s.Data = bytes.Repeat([]byte{byte(v)}, size-int(v%7))
		return s
	}
	g.save(build(1), 0)
	var done atomic.Bool
	g.together(func(n int, h store.Store) error {
		if n == 0 {
			defer done.Store(true)
			for v := uint64(2); v < 4*rounds; v++ {
				if err := h.Save(g.ctx, build(v), v-1); err != nil {
					return err
				}
			}
			return nil
		}
		var p pace
		for last := uint64(0); !done.Load(); {
			s, err := h.Load(g.ctx, "s")
			if err != nil {
				return err
			}
			if want := build(s.Version); !bytes.Equal(s.Data, want.Data) {
				return fmt.Errorf("version %d is not whole: %d bytes, want %d, of one kind", s.Version, len(s.Data), len(want.Data))
			}
			if s.Version < last {
				return fmt.Errorf("version %d was loaded after %d", s.Version, last)
			}
			if s.Version > last {
				last, p = s.Version, pace{}
			}
			if err := p.again(g); err != nil {
				return err
			}
		}
		return nil
	})
}

// raceMany: sessions do not disturb each other.
func raceMany(g *rig) {
	g.together(func(n int, h store.Store) error {
		for i := range rounds {
			id := fmt.Sprintf("s%d-%d", n, i)
			if err := h.Save(g.ctx, g.some(id, 1), 0); err != nil {
				return err
			}
			if err := h.Save(g.ctx, g.some(id, 2), 1); err != nil {
				return err
			}
			if i%2 == 1 {
				if err := h.Delete(g.ctx, id); err != nil {
					return err
				}
			}
		}
		return nil
	})
	for n := range racers {
		for i := range rounds {
			if id := fmt.Sprintf("s%d-%d", n, i); i%2 == 1 {
				g.absent(id)
			} else {
				g.same(g.some(id, 2))
			}
		}
	}
}
