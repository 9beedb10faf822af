package session

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/session/sessiontest"
)

// Three nodes that check one store, which fails, loses answers, is slow, and whose nodes are
// killed and started; clients that go to any of them. What was acknowledged is there: each Add
// once, each value or a later one, or one whose request had failed and which was stored after
// that nevertheless; nothing that was ended comes back; no session is half.
func TestPersistSimulation(t *testing.T) {
	seeds := uint64(60)
	if testing.Short() {
		seeds = 6
	}
	for seed := range seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			cfg := func(c *Config) {
				c.Persist.EachRequest, c.Persist.Check, c.Persist.OnError = true, true, Fail
				c.Persist.SwapAfterIdle = time.Duration(seed%3) * time.Minute
				if seed%4 == 3 {
					c.Persist.SwapAfterIdle = 0 // off
				}
				c.Persist.WriteThrough = seed%5 == 4
				c.Timeout = 10 * time.Hour
			}
			bubble.Seeded(t, "", seed, func(t *testing.T) {
				o := &office{t: t, store: sessiontest.NewStore(), cfg: cfg}
				(&persistWorld{o: o, seed: seed, rnd: rand.New(rand.NewPCG(seed, 7))}).run()
			})
		})
	}
}

type persistWorld struct {
	o     *office
	seed  uint64
	rnd   *rand.Rand // of the faults
	mu    sync.Mutex
	nodes [3]*Manager
}

// persistClient is a client with a session of its own, which it uses in several requests at
// a time.
type persistClient struct {
	client
	tried, acked int    // Adds
	last         int    // acknowledged value
	written      int    // value that was tried last
	unsure       []int  // values that were tried without success
	ended        string // cookies of sessions that it has ended
}

func (w *persistWorld) run() {
	if w.seed%2 == 1 {
		cfg := w.o.cfg
		w.o.cfg = func(c *Config) { cfg(c); c.Persist.Store = w.o.store.Plain() }
	}
	for i := range w.nodes {
		w.nodes[i] = w.o.node()
	}
	clients := make([]*persistClient, 6)
	var all sync.WaitGroup
	for i := range clients {
		c := &persistClient{client: client{t: w.o.t}}
		clients[i] = c
		rnd := rand.New(rand.NewPCG(w.seed, uint64(100+i)))
		all.Go(func() {
			for range 80 {
				time.Sleep(time.Duration(rnd.IntN(400)) * time.Millisecond)
				w.request(c, rnd)
			}
		})
	}
	for range 60 {
		time.Sleep(time.Duration(w.rnd.IntN(800)) * time.Millisecond)
		w.fault()
	}
	w.o.store.Inject(sessiontest.Faults{})
	all.Wait()
	time.Sleep(time.Minute)
	for _, m := range append(w.nodes[:], w.o.node()) {
		for i, c := range clients {
			w.judge(i, c, m)
		}
	}
}

// fault changes something.
func (w *persistWorld) fault() {
	mild := sessiontest.Faults{Delay: time.Duration(w.rnd.IntN(5)) * time.Millisecond}
	rnd := rand.New(rand.NewPCG(w.seed, w.rnd.Uint64()))
	var mu sync.Mutex
	some := func(context.Context, sessiontest.Call) error {
		mu.Lock()
		defer mu.Unlock()
		if rnd.IntN(5) == 0 {
			return errBroken
		}
		return nil
	}
	switch w.rnd.IntN(8) {
	case 0:
		mild.Down = errBroken
	case 1:
		mild.Lost = errBroken
	case 2:
		mild.Before = some
	case 3:
		mild.Conflicts = w.rnd.IntN(5)
	case 4:
		mild.Delay = 5 * time.Second
	case 5:
		i := w.rnd.IntN(3)
		m := w.o.node()
		w.mu.Lock()
		m, w.nodes[i] = w.nodes[i], m
		w.mu.Unlock()
		w.o.crash(m)
	}
	w.o.store.Inject(mild)
}

// request does something on a node.
func (w *persistWorld) request(c *persistClient, rnd *rand.Rand) {
	w.mu.Lock()
	m := w.nodes[rnd.IntN(3)]
	w.mu.Unlock()
	before := c.cookie
	kind := rnd.IntN(40)
	c.m = m
	c.written++
	adds := 0
	res := c.with(func(s *Session) {
		if kind == 0 {
			s.Invalidate()
			return
		}
		if err := Set(s, "v", c.written); err == nil {
			adds = 1
			_, _ = s.Add("n", 1) // with WriteThrough it may be there although it fails
		}
		if kind == 1 {
			_ = s.Login("ann") // what fails is not acknowledged
		}
	})
	w.mu.Lock()
	crashed := m != w.nodes[0] && m != w.nodes[1] && m != w.nodes[2]
	w.mu.Unlock()
	ok := res.StatusCode == http.StatusOK && !crashed
	switch {
	case kind <= 1 && !ok, before == "" && !ok:
		*c = persistClient{client: client{t: c.t}, written: c.written} // it does not know what it has
	case kind == 0:
		*c = persistClient{client: client{t: c.t}, written: c.written, ended: before}
	default:
		c.tried += adds
		if ok {
			c.acked += adds
			c.last = c.written
		} else {
			c.unsure = append(c.unsure, c.written)
		}
	}
}

func (w *persistWorld) judge(i int, c *persistClient, m *Manager) {
	t := w.o.t
	if c.cookie != "" && c.acked > 0 {
		res := c.on(m).with(func(s *Session) {
			n, v := get[int](t, s, "n"), get[int](t, s, "v")
			if n < c.acked || n > c.tried || v < c.last && !slices.Contains(c.unsure, v) || v > c.written {
				t.Errorf("client %d: n %d, acknowledged %d, tried %d; v %d, acknowledged %d", i, n, c.acked, c.tried, v, c.last)
			}
		})
		if res.StatusCode != http.StatusOK {
			t.Errorf("client %d: status %d", i, res.StatusCode)
		}
	}
	if c.ended != "" {
		thief := client{t: t, m: m, cookie: c.ended}
		thief.with(func(s *Session) {
			if s.ID() != "" {
				t.Errorf("client %d: the session that it has ended is there", i)
			}
		})
	}
}
