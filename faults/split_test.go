//go:build faults && linux

package faults

import (
	"os"
	"strconv"
	"testing"
	"time"
)

// From so many failures in a row on the detector holds a member out for a while, at most for
// so long.
const (
	patienceWithFlaps = 4
	heldOut           = 5 * time.Second
)

// A group that is cut in two becomes two, and one again, any number of times;
// nothing is left of the others, and nothing grows.
func TestPartitionAndHeal(t *testing.T) {
	l := newLab(t, 5)
	nodes := l.startAll()
	two, three := nodes[:2], nodes[2:]
	var before []usage
	for i := range repeat(3, 12) {
		cut := time.Now()
		l.must(l.net.Partition(l.ctx, []int{0, 1}, []int{2, 3, 4}))
		inTime(t, "the two see themselves alone", cut, l.whole(two...), noticed)
		inTime(t, "the three see themselves alone", cut, l.whole(three...), noticed)
		l.exchange(two...)
		l.exchange(three...)
		healed, limit := l.heal(), merged
		if i >= patienceWithFlaps {
			limit += heldOut
		}
		inTime(t, "the five are one group", healed, l.whole(nodes...), limit)
		l.exchange(nodes...)
		if i == 0 {
			before = l.usage(nodes)
		}
	}
	l.notGrown(nodes, before)
	l.check()
}

// Where one of two does not hear the other, both get to a view that stays, and
// are together again when it does.
func TestOneWayCut(t *testing.T) {
	l := newLab(t, 3)
	nodes := l.startAll()
	a, b, c := nodes[0], nodes[1], nodes[2]
	m := l.mark()
	mute := a.bench("mute", 800, 256, "asyncsync", 100, b.addr)
	heard := a.bench("heard", 800, 256, "asyncsync", 100, c.addr)
	mute.reached(50)
	cut := time.Now()
	l.must(l.net.Cut(l.ctx, 0, 1))
	e := b.await(m[b], "the end of "+a.name, disappeared(a.id))
	inTime(t, "who hears nothing notices", cut, e.at, noticed)
	e = a.await(m[a], "the end of "+b.name, disappeared(b.id))
	inTime(t, "who sends in vain notices", cut, e.at, ackTime+connectTime+1200*time.Millisecond)
	during := l.mark()
	l.lasts(4 * drop)
	l.unchanged(during, a, b)
	healed := l.heal()
	inTime(t, "both see each other", healed, l.whole(nodes...), merged)
	l.unchanged(m, c)
	mute.blames(b)
	heard.acked()
	heard.allAt(c)
	l.exchange(nodes...)
	l.check()
}

// Two members that have lost each other keep the third, which keeps both.
func TestPairCut(t *testing.T) {
	l := newLab(t, 3)
	nodes := l.startAll()
	a, b, c := nodes[0], nodes[1], nodes[2]
	m := l.mark()
	cut := time.Now()
	l.must(l.net.Partition(l.ctx, []int{0}, []int{1}))
	for _, n := range []*node{a, b} {
		l.must(n.waitView(l.ctx, []string{c.id}))
		inTime(t, "two lose each other", cut, n.lastChange(), noticed)
	}
	during := l.mark()
	toBoth := c.bench("both", 300, 1024, "sync", 100, "*")
	toBoth.acked()
	toBoth.allAt(a, b)
	l.unchanged(during, nodes...)
	healed := l.heal()
	inTime(t, "the three are one group", healed, l.whole(nodes...), merged)
	l.unchanged(m, c)
	l.exchange(nodes...)
	l.check()
}

