package replmap

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/transport/mem"
)

// Members that speak as Java nodes with a LazyReplicatedMap do, read, write, delete, stop,
// crash and come back, on a network that loses and delays; who writes a key has it for
// itself, who reads it moves it. When everything has been well for two minutes all know the
// same keys, each has a primary and a backup that live, and both have the same value. While
// members crash one after the other, none is lost.
func TestLazySimulation(t *testing.T) {
	seeds, first := simSeeds(t)
	seeds = (seeds + 1) / 2
	for seed := first; seed < first+seeds; seed++ {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			bubble.Seeded(t, "replmap.seed", seed, func(t *testing.T) { lazyRun(t, seed) })
		})
	}
}

func lazyRun(t *testing.T, seed uint64) {
	rnd := rand.New(rand.NewPCG(seed, 2))
	f := lazyFarm(t)
	f.net = mem.NewNetwork(mem.Config{Seed: seed, Link: mem.Link{Delay: time.Millisecond, Jitter: 10 * time.Millisecond}})
	names := []string{"a", "b", "c", "d", "e"}[:3+seed%3]
	nodes := make(map[string]*node)
	for _, name := range names {
		nodes[name] = f.start(name)[0]
	}
	// Without losses, and with time between one crash and the next, no value is lost.
	loss, want, calm := seed%2 == 0, make(map[string]string), time.Now()
	falls := func(name string, end func()) {
		if loss || time.Since(calm) > 10*time.Second {
			end()
			delete(nodes, name)
			calm = time.Now()
		}
	}
	for range 60 {
		time.Sleep(time.Duration(rnd.IntN(1000)) * time.Millisecond)
		name := names[rnd.IntN(len(names))]
		switch p := rnd.IntN(30); {
		case nodes[name] == nil:
			nodes[name] = f.start(name)[0]
		case p == 0:
			falls(name, nodes[name].crash)
		case p == 1:
			falls(name, nodes[name].stop)
		case p < 5 && loss:
			f.net.SetLinks(mem.Link{Delay: time.Millisecond, Loss: rnd.Float64() * 0.1})
		case p < 15:
			read(t, rnd, nodes[name], names)
		default:
			write(t, rnd, nodes[name], want)
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
	time.Sleep(2 * time.Minute)
	if have := checkLazy(t, all...); !loss && !maps.Equal(have, want) {
		t.Errorf("have %v, want %v", have, want)
	}
	for _, n := range all {
		n.stop()
	}
}

// read reads a key of any node.
func read(t *testing.T, rnd *rand.Rand, n *node, names []string) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	key := fmt.Sprint(names[rnd.IntN(len(names))], rnd.IntN(6))
	if _, _, err := n.Get(ctx, key); err != nil && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, ErrNoHolder) {
		t.Errorf("%s: %v", n.name, err)
	}
}
