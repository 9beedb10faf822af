//go:build faults && linux

package faults

import (
	"fmt"
	"strings"
	"time"
)

// load is a series of messages, numbered from 1, that a member sends from one
// goroutine.
type load struct {
	n      *node
	stream string
	count  uint64
}

// bench begins to send count messages of size bytes at rate per second.
func (n *node) bench(stream string, count uint64, size int, mode string, rate int, dest string) *load {
	n.l.t.Helper()
	l := &load{n, stream, count}
	n.streams[stream] = l
	n.tell("bench %s %d %d %s %d %s", stream, count, size, mode, rate, dest)
	return l
}

// isOutcome matches the outcome of message seq, or of any for 0.
func (l *load) isOutcome(seq uint64) func(event) bool {
	return func(e event) bool {
		return (e.Ev == "ack" || e.Ev == "sendError") && e.Stream == l.stream && (seq == 0 || e.Seq == seq)
	}
}

// reached waits until message seq has an outcome.
func (l *load) reached(seq uint64) {
	l.n.l.t.Helper()
	l.n.await(0, fmt.Sprintf("message %d of %s", seq, l.stream), l.isOutcome(seq))
}

// outcomes waits until every message has one, and returns them by number. Two
// for one message fail the test.
func (l *load) outcomes() map[uint64]event {
	l.n.l.t.Helper()
	l.n.await(0, "the end of "+l.stream, func(e event) bool { return e.Ev == "benchDone" && e.Stream == l.stream })
	var all map[uint64]event
	err := l.n.until(l.n.l.ctx, func() bool { // calls that return at once have their outcomes later
		all = byNumber(l.n.events, l.isOutcome(0))
		return uint64(len(all)) >= l.count
	})
	if err != nil {
		l.n.l.t.Fatalf("%s: %d of %d messages of %s have an outcome: %v", l.n.name, len(all), l.count, l.stream, err)
	}
	l.once()
	return all
}

// once fails the test if a message has two outcomes, and returns those of the
// messages that have one by now.
func (l *load) once() map[uint64]event {
	l.n.l.t.Helper()
	found := l.n.since(0, l.isOutcome(0))
	all := byNumber(found, l.isOutcome(0))
	if len(found) != len(all) {
		l.n.l.t.Errorf("%s: %d outcomes of %d messages of %s", l.n.name, len(found), len(all), l.stream)
	}
	return all
}

// byNumber are the events that match, by the number of their message.
func byNumber(events []event, match func(event) bool) map[uint64]event {
	all := make(map[uint64]event)
	for _, e := range events {
		if match(e) {
			all[e.Seq] = e
		}
	}
	return all
}

// acked fails the test unless every message was acknowledged by everybody.
func (l *load) acked() {
	l.n.l.t.Helper()
	failed := 0
	var first event
	for _, e := range l.outcomes() {
		if e.Ev != "ack" {
			failed, first = failed+1, e
		}
	}
	if failed > 0 {
		l.n.l.t.Errorf("%s: %d of %d messages of %s failed, one of them: %s %v",
			l.n.name, failed, l.count, l.stream, first.Err, first.Faulty)
	}
}

// blames fails the test unless each failure names only the given member, or was
// for want of a member. It returns how many there are.
func (l *load) blames(who *node) int {
	l.n.l.t.Helper()
	failed := 0
	for _, e := range l.outcomes() {
		if e.Ev == "ack" {
			continue
		}
		failed++
		for _, f := range e.Faulty {
			if !strings.HasPrefix(f, who.addr+" ") {
				l.n.l.t.Fatalf("%s: message %d of %s: %q, want only %s to fail", l.n.name, e.Seq, l.stream, f, who.addr)
			}
		}
		if len(e.Faulty) == 0 && !strings.Contains(e.Err, "no members") {
			l.n.l.t.Fatalf("%s: message %d of %s failed for nobody: %s", l.n.name, e.Seq, l.stream, e.Err)
		}
	}
	return failed
}

// arrivedAt returns the messages of l that reached a member, as they came.
func (l *load) arrivedAt(n *node) []event {
	return n.since(0, l.arrival)
}

func (l *load) arrival(e event) bool {
	return e.Ev == "message" && e.Stream == l.stream && e.From == l.n.addr
}

// allAt waits until every message of l has reached each member.
func (l *load) allAt(members ...*node) {
	l.n.l.t.Helper()
	for _, n := range members {
		n.await(0, fmt.Sprintf("message %d of %s", l.count, l.stream), func(e event) bool { return l.arrival(e) && e.Seq == l.count })
		if got := len(l.arrivedAt(n)); uint64(got) != l.count {
			l.n.l.t.Errorf("%s has %d of the %d messages of %s", n.name, got, l.count, l.stream)
		}
	}
}

// ackedArrived fails the test if a message was acknowledged by that many members
// and has not reached n. It returns how many were.
func (l *load) ackedArrived(by int, n *node) int {
	l.n.l.t.Helper()
	there := byNumber(l.arrivedAt(n), l.arrival)
	acked := 0
	for seq, e := range l.once() {
		if e.Ev != "ack" || e.To < by {
			continue
		}
		acked++
		if _, ok := there[seq]; !ok {
			l.n.l.t.Fatalf("%s: message %d of %s was acknowledged and is not at %s", l.n.name, seq, l.stream, n.name)
		}
	}
	return acked
}

// silence returns the longest time between two messages of l at a member, the
// machine's own stalls taken off, from the first one after begin to the last.
func (l *load) silence(n *node, begin time.Time) time.Duration {
	var longest time.Duration
	last := time.Time{}
	for _, e := range l.arrivedAt(n) {
		if e.at.Before(begin) {
			continue
		}
		if !last.IsZero() {
			longest = max(longest, e.at.Sub(last)-machine.stalled(last, e.at))
		}
		last = e.at
	}
	return longest
}
