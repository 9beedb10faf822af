//go:build faults && linux

package faults

import (
	"fmt"
	"syscall"
	"testing"
	"time"
)

// A member that is killed fails at once for who sends to it, and at the drop
// time for the others; what the survivors send each other is not touched.
func TestKilledUnderLoad(t *testing.T) {
	l := newLab(t, 3)
	nodes := l.startAll()
	a, b, c := nodes[0], nodes[1], nodes[2]
	toAll := a.bench("all", 400, 1024, "sync", 100, "*")
	back := b.bench("back", 400, 1024, "sync", 100, a.addr)
	toAll.reached(100)
	killed := c.kill()

	e := a.await(0, "the end of "+c.name, disappeared(c.id))
	inTime(t, "a sender notices a kill", killed, e.at, 250*time.Millisecond)
	e = b.await(0, "the end of "+c.name, disappeared(c.id))
	inTime(t, "a member that does not send notices a kill", killed, e.at, drop+500*time.Millisecond)
	if *e.Shutdown {
		t.Errorf("%s was killed and said goodbye", c.name)
	}
	if toAll.blames(c) == 0 {
		t.Error("no send failed although a destination was killed")
	}
	toAll.allAt(b)
	back.acked()
	back.allAt(a)
	l.check()
}

// A member that leaves under load is told apart from one that fails, and all
// that it was told is acknowledged has arrived.
func TestLeaveUnderLoad(t *testing.T) {
	l := newLab(t, 3)
	nodes := l.startAll()
	a, b, c := nodes[0], nodes[1], nodes[2]
	m := l.mark()
	own := c.bench("own", 5000, 1024, "asyncsync", 500, "*")
	toAll := a.bench("all", 300, 1024, "sync", 100, "*")
	between := b.bench("between", 300, 1024, "sync", 100, a.addr)
	own.reached(200)
	toAll.reached(50)
	left := c.stop()

	for _, n := range []*node{a, b} {
		e := n.await(0, "the goodbye of "+c.name, disappeared(c.id))
		inTime(t, "a goodbye is heard", left, e.at, 500*time.Millisecond)
		if !*e.Shutdown {
			t.Errorf("%s: %s said goodbye and failed", n.name, c.name)
		}
		if log := n.logged(""); len(log) > 0 {
			t.Errorf("%s logged: %q", n.name, log)
		}
		if own.ackedArrived(2, n) < 200 {
			t.Errorf("%s: want at least 200 acknowledged", c.name)
		}
	}
	l.unchanged(m, c)
	toAll.blames(c)
	toAll.allAt(b)
	between.acked()
	between.allAt(a)
	l.check()
}

// A pause that is shorter than the drop time changes no view and loses nothing.
func TestShortPause(t *testing.T) {
	l := newLab(t, 3)
	nodes := l.startAll()
	a, b, c := nodes[0], nodes[1], nodes[2]
	m := l.mark()
	loads := []*load{a.bench("all", 300, 1024, "sync", 100, "*"), c.bench("own", 300, 1024, "asyncsync", 100, "*")}
	for i := range repeat(2, 10) {
		loads[1].reached(uint64(50 + 10*i))
		c.signal(syscall.SIGSTOP)
		l.lasts(drop * 6 / 10)
		c.signal(syscall.SIGCONT)
	}
	loads[0].acked()
	loads[0].allAt(b, c)
	loads[1].acked()
	loads[1].allAt(a, b)
	l.lasts(drop)
	l.unchanged(m, nodes...)
	l.check()
}

