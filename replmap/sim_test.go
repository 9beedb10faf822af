package replmap

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/replmap/internal/entry"
	"github.com/gotribes/tribes/transport/mem"
)

var simSeed = flag.Uint64("replmap.seed", 0, "the one seed that TestSimulation runs")

// Members that crash and come back, on a network that loses, delays, repeats and reorders
// what is sent, and that falls apart and heals; clients that write, delete, swap and let
// expire on all of them. When everything has been well for a minute, all have the same and
// what was written is there: see judge. A seed that fails is in the name of the subtest;
// run it alone with -replmap.seed. TRIBES_MAP_SEEDS is how many seeds are run, 20 if it is
// not set, or fewer with the race detector.
func TestSimulation(t *testing.T) {
	seeds, first := simSeeds(t)
	for seed := first; seed < first+seeds; seed++ {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			bubble.Seeded(t, "replmap.seed", seed, func(t *testing.T) { newWorld(t, seed, 0).run() })
		})
	}
}

// simSeeds says how many seeds to run, and from which on.
func simSeeds(t *testing.T) (seeds, first uint64) { return seedsOr(t, 20) }

// seedsOr is simSeeds with another number where nothing is set.
func seedsOr(t *testing.T, usual uint64) (seeds, first uint64) {
	seeds, first = usual, 1
	if raced { // which costs ten times as much
		seeds = max(usual/10, 5)
	}
	if text := os.Getenv("TRIBES_MAP_SEEDS"); text != "" {
		if _, err := fmt.Sscan(text, &seeds); err != nil {
			t.Fatalf("TRIBES_MAP_SEEDS: %v", err)
		}
	}
	if *simSeed != 0 {
		first, seeds = *simSeed, 1
	}
	return seeds, first
}

// world is one simulation.
type world struct {
	t     *testing.T
	seed  uint64
	rnd   *rand.Rand // of the faults
	f     *farm
	names []string

	faults, acts int // how many there are, acts for each client

	backups int                 // of the map
	pads    bool                // values are long, so that differences of them are sent
	audited int                 // crashes when audit was called last
	seen    map[entry.State]int // crashes before a state was seen first

	mu     sync.Mutex
	nodes  map[string]*node // that run
	writes []*deed
	downs  int            // crashes
	tasks  sync.WaitGroup // starts
}

// deed is a write that was done.
type deed struct {
	n     *node
	key   string
	ver   entry.Version
	acked bool // it returned without an error on a member that has not crashed since
	alone bool // no other member was told
	downs int  // crashes before it
	safe  int  // how many crashes it is to survive
}