// A group without multicast but with TCP goes on, and says so in few words.
func TestMulticastBlocked(t *testing.T) {
	l := newLab(t, 3)
	nodes := l.startAll()
	m := l.mark()
	l.must(l.net.BlockMulticast(l.ctx, 0, 1, 2))
	load := nodes[0].bench("all", 500, 1024, "sync", 100, "*")
	load.acked()
	load.allAt(nodes[1:]...)
	l.heal()
	l.exchange(nodes...)
	l.lasts(drop)
	l.unchanged(m, nodes...)
	for _, n := range nodes {
		if log := n.logged(""); len(log) == 0 || len(log) > 4 {
			t.Errorf("%s logged %d lines, want one for each of the others and few more: %q", n.name, len(log), log)
		}
	}
	l.check()
}

// A member that can be heard but not be talked to is none for who tries.
func TestTCPBlocked(t *testing.T) {
	l := newLab(t, 3)
	nodes := l.startAll()
	a, b, c := nodes[0], nodes[1], nodes[2]
	m := l.mark()
	toAll := a.bench("all", 1000, 256, "asyncsync", 100, "*")
	toAll.reached(50)
	blocked := time.Now()
	l.must(l.net.BlockTCP(l.ctx, 1))
	e := a.await(m[a], "the end of "+b.name, disappeared(b.id))
	inTime(t, "who sends in vain notices", blocked, e.at, ackTime+connectTime+1200*time.Millisecond)
	during := l.mark()
	l.lasts(2 * drop)
	l.unchanged(during, a)
	healed := l.heal()
	inTime(t, "it is a member again", healed, l.whole(nodes...), merged)
	toAll.blames(b)
	toAll.allAt(c)
	l.unchanged(m, c)
	l.exchange(nodes...)
	l.check()
}

// The same with addresses instead of multicast.
func TestStaticMembers(t *testing.T) {
	l := newLab(t, 3, "RN_STATIC=10.99.0.1:4000,10.99.0.2:4000,10.99.0.3:4000", "RN_CHANNEL=faults")
	nodes := l.startAll()
	a, b, c := nodes[0], nodes[1], nodes[2]
	cut := time.Now()
	l.must(l.net.Partition(l.ctx, []int{0, 1}, []int{2}))
	inTime(t, "the two see themselves alone", cut, l.whole(a, b), noticed)
	inTime(t, "the one sees itself alone", cut, l.whole(c), noticed)
	l.exchange(a, b)
	healed := l.heal()
	inTime(t, "the three are one group", healed, l.whole(nodes...), merged)
	l.exchange(nodes...)
	killed := c.kill()
	for _, n := range []*node{a, b} {
		e := n.await(0, "the end of "+c.name, func(e event) bool { return disappeared(c.id)(e) && e.at.After(killed) })
		inTime(t, "a kill is noticed", killed, e.at, drop+500*time.Millisecond)
	}
	again := l.start(2)
	l.whole(a, b, again)
	l.exchange(a, b, again)
	l.check()
}

// usage is what a process holds.
type usage struct{ goroutines, descriptors int }

func (l *lab) usage(nodes []*node) []usage {
	l.t.Helper()
	var all []usage
	for _, n := range nodes {
		all = append(all, usage{n.stat().Goroutines, n.descriptors()})
	}
	return all
}

// descriptors is how many files and connections the process has open.
func (n *node) descriptors() int {
	n.l.t.Helper()
	open, err := os.ReadDir("/proc/" + strconv.Itoa(n.cmd.Process.Pid) + "/fd")
	n.l.must(err)
	return len(open)
}

// notGrown waits until the members hold no more than before; what is under way
// ends by itself.
func (l *lab) notGrown(nodes []*node, before []usage) {
	l.t.Helper()
	for i, n := range nodes {
		for begin := time.Now(); ; l.lasts(100 * time.Millisecond) {
			now := usage{n.stat().Goroutines, n.descriptors()}
			if now.goroutines <= before[i].goroutines && now.descriptors <= before[i].descriptors {
				l.t.Logf("%s: %d goroutines, %d descriptors", n.name, now.goroutines, now.descriptors)
				break
			}
			if time.Since(begin) > 15*time.Second {
				l.t.Errorf("%s has grown: %+v, was %+v", n.name, now, before[i])
				break
			}
		}
	}
}
