package session

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/session/internal/record"
	"github.com/gotribes/tribes/transport/mem"
)

var simSeed = flag.Uint64("session.seed", 0, "the one seed that TestSimulation runs")

// Nodes that crash and come back, on a network that loses, delays, repeats and reorders
// what is sent, and that falls apart and heals; clients that do anything, on one node or
// on all. When everything has been well for a minute, all nodes have the same, and what
// was done is there: see judge. A seed that fails is in the name of the subtest; run it
// alone with -session.seed.
func TestSimulation(t *testing.T) {
	seeds := uint64(100)
	if testing.Short() {
		seeds = 10
	}
	first := uint64(1)
	if *simSeed != 0 {
		first, seeds = *simSeed, 1
	}
	for seed := first; seed < first+seeds; seed++ {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			bubble.Seeded(t, "session.seed", seed, func(t *testing.T) { newWorld(t, seed).run() })
		})
	}
}

// world is one simulation.
type world struct {
	t     *testing.T
	seed  uint64
	rnd   *rand.Rand // of the faults
	f     *farm
	names []string
	wait  Wait
	calm  bool           // the network stays whole and one node crashes once
	after func(w *world) // the judgement; may be nil

	mu    sync.Mutex
	nodes map[string]*server   // that run
	dead  []record.Node        // runs that have crashed
	lost  map[record.Node]bool // runs that have crashed with what only they had
	deeds []*deed
	jars  map[int]string // cookies that clients share
	tasks sync.WaitGroup // starts of managers
}

// deed is something that a request has done to a session.
type deed struct {
	what  action
	key   record.Key
	run   record.Node
	name  string
	ver   record.Version
	acked bool // the response was not 503
}

type action uint8

const (
	set action = iota
	remove
	add
	invalidate
)

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{
		t: t, seed: seed, rnd: rand.New(rand.NewPCG(seed, 1)),
		names: []string{"a", "b", "c", "d", "e"}[:3+seed%3],
		wait:  Wait(seed / 3 % 4), calm: seed%5 == 0,
		nodes: make(map[string]*server), lost: make(map[record.Node]bool), jars: make(map[int]string),
	}
	if w.calm {
		w.wait %= 2
	}
	w.f = &farm{t: t, net: mem.NewNetwork(mem.Config{Seed: seed, Link: w.link()}), cfg: func(c *Config) {
		c.Cluster.Wait, c.Cluster.Full = w.wait, seed%7 == 0
		c.Cluster.BlockSessions = 1 + int(seed%10)
		if seed%2 == 0 {
			c.Route = ""
		}
	}}
	return w
}

// link returns how the network behaves for a while.
func (w *world) link() mem.Link {
	l := mem.Link{Delay: time.Millisecond, Jitter: time.Duration(w.rnd.IntN(20)) * time.Millisecond}
	if w.rnd.IntN(2) == 0 {
		l.Loss = w.rnd.Float64() * 0.1
	}
	if w.rnd.IntN(2) == 0 {
		l.Duplicate, l.Reorder = w.rnd.Float64()*0.2, w.rnd.Float64()*0.2
	}
	return l
}

func (w *world) run() {
	for _, name := range w.names {
		w.start(name)
	}
	time.Sleep(2 * time.Second)
	var clients sync.WaitGroup
	all := make([]*simClient, 12)
	for i := range all {
		all[i] = &simClient{w: w, n: i, rnd: rand.New(rand.NewPCG(w.seed, uint64(100+i))), clean: true}
		clients.Go(all[i].run)
	}
	for i := range 25 {
		time.Sleep(time.Duration(w.rnd.IntN(1500)) * time.Millisecond)
		w.fault(i)
	}
	w.f.net.Heal()
	w.f.net.SetLinks(mem.Link{Delay: time.Millisecond})
	for _, name := range w.names {
		w.start(name)
	}
	clients.Wait()
	w.tasks.Wait()
	time.Sleep(time.Minute)
	w.judge(all)
	if w.after != nil {
		w.after(w)
	}
	for _, n := range w.nodes {
		n.stop()
	}
}

// start boots a node unless it runs.
func (w *world) start(name string) {
	if w.nodes[name] != nil {
		return
	}
	n := w.f.boot(name)
	w.mu.Lock()
	w.nodes[name] = n
	w.mu.Unlock()
	w.tasks.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
		defer cancel()
		if err := n.Start(ctx); err != nil && !errors.Is(err, ErrClosed) {
			w.t.Errorf("%s: %v", name, err)
		}
	})
}

// crash ends a node. What it had acknowledged to nobody but itself may be lost.
func (w *world) crash(name string) {
	n := w.nodes[name]
	if n == nil {
		return
	}
	w.mu.Lock()
	delete(w.nodes, name)
	w.dead = append(w.dead, n.node)
	if s := n.ClusterStats(); !w.calm || s.Degraded > 0 {
		w.lost[n.node] = true
	}
	w.mu.Unlock()
	n.crash()
}

