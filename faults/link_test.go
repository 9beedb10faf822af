//go:build faults && linux

package faults

import (
	"testing"
	"time"
)

// An interface that goes down and comes up again costs a leave and a join.
func TestInterfaceDown(t *testing.T) {
	l := newLab(t, 3)
	l.outage(func() error { return l.net.Down(l.ctx, 2) }, func() error { return l.net.Up(l.ctx, 2) })
}

// So does a cable that is pulled for long; for less than the drop time it costs
// nothing.
func TestCablePulled(t *testing.T) {
	l := newLab(t, 3)
	pull, plug := func() error { return l.net.Unplug(l.ctx, 2) }, func() error { return l.net.Plug(l.ctx, 2) }
	nodes := l.startAll()
	m := l.mark()
	load := nodes[0].bench("flap", 300, 256, "asyncsync", 100, "*")
	load.reached(50)
	l.must(pull())
	l.lasts(drop / 2)
	l.must(plug())
	load.acked()
	load.allAt(nodes[1:]...)
	l.lasts(drop)
	l.unchanged(m, nodes...)
	l.outage(pull, plug)
}

// outage cuts the third of three members off for long, under load.
func (l *lab) outage(begin, end func() error) {
	l.t.Helper()
	if len(l.nodes) == 0 {
		l.startAll()
	}
	nodes := l.nodes
	a, b, c := nodes[0], nodes[1], nodes[2]
	m := l.mark()
	toAll := a.bench("all", 600, 256, "asyncsync", 100, "*")
	own := c.bench("own", 600, 256, "asyncsync", 100, "*")
	own.reached(50)
	cut := time.Now()
	l.must(begin())
	for _, n := range []*node{a, b} {
		e := n.await(m[n], "the end of "+c.name, disappeared(c.id))
		inTime(l.t, "the others notice", cut, e.at, noticed)
	}
	inTime(l.t, "the member notices", cut, l.whole(c), noticed)
	l.lasts(drop)
	healed := time.Now()
	l.must(end())
	inTime(l.t, "the group is whole", healed, l.whole(nodes...), 3*time.Second)
	toAll.blames(c)
	toAll.allAt(b)
	own.outcomes()
	l.exchange(nodes...)
	l.check()
}

// Loss of a few percent makes nobody fail and loses no message.
func TestSomeLoss(t *testing.T) {
	l := newLab(t, 3)
	nodes := l.startAll()
	m := l.mark()
	l.must(l.net.Lose(l.ctx, 5))
	var loads []*load
	for _, n := range nodes {
		loads = append(loads, n.bench("x", uint64(repeat(400, 3000)), 512, "asyncsync", 50, "*"))
	}
	for i, load := range loads {
		load.acked()
		load.allAt(others(nodes, nodes[i])...)
	}
	l.unchanged(m, nodes...)
	l.heal()
	l.check()
}

// After heavy loss, whoever was dropped is back.
func TestHeavyLoss(t *testing.T) {
	l := newLab(t, 4)
	nodes := l.startAll()
	l.must(l.net.Lose(l.ctx, 30))
	var loads []*load
	for _, n := range nodes {
		loads = append(loads, n.bench("x", uint64(repeat(400, 2000)), 512, "asyncsync", 50, "*"))
	}
	for _, load := range loads {
		load.outcomes()
	}
	healed := l.heal()
	l.settle(healed, nodes...)
	for i, load := range loads {
		for _, n := range others(nodes, nodes[i]) {
			load.ackedArrived(len(nodes)-1, n)
		}
	}
	l.exchange(nodes...)
	l.check()
}

// Heartbeats get through beside messages that fill a narrow link.
func TestNarrowLink(t *testing.T) {
	l := newLab(t, 3)
	nodes := l.startAll()
	a, b, c := nodes[0], nodes[1], nodes[2]
	m := l.mark()
	const rate, size = 4_000_000, 256 << 10
	count := repeat(16, 128)
	l.must(l.net.Limit(l.ctx, 1, rate))
	begin := time.Now()
	large := a.bench("large", uint64(count), size, "asyncsync", 0, b.addr)
	small := a.bench("small", 400, 256, "asyncsync", 100, c.addr)
	small.acked()
	small.allAt(c)
	t.Logf("%d of %d large messages failed", large.blames(b), count)
	if arrived := large.arrivedAt(b); len(arrived) == 0 {
		t.Error("no large message arrived")
	} else if took := time.Since(begin); took < time.Duration(len(arrived)*size*8)*time.Second/rate*9/10 {
		t.Errorf("%d messages arrived within %v: the link was not narrow", len(arrived), took)
	}
	l.unchanged(m, nodes...)
	l.must(l.net.Unlimit(l.ctx, 1))
	l.exchange(nodes...)
	l.check()
}
