//go:build faults && linux

package faults

import (
	"strings"
	"testing"
	"time"
)

// Two members that start at the same time are one group.
func TestTwoStartTogether(t *testing.T) {
	for range repeat(1, 10) {
		l := newQuietLab(t, 2)
		l.startTogether(2 * time.Second)
		l.check()
	}
}

// So are many.
func TestManyStartTogether(t *testing.T) {
	l := newQuietLab(t, repeat(8, 20))
	nodes := l.startTogether(5 * time.Second)
	l.exchange(nodes...)
	l.check()
}

// startTogether starts a member on each host and wants a whole group in time,
// with each of the others joined once.
func (l *lab) startTogether(limit time.Duration) []*node {
	l.t.Helper()
	for host := range l.net.Hosts() {
		l.launch(host)
	}
	var last time.Time
	for _, n := range l.nodes {
		n.started()
		last = n.await(0, "the start", func(e event) bool { return e.Ev == "started" }).at
	}
	inTime(l.t, "the group is whole", last, l.whole(l.nodes...), limit)
	for _, n := range l.nodes {
		if changes := n.since(0, isChange); len(changes) != len(l.nodes)-1 {
			l.t.Errorf("%s: %d changes of members, want %d that join", n.name, len(changes), len(l.nodes)-1)
		}
	}
	return l.nodes
}

// A member whose port is taken does not start, and says why in one line.
func TestPortTaken(t *testing.T) {
	l := newLab(t, 2)
	nodes := l.startAll()
	m := l.mark()
	second := l.launch(0)
	second.ended = true
	<-second.exited
	if code := second.cmd.ProcessState.ExitCode(); code != 1 {
		t.Errorf("exit status %d, want 1", code)
	}
	log := second.logged("")
	if len(log) != 1 || !strings.Contains(log[0], "address already in use") || !strings.Contains(log[0], second.addr) {
		t.Errorf("log %q, want one line with the address and the cause", log)
	}
	if events := second.since(0, nil); len(events) != 0 {
		t.Errorf("events %v, want none", events)
	}
	l.lasts(drop)
	l.unchanged(m, nodes...)
	l.check()
}
