//go:build faults && linux

package faults

import (
	"slices"
	"strings"
	"time"
)

// check fails the test if one of the things does not hold that must hold in
// every run: every message has one outcome, nothing came twice, before what was
// sent before it, or after it was given up, everything came undamaged, and every
// member that still runs serves its sockets and sees the others.
func (l *lab) check() {
	l.t.Helper()
	for _, n := range l.nodes {
		for _, load := range n.streams {
			if !n.ended {
				load.outcomes()
			}
			for _, to := range l.nodes {
				load.inOrder(to)
				load.inTime(to)
			}
		}
	}
	var alive []*node
	for _, n := range l.nodes {
		n.sane()
		if !n.ended {
			alive = append(alive, n)
		}
	}
	l.whole(alive...)
	for _, n := range alive {
		n.healthy(alive)
	}
}

// inOrder fails the test if messages came to a member twice, or before one that
// was sent earlier.
func (l *load) inOrder(to *node) {
	l.n.l.t.Helper()
	last := uint64(0)
	for _, e := range l.arrivedAt(to) {
		if e.Seq <= last {
			l.n.l.t.Fatalf("%s: message %d of %s from %s came after message %d", to.name, e.Seq, l.stream, l.n.addr, last)
		}
		last = e.Seq
	}
}

// skew is how much later than another member's an event may be read here.
const skew = 100 * time.Millisecond

// inTime fails the test if messages came to a member after their sender had
// reported that they failed there. One may: it was in the hands of the member.
func (l *load) inTime(to *node) {
	l.n.l.t.Helper()
	outcomes := l.once()
	var late []uint64
	for _, e := range l.arrivedAt(to) {
		if o := outcomes[e.Seq]; o.Ev == "sendError" && e.at.Sub(o.at) > skew && to.isNamedIn(o.Faulty) {
			late = append(late, e.Seq)
		}
	}
	if len(late) > 1 {
		l.n.l.t.Errorf("%s: messages %d of %s from %s came after they had been given up", to.name, late, l.stream, l.n.addr)
	}
}

// isNamedIn reports whether the member is one of those that a send failed for.
func (n *node) isNamedIn(faulty []string) bool {
	return slices.ContainsFunc(faulty, func(f string) bool { return strings.HasPrefix(f, n.addr+" ") })
}

// sane fails the test if the output of a member has what it never may have.
func (n *node) sane() {
	t := n.l.t
	t.Helper()
	for _, e := range n.since(0, func(e event) bool { return e.Ev == "oddMessage" || e.Ev == "error" }) {
		t.Errorf("%s: %s: %s%s%s", n.name, e.Ev, e.What, e.Cmd, e.Err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, err := range n.wrong {
		t.Errorf("%s: %v", n.name, err)
	}
	for _, line := range n.log {
		if strings.Contains(line, "DATA RACE") || strings.HasPrefix(line, "panic:") || strings.HasPrefix(line, "fatal error:") {
			t.Errorf("%s: %s", n.name, line)
		}
	}
}

// healthy compares what a member says of itself with what must be.
func (n *node) healthy(alive []*node) {
	t := n.l.t
	t.Helper()
	s := n.stat()
	if s.Sent != s.Acked+s.Failed {
		t.Errorf("%s: %d sent, but %d acked and %d failed", n.name, s.Sent, s.Acked, s.Failed)
	}
	if s.Odd != 0 || !s.ReceiverAlive || !s.MembershipAlive {
		t.Errorf("%s: %d odd messages, receiver alive %v, membership alive %v", n.name, s.Odd, s.ReceiverAlive, s.MembershipAlive)
	}
	for name, stream := range s.Streams {
		if stream.Dup != 0 {
			t.Errorf("%s: %d duplicates from %s", n.name, stream.Dup, name)
		}
	}
	if len(s.Members) != len(alive)-1 {
		t.Errorf("%s: its view is %v, want %d members", n.name, s.Members, len(alive)-1)
	}
}
