//go:build interop

package interop

import (
	"context"
	"fmt"
	"log/slog"
	"testing"

	"github.com/gotribes/tribes/membership"
)

// node is a member of this module in the process of the test. Its methods fail the test it was started for, so they are
// for the goroutine of that test.
type node struct {
	*goMember
	t        *testing.T
	addr, id string
}

// startNode starts a member of this module. It is stopped when the test ends.
func startNode(ctx context.Context, t *testing.T, c goConfig) *node {
	t.Helper()
	c.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	g, err := openMember(ctx, c)
	if err != nil {
		t.Fatalf("start of a Go member: %v", err)
	}
	n := &node{goMember: g, t: t}
	n.addr, n.id = n.identity()
	t.Cleanup(n.leave)
	return n
}

func (n *node) String() string { return "Go on " + n.addr }

// leave stops the member in order, so that the others are told. Once is enough.
func (n *node) leave() {
	ctx, cancel := context.WithTimeoutCause(context.Background(), patience, fmt.Errorf("stop took longer than %v", patience))
	defer cancel()
	if err := n.group.Stop(ctx); err != nil {
		n.t.Errorf("%s: stop: %v", n, err)
	}
}

// waitEvent takes the oldest event of that name that matches and was not taken before.
func (n *node) waitEvent(ctx context.Context, name string, match func(event) bool) event {
	n.t.Helper()
	e, err := n.inbox.take(ctx, func(e event) bool { return e.Name == name && match(e) })
	if err != nil {
		n.t.Fatalf("%s: wait for %s: %v", n, name, err)
	}
	return e
}

// awaitJoin waits until the member is told that m has joined.
func (n *node) awaitJoin(ctx context.Context, m member) event {
	n.t.Helper()
	return n.waitEvent(ctx, eventJoined, about(m))
}

// isDeparture matches the events by which a member of this module is told that somebody is gone.
func isDeparture(e event) bool { return e.Name == eventLeft || e.Name == eventFailed }

// members are the addresses of the other members that it sees.
func (n *node) members(context.Context) []string { return n.addresses() }

// seen is m as this member sees it now.
func (n *node) seen(m member) *membership.Member {
	n.t.Helper()
	addr, id := m.identity()
	for _, s := range n.group.View().Members {
		if a, i := identityOf(s); a == addr && i == id {
			return s
		}
	}
	n.t.Fatalf("%s does not see %s among %v", n, m, n.addresses())
	return nil
}

// send sends a series and fails the test unless every message succeeded.
func (n *node) send(ctx context.Context, b bulkSend) *goBulk {
	n.t.Helper()
	s, err := n.bulk(ctx, b)
	if err != nil {
		n.t.Fatalf("%s: %v", n, err)
	}
	if failures := s.failures(); len(failures) > 0 {
		for i, err := range failures {
			n.t.Fatalf("%s: %d of %d messages failed, one of them is %d: %v", n, len(failures), b.Count, i, err)
		}
	}
	return s
}

// awaitReceived waits until the member has recorded count different messages.
func (n *node) awaitReceived(ctx context.Context, count int) {
	n.t.Helper()
	if err := n.recorder.await(ctx, count); err != nil {
		n.t.Fatalf("%s: %v", n, err)
	}
}
