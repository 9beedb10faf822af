//go:build faults && linux

package faults

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/gotribes/tribes/internal/netlab"
)

// The settings of the members, and what follows from them and from the defaults
// of the failure detector and the sender.
const (
	beat        = 100 * time.Millisecond // between heartbeats
	drop        = time.Second            // silence after which a member is doubted
	connectTime = time.Second            // that a probe may take to connect
	readTime    = 5 * time.Second        // that a member may take to answer a probe
	ackTime     = 5 * time.Second        // that it may take to acknowledge a message

	noticed = drop + 1200*time.Millisecond // a member that cannot be reached is gone
	merged  = 2500 * time.Millisecond      // everybody is there again after a fault
)

// patience bounds a whole test, which hangs otherwise.
var patience = time.Duration(repeat(2, 8)) * time.Minute

// lab is a network with members on it.
type lab struct {
	t        *testing.T
	ctx      context.Context
	net      *netlab.Network
	settings []string // of all members, beyond those of this file
	nodes    []*node

	exchanges int // streams of exchange
}

// newLab makes a network that exists for as long as the test, which runs beside
// others. Settings are environment variables of all members.
func newLab(t *testing.T, hosts int, settings ...string) *lab {
	t.Helper()
	t.Parallel()
	return newQuietLab(t, hosts, settings...)
}

// newQuietLab is newLab for a test that measures short times, and so runs alone.
func newQuietLab(t *testing.T, hosts int, settings ...string) *lab {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(context.Background(), patience, errors.New("the test took too long"))
	net, err := netlab.New(ctx, hosts)
	if err != nil {
		t.Fatal(err)
	}
	l := &lab{t: t, ctx: ctx, net: net, settings: settings}
	t.Cleanup(func() {
		cancel()
		for _, n := range l.nodes {
			n.cleanUp(t)
		}
		if err := net.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// start starts a member and waits until it is in the group.
func (l *lab) start(host int, settings ...string) *node {
	l.t.Helper()
	n := l.launch(host, settings...)
	n.started()
	return n
}

// startAll starts a member on each host and waits until all see each other.
func (l *lab) startAll() []*node {
	l.t.Helper()
	for host := range l.net.Hosts() {
		l.launch(host)
	}
	for _, n := range l.nodes {
		n.started()
	}
	l.whole(l.nodes...)
	return l.nodes
}

// whole waits until each of nodes sees the others, and nobody else. It returns
// when the last event came.
func (l *lab) whole(nodes ...*node) time.Time {
	l.t.Helper()
	var last time.Time
	for _, n := range nodes {
		var others []string
		for _, o := range nodes {
			if o != n {
				others = append(others, o.id)
			}
		}
		if err := n.waitView(l.ctx, others); err != nil {
			l.t.Fatalf("%s sees %v, want %d members: %v", n.name, n.seen(), len(others), err)
		}
		if at := n.lastChange(); at.After(last) {
			last = at
		}
	}
	return last
}

// lastChange is when the view of n changed last.
func (n *node) lastChange() time.Time {
	changes := n.since(0, isChange)
	if len(changes) == 0 {
		return n.begin
	}
	return changes[len(changes)-1].at
}

func isChange(e event) bool { return e.Ev == "memberAdded" || e.Ev == "memberDisappeared" }

// marks are the places in the journals of some members.
type marks map[*node]int

func (l *lab) mark() marks {
	m := make(marks)
	for _, n := range l.nodes {
		m[n] = n.mark()
	}
	return m
}

// unchanged fails the test if the view of one of nodes has changed since m.
func (l *lab) unchanged(m marks, nodes ...*node) {
	l.t.Helper()
	for _, n := range nodes {
		for _, e := range n.since(m[n], isChange) {
			l.t.Errorf("%s: %s of %s, want no change of members", n.name, e.Ev, e.Member)
		}
	}
}

// heal ends the faults on the wire, which must have lost something, and returns
// when.
func (l *lab) heal() time.Time {
	l.t.Helper()
	lost, err := l.net.Dropped(l.ctx)
	l.must(err)
	if lost == 0 {
		l.t.Error("the network has lost nothing")
	}
	at := time.Now()
	l.must(l.net.Heal(l.ctx))
	return at
}

// settled is the time after which nothing that began during a fault is under way:
// a probe, the failure of which may still be told when the fault is over.
const settled = connectTime + readTime + merged

// settle waits until then, and wants everybody to see everybody from then on.
func (l *lab) settle(healed time.Time, nodes ...*node) {
	l.t.Helper()
	l.lasts(settled)
	last := l.whole(nodes...)
	if last.Before(healed) {
		last = healed
	}
	inTime(l.t, "the group is whole", healed, last, settled)
}

// must ends the test on an error.
func (l *lab) must(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatal(err)
	}
}

// lasts lets a fault last for some time: how long it lasts is what is tested.
func (l *lab) lasts(d time.Duration) {
	l.t.Helper()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-l.ctx.Done():
		l.t.Fatal(context.Cause(l.ctx))
	}
}

// others is nodes without some.
func others(nodes []*node, without ...*node) []*node {
	return slices.DeleteFunc(slices.Clone(nodes), func(n *node) bool { return slices.Contains(without, n) })
}
