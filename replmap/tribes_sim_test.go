package replmap

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/transport/mem"
)

// Members that speak as Java nodes do, crash and come back, on a network that loses and
// delays. Each writes keys of its own, since Tribes' maps have no rule for
// others; none starts where it sees nobody though others are there, and none crashes while
// something has crossed that it has not said again. When everything has been well for a
// minute, all have the same, and every entry has a primary that lives.
func TestTribesSimulation(t *testing.T) {
	seeds, first := simSeeds(t)
	for seed := first; seed < first+seeds; seed++ {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			bubble.Seeded(t, "replmap.seed", seed, func(t *testing.T) { tribesRun(t, seed) })
		})
	}
}

func tribesRun(t *testing.T, seed uint64) {
	rnd := rand.New(rand.NewPCG(seed, 1))
	f := newFarm(t, func(c *Config[string, string]) {
		c.Keys, c.Values, c.Tribes = JavaString(), JavaString(), &Tribes{Access: 2 * time.Second}
		c.Discover = 10 * time.Second
	})
	f.net = mem.NewNetwork(mem.Config{Seed: seed, Link: mem.Link{Delay: time.Millisecond, Jitter: 10 * time.Millisecond}})
	names := []string{"a", "b", "c", "d"}[:2+seed%3]
	nodes := make(map[string]*node)
	for _, name := range names {
		nodes[name] = f.start(name)[0]
	}
	for range 60 {
		time.Sleep(time.Duration(rnd.IntN(1000)) * time.Millisecond)
		name := names[rnd.IntN(len(names))]
		switch p := rnd.IntN(30); {
		case nodes[name] == nil:
			nodes[name] = f.start(name)[0]
		case p == 0:
			time.Sleep(5 * time.Second) // what has crossed is said again
			nodes[name].crash()
			delete(nodes, name)
		case p == 1:
			nodes[name].stop()
			delete(nodes, name)
		case p < 5:
			f.net.SetLinks(mem.Link{Delay: time.Millisecond, Loss: rnd.Float64() * 0.1})
		default:
			write(t, rnd, nodes[name], make(map[string]string))
		}
	}
	f.net.SetLinks(mem.Link{Delay: time.Millisecond})
	var all []*node
	for _, name := range names {
		if nodes[name] == nil {
			nodes[name] = f.start(name)[0]
		}
		all = append(all, nodes[name])
	}
	time.Sleep(time.Minute)
	checkEntries(t, all...)
	for _, n := range all {
		for key := range n.all() {
			if p := n.Primary(key); p == nil || !slices.ContainsFunc(all, func(x *node) bool { return x.g.Local().ID() == p.ID() }) {
				t.Errorf("%s: primary of %s is %v", n.name, key, p)
			}
		}
		if s := n.Stats(); s.Members != len(all)-1 {
			t.Errorf("%s: %+v", n.name, s)
		}
	}
	for _, n := range all {
		n.stop()
	}
}

// write does something to a key of a node, and notes it.
func write(t *testing.T, rnd *rand.Rand, n *node, want map[string]string) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	key := fmt.Sprint(n.name, rnd.IntN(6))
	var err error
	if rnd.IntN(4) == 0 {
		_, err = n.Delete(ctx, key)
		delete(want, key)
	} else {
		value := fmt.Sprint(rnd.Uint64())
		err = n.Put(ctx, key, value)
		want[key] = value
	}
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%s: %v", n.name, err)
	}
}
