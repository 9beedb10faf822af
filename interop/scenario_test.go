//go:build interop

package interop

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"testing"
)

// party is a node that a test can ask whom it sees.
type party interface {
	member
	fmt.Stringer
	awaitJoin(ctx context.Context, m member) event
	members(ctx context.Context) []string
}

// meet waits until a and b have each other among their members.
func meet(ctx context.Context, t *testing.T, a, b party) {
	t.Helper()
	a.awaitJoin(ctx, b)
	b.awaitJoin(ctx, a)
	meetAlready(ctx, t, a, b)
}

// meetAlready fails the test unless a and b have each other among their members.
func meetAlready(ctx context.Context, t *testing.T, a, b party) {
	t.Helper()
	for _, pair := range [][2]party{{a, b}, {b, a}} {
		addr, _ := pair[1].identity()
		if got := pair[0].members(ctx); !slices.Contains(got, addr) {
			t.Fatalf("members of %s = %v, want %s among them", pair[0], got, addr)
		}
	}
}

// exchange sends the mix both ways at the same time, every message acknowledged after it was processed, and compares
// what arrived. From a one sender keeps the order; from b several do not.
func exchange(ctx context.Context, t *testing.T, a, b *peer) {
	t.Helper()
	const count = 1000
	fromA, fromB := series{1, mix}, series{2, mix}
	a.call(ctx, "quiet on", "ok")
	b.call(ctx, "quiet on", "ok")
	there := a.startBulk(bulkSend{To: b.addr, Options: optSync, Series: fromA, Count: count})
	b.bulk(ctx, bulkSend{To: a.addr, Options: optSync, Series: fromB, Count: count, Threads: 4})
	if r := a.bulkDone(ctx, there); r.Failed != 0 {
		t.Fatalf("%s: failed: %v", a.name, r.Failures)
	}
	checkSeries(t, b.received(ctx, a.id), fromA, count, inOrder)
	checkSeries(t, a.received(ctx, b.id), fromB, count, anyOrder)
}

// lose waits until a sees b, kills b and waits until a has noticed, which b had no chance to tell.
func lose(ctx context.Context, t *testing.T, a, b *peer) {
	t.Helper()
	a.waitEvent(ctx, "memberAdded", about(b))
	b.kill()
	if e := a.waitEvent(ctx, "memberDisappeared", about(b)); e.Command != "" {
		t.Errorf("%s was killed and disappeared with command %q", b.name, e.Command)
	}
}

// udpFlags make a node listen on a free UDP port.
func udpFlags(t *testing.T) []string {
	t.Helper()
	return []string{"--udp-port", strconv.Itoa(freePort(t))}
}