// fault changes something.
func (w *world) fault(step int) {
	pick := func() string { return w.names[w.rnd.IntN(len(w.names))] }
	kind := w.rnd.IntN(10)
	if w.calm {
		switch {
		case step == 12:
			w.crash(pick())
		case step == 18:
			for _, name := range w.names {
				w.start(name)
			}
		case kind < 3:
			w.f.net.SetLinks(w.link())
		}
		return
	}
	switch kind {
	case 0, 1:
		w.f.net.Isolate(pick())
	case 2:
		w.rnd.Shuffle(len(w.names), func(i, j int) { w.names[i], w.names[j] = w.names[j], w.names[i] })
		at := 1 + w.rnd.IntN(len(w.names)-1)
		w.f.net.Partition(w.names[:at], w.names[at:])
	case 3:
		if a, b := pick(), pick(); a != b {
			w.f.net.Cut(a, b)
		}
	case 4, 5:
		w.f.net.Heal()
	case 6:
		w.crash(pick())
	case 7, 8:
		w.start(pick())
	case 9:
		w.f.net.SetLinks(w.link())
	}
}

// simClient is one client. Of each four, one shares its cookie with others and two stay
// where they are if they can.
type simClient struct {
	w     *world
	n     int
	rnd   *rand.Rand
	c     *client
	runs  []record.Node // that it has used
	clean bool          // no response has failed
}

func (c *simClient) shared() bool { return c.n%4 == 0 }

func (c *simClient) run() {
	c.c = &client{t: c.w.t}
	for range 60 {
		time.Sleep(time.Duration(c.rnd.IntN(500)) * time.Millisecond)
		if n := c.pick(); n != nil {
			c.request(n)
		}
	}
}

// pick returns the node of the next request.
func (c *simClient) pick() *server {
	i := c.n
	if c.n%4 < 2 {
		i = c.rnd.IntN(len(c.w.names))
	}
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	for range 5 {
		if n := c.w.nodes[string(rune('a'+i%len(c.w.names)))]; n != nil && n.Ready() {
			return n
		}
		i++
	}
	return nil
}

// request does something on a node.
func (c *simClient) request(n *server) {
	c.c.m = n.Manager
	slot := c.rnd.IntN(2)
	if c.shared() {
		c.w.mu.Lock()
		c.c.cookie = c.w.jars[slot]
		c.w.mu.Unlock()
	}
	var deeds []*deed
	res := c.c.with(func(s *Session) {
		for range 1 + c.rnd.IntN(3) {
			d, err := c.act(s)
			if err != nil && !errors.Is(err, ErrEnded) && !errors.Is(err, ErrClosed) {
				c.w.t.Errorf("%s: %v", n.name, err)
			}
			if d != nil && err == nil {
				d.run = n.node
				deeds = append(deeds, d)
			}
		}
	})
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	// A process that has crashed answers nobody.
	ok := res.StatusCode == http.StatusOK && c.w.nodes[n.name] == n
	for _, d := range deeds {
		d.acked = ok
	}
	c.w.deeds = append(c.w.deeds, deeds...)
	if c.shared() {
		c.w.jars[slot] = c.c.cookie
	}
	c.clean = c.clean && ok
	c.runs = append(c.runs, n.node)
}

// act does one thing to a session.
func (c *simClient) act(s *Session) (*deed, error) {
	name := fmt.Sprintf("k%d", c.rnd.IntN(4))
	var err error
	d := &deed{what: set, name: name}
	switch what := c.rnd.IntN(20); {
	case what < 7:
		err = Set(s, name, fmt.Sprint(c.n, " ", c.rnd.Uint64()))
	case what < 10:
		err = Update(s, name, func(v *string) error { *v = fmt.Sprintf("%.300s+%d", *v, c.n); return nil })
	case what < 14:
		d.what, d.name = add, fmt.Sprintf("n%d", c.rnd.IntN(2))
		_, err = s.Add(d.name, 1)
	case what < 16:
		d.what = remove
		var there bool
		if there, err = s.Delete(name); !there {
			return nil, err
		}
	case what < 17:
		return nil, s.Login("ann")
	case what < 18:
		return nil, s.Renew()
	case c.n%3 == 0 && c.rnd.IntN(4) == 0:
		d.what = invalidate
		if h := s.held(); h != nil {
			d.key = h.Rec.Key()
		}
		if !s.Invalidate() {
			return nil, nil
		}
		return d, nil
	default:
		_, _, err = Get[string](s, name)
		return nil, err
	}
	if h := s.held(); h != nil && err == nil {
		h.Mu.RLock()
		d.key, d.ver = h.Rec.Key(), h.Rec.Version(d.name)
		h.Mu.RUnlock()
	}
	return d, err
}