func newWorld(t *testing.T, seed uint64, backups int) *world {
	w := &world{
		t: t, seed: seed, backups: backups, rnd: rand.New(rand.NewPCG(seed, 1)),
		names: []string{"a", "b", "c", "d", "e"}[:2+seed%4], faults: 25, acts: 80,
		nodes: make(map[string]*node), seen: make(map[entry.State]int),
	}
	w.pads = backups > 0 && seed%5 < 3
	w.f = &farm{t: t, net: mem.NewNetwork(mem.Config{Seed: seed, Link: w.link()}), cfg: func(c *Config[string, string]) {
		c.BlockEntries = 1 + int(seed%10)
		c.Wait = Wait(seed / 4 % 3)
		c.Backups = backups
		if backups > 0 {
			c.Repair = 3 * time.Second // ten times that is the patience with what is lost
		}
		if w.pads {
			c.Values = padded{}
		}
		if seed%3 == 0 {
			c.Resolve = func(_ string, a, b *string) *string {
				if a == nil || b == nil {
					return nil
				}
				return b
			}
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
	for i := range 6 {
		c := &client{w: w, rnd: rand.New(rand.NewPCG(w.seed, uint64(100+i)))}
		clients.Go(c.run)
	}
	for range w.faults {
		time.Sleep(time.Duration(w.rnd.IntN(1500)) * time.Millisecond)
		w.audit()
		w.fault()
		w.audit()
	}
	w.f.net.Heal()
	w.f.net.SetLinks(mem.Link{Delay: time.Millisecond})
	for _, name := range w.names {
		w.start(name)
	}
	clients.Wait()
	w.tasks.Wait()
	time.Sleep(time.Minute)
	w.judge()
	for _, n := range w.nodes {
		n.stop()
	}
}

// start boots a member unless it runs.
func (w *world) start(name string) {
	if w.nodes[name] != nil {
		return
	}
	n := w.f.boot(name)
	if w.pads {
		n.r.minDiff = len(pad)
	}
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

// fault changes something.
func (w *world) fault() {
	pick := func() string { return w.names[w.rnd.IntN(len(w.names))] }
	switch w.rnd.IntN(10) {
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
		name := pick()
		if n := w.nodes[name]; n != nil {
			w.mu.Lock()
			delete(w.nodes, name)
			goodbye := w.backups > 0 && w.rnd.IntN(3) == 0
			w.mu.Unlock()
			if goodbye {
				n.goodbye() // which it may not be able to say
			} else {
				n.crash()
			}
			w.mu.Lock()
			w.downs++ // now, as until then others may have an answer of it
			w.mu.Unlock()
		}
	case 7, 8:
		w.start(pick())
	case 9:
		w.f.net.SetLinks(w.link())
	}
}

// client is one that writes, here and there.
type client struct {
	w   *world
	rnd *rand.Rand
}

func (c *client) run() {
	for range c.w.acts {
		time.Sleep(time.Duration(c.rnd.IntN(500)) * time.Millisecond)
		if n := c.pick(); n != nil {
			c.act(n)
		}
	}
}

func (c *client) pick() *node {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	for range 5 {
		if n := c.w.nodes[string(rune('a'+c.rnd.IntN(5)))]; n != nil && n.Ready() {
			return n
		}
	}
	return nil
}

// act does one thing.
func (c *client) act(n *node) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	key, value := fmt.Sprint("k", c.rnd.IntN(12)), fmt.Sprint(c.rnd.Uint64())
	var err error
	switch what := c.rnd.IntN(20); {
	case what < 10:
		c.put(ctx, n, key, value)
	case what < 13:
		_, err = n.Delete(ctx, key)
	case what < 15:
		err = n.PutFor(ctx, key, value, time.Duration(1+c.rnd.IntN(5000))*time.Millisecond)
	case what < 18:
		err = add(n, fmt.Sprint("n", c.rnd.IntN(2)))
	default:
		_, _, err = n.PutIfAbsent(ctx, key, value)
	}
	if err != nil && !errors.Is(err, ErrNoHolder) && !errors.Is(err, ErrClosed) && !errors.Is(err, ErrUncertain) && !errors.Is(err, context.DeadlineExceeded) {
		c.w.t.Errorf("%s: %v", n.name, err)
	}
}

// judge says what has gone wrong. When all members have been together for a minute:
//   - all have the same, and are current to each other;
//   - each write of a member that still runs is there, or a later one of its key.
func (w *world) judge() {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []*node
	for _, name := range w.names {
		n := w.nodes[name]
		all = append(all, n)
		if s := n.Stats(); s.Members != len(w.names)-1 || s.Current != s.Members || !n.Ready() {
			w.t.Errorf("%s: ready %v, %+v", name, n.Ready(), s)
			for _, p := range n.rep.(*native).peers.All() {
				stands, state := p.Is()
				w.t.Logf("%s is %d, in state %d", p.Member().Name(), stands, state)
			}
		}
	}
	checkSame(w.t, all...)
	if w.backups > 0 {
		w.judgeValues(all)
	}
	for _, d := range w.writes {
		if d.n.down.Load() {
			continue
		}
		var last entry.Version // a deletion need not be known to who never had the entry
		for _, n := range all {
			for _, e := range n.r.table.States([]string{d.key}) {
				if e.Version.Compare(last) > 0 {
					last = e.Version
				}
			}
		}
		if last.Compare(d.ver) < 0 {
			w.t.Errorf("%s wrote %s at %v, and now it is at %v", d.n.name, d.key, d.ver, last)
		}
	}
}
