package session

import (
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Clients do everything at the same time, to sessions that they share and that expire.
// At the end the numbers agree: what was created was ended, and nothing is left.
func TestEverythingAtOnce(t *testing.T) {
	var created, destroyed atomic.Int64
	m := newManager(t, Config{Timeout: 2 * time.Millisecond, Sweep: time.Millisecond, Listener: Listener{
		Created:   func(Event) { created.Add(1) },
		Destroyed: func(Event) { destroyed.Add(1) },
	}})
	var shared sync.Map // cookies by number
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(1, uint64(g)))
			for range 300 {
				slot := r.IntN(4)
				c := newClient(t, m)
				if k, ok := shared.Load(slot); ok {
					c.cookie = k.(string)
				}
				c.with(func(s *Session) { anything(t, s, r.IntN(9)) })
				shared.Store(slot, c.cookie)
			}
		})
	}
	wg.Wait()
	for s := range m.All() {
		s.Invalidate()
	}
	for m.Stats().Sessions > 0 { // expired ones go with the next sweep
		m.b.(*local).Sweep()
	}
	must(t, m.Close()) // waits for a sweep that is about to tell
	st := m.Stats()
	if st.Created != st.Expired+st.Invalidated || int64(st.Created) != created.Load() || created.Load() != destroyed.Load() {
		t.Errorf("%+v; told of %d and %d", st, created.Load(), destroyed.Load())
	}
	if st.Created == 0 || st.Renewed == 0 || st.Invalidated == 0 {
		t.Errorf("little happened: %+v", st)
	}
}

// anything does one thing to a session, which may have ended meanwhile.
func anything(t *testing.T, s *Session, what int) {
	var err error
	switch what {
	case 0:
		s.Invalidate()
	case 1:
		err = s.Renew()
	case 2:
		err = s.Login("ann")
	case 3:
		_, err = s.Delete("v")
	case 4:
		err = Update(s, "u", func(v *[]int) error { *v = append(*v, 1); return nil })
	case 5:
		_, err = s.Add("n", 1)
	case 6:
		_, _, err = Get[string](s, "v")
	default:
		err = Set(s, "v", "x")
	}
	if err != nil && !errors.Is(err, ErrEnded) {
		t.Error(err)
	}
}
