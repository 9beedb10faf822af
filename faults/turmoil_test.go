//go:build faults && linux

package faults

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// Faults of all kinds come and go at random under load; when they stop the group
// is whole in bounded time, and what must hold in every run has held. The seed is
// printed, and TRIBES_SEED repeats it.
func TestTurmoil(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("TRIBES_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatalf("TRIBES_SEED: %v", err)
		}
	}
	t.Logf("TRIBES_SEED=%d", seed)
	const hosts, rate = 5, 20
	l := newLab(t, hosts)
	length := time.Duration(repeat(15, 240)) * time.Second
	u := &turmoil{lab: l, rng: rand.New(rand.NewPCG(seed, 0)), at: slices.Clone(l.startAll())}
	for _, n := range u.at {
		u.load(n, int(length/time.Second)*rate, rate)
	}
	for begin := time.Now(); time.Since(begin) < length; {
		u.step(rate)
	}
	healed := time.Now()
	l.must(l.net.Heal(l.ctx))
	l.settle(healed, u.at...)
	l.exchange(u.at...)
	l.check()
}

// turmoil is a lab in which things go wrong.
type turmoil struct {
	*lab
	rng   *rand.Rand
	at    []*node // by host
	loads int
}

// load lets a member send to all others.
func (u *turmoil) load(n *node, count, rate int) {
	u.t.Helper()
	u.loads++
	mode := []string{"sync", "ack", "asyncsync", "asyncack"}[u.rng.IntN(4)]
	n.bench(fmt.Sprintf("%s%d", mode, u.loads), uint64(count), 64+u.rng.IntN(8<<10), mode, rate, "*")
}

// step is one fault: it begins, lasts, and ends, with or without those before.
func (u *turmoil) step(rate int) {
	u.t.Helper()
	host := u.rng.IntN(len(u.at))
	what, end := u.begin(host, rate)
	long := time.Duration(100+u.rng.IntN(3000)) * time.Millisecond
	u.t.Logf("%s: %s at host %d for %v", time.Now().Format("05.000"), what, host, long)
	u.lasts(long)
	end()
	if u.rng.IntN(2) == 0 {
		u.must(u.net.Heal(u.ctx))
	}
}

// begin begins a fault that has to do with a host. It returns its name and what
// ends it, if Heal does not.
func (u *turmoil) begin(host, rate int) (what string, end func()) {
	u.t.Helper()
	n, net, order := u.at[host], u.net, u.rng.Perm(len(u.at))
	end = func() {}
	switch u.rng.IntN(9) {
	case 0:
		what = "one-way cut"
		u.must(net.Cut(u.ctx, host, (host+1)%len(u.at)))
	case 1:
		what = "partition"
		u.must(net.Partition(u.ctx, order[:2], order[2:]))
	case 2:
		what = "loss"
		u.must(net.Lose(u.ctx, float64(5+u.rng.IntN(30))))
	case 3:
		what = "no TCP"
		u.must(net.BlockTCP(u.ctx, host))
	case 4:
		what = "no multicast"
		u.must(net.BlockMulticast(u.ctx, host))
	case 5:
		what = "cable pulled"
		u.must(net.Unplug(u.ctx, host))
		end = func() { u.must(net.Plug(u.ctx, host)) }
	case 6:
		what = "interface down"
		u.must(net.Down(u.ctx, host))
		end = func() { u.must(net.Up(u.ctx, host)) }
	case 7:
		what = "stop"
		n.signal(syscall.SIGSTOP)
		end = func() { n.signal(syscall.SIGCONT) }
	case 8:
		what = "kill"
		n.kill()
		end = func() {
			u.at[host] = u.start(host)
			u.load(u.at[host], 5*rate, rate)
		}
	}
	return what, end
}