// A process that is stopped for long has failed, comes back when it goes on, and
// accuses nobody itself. Whatever was handed to it or by it has its outcome.
func TestLongPause(t *testing.T) {
	l := newLab(t, 3)
	nodes := l.startAll()
	a, b, c := nodes[0], nodes[1], nodes[2]
	m := l.mark()
	toAll := a.bench("all", 800, 1024, "asyncsync", 100, "*")
	own := c.bench("own", 300, 1024, "asyncsync", 100, "*")
	own.reached(50)
	stopped := c.signal(syscall.SIGSTOP)
	for _, n := range []*node{a, b} {
		e := n.await(m[n], "the end of "+c.name, disappeared(c.id))
		inTime(t, "a stopped process fails", stopped, e.at, drop+readTime+1200*time.Millisecond)
		if *e.Shutdown {
			t.Errorf("%s was stopped and said goodbye", c.name)
		}
	}
	resumed := c.signal(syscall.SIGCONT)
	inTime(t, "a resumed process is back", resumed, l.whole(nodes...), merged)
	l.unchanged(m, c)
	if toAll.blames(c) == 0 {
		t.Error("no send failed although a destination was stopped")
	}
	toAll.allAt(b)
	own.outcomes()
	own.ackedArrived(2, a)
	own.ackedArrived(2, b)
	l.exchange(nodes...)
	l.check()
}

// A process that gets to run now and then only is a slow member, and not one
// that finds everybody else dead.
func TestStarvedProcessAccusesNobody(t *testing.T) {
	l := newLab(t, 3)
	nodes := l.startAll()
	c := nodes[2]
	m := l.mark()
	for i := range nodes {
		nodes[i].bench(fmt.Sprint("from", i), 300, 256, "asyncsync", 50, "*")
	}
	for range repeat(4, 20) {
		c.signal(syscall.SIGSTOP)
		l.lasts(drop * 3 / 2)
		c.signal(syscall.SIGCONT)
		l.lasts(drop / 8)
	}
	for i := range nodes {
		nodes[i].streams[fmt.Sprint("from", i)].acked()
	}
	l.lasts(drop)
	l.unchanged(m, nodes...)
	l.check()
}

// A process that is restarted on its address and port within the drop time
// leaves no ghost and gets no message twice.
func TestRestartLeavesNoGhost(t *testing.T) {
	l := newLab(t, 3)
	nodes := l.startAll()
	a, b, c := nodes[0], nodes[1], nodes[2]
	toAll := a.bench("all", 400, 1024, "sync", 100, "*")
	toAll.reached(50)
	killed := c.kill()
	again := l.start(2)
	for _, n := range []*node{a, b} {
		e := n.await(0, "the end of the first process", disappeared(c.id))
		inTime(t, "the first process is gone", killed, e.at, drop+500*time.Millisecond)
	}
	l.whole(a, b, again)
	toAll.blames(c)
	toAll.allAt(b)
	l.exchange(a, b, again)
	l.check()
}

// Wall clocks that are an hour apart and the other way round play no role.
func TestWallClocksDiffer(t *testing.T) {
	l := newLab(t, 3)
	a := l.start(0)
	b := l.start(1, "RN_CLOCK_OFFSET_MS=3600000")
	c := l.start(2, "RN_CLOCK_OFFSET_MS=-3600000")
	l.whole(a, b, c)
	m := l.mark()
	l.exchange(a, b, c)
	l.lasts(3 * drop)
	l.unchanged(m, a, b, c)
	killed := b.kill()
	for _, n := range []*node{a, c} {
		e := n.await(m[n], "the end of "+b.name, disappeared(b.id))
		inTime(t, "a kill is noticed", killed, e.at, drop+500*time.Millisecond)
	}
	again := l.start(1, "RN_CLOCK_OFFSET_MS=-7200000") // hours before its last life
	l.whole(a, again, c)
	l.exchange(a, again, c)
	l.check()
}

// repeat is how often something is done.
func repeat(quick, long int) int {
	if full {
		return long
	}
	return quick
}

// exchange sends from every member to all others and wants everything to arrive.
func (l *lab) exchange(nodes ...*node) {
	l.t.Helper()
	var loads []*load
	for _, n := range nodes {
		l.exchanges++
		loads = append(loads, n.bench(fmt.Sprintf("exchange%d", l.exchanges), 20, 1024, "sync", 0, "*"))
	}
	for i, load := range loads {
		load.acked()
		load.allAt(others(nodes, nodes[i])...)
	}
}
