//go:build interop

package interop

import (
	"context"
	"fmt"
	"testing"
	"time"
)

// TestGoodbye lets nodes leave in order: the other side is told at once and knows that it was a goodbye.
func TestGoodbye(t *testing.T) {
	for _, v := range versions {
		t.Run(string(v), func(t *testing.T) {
			t.Parallel() // mostly waiting
			ctx := testContext(t)
			const drop = time.Minute // so that nothing but a goodbye can end a membership
			group := freeGroup(t)
			goes, comes := goConfig{Group: group, Drop: drop}, peerConfig{Group: group, Drop: drop}
			stays, p := startNode(ctx, t, goes), startPeer(ctx, t, v, comes)
			leaves := startNode(ctx, t, goes)
			meet(ctx, t, stays, p)
			meet(ctx, t, leaves, p)
			leaves.leave()
			if e := p.waitEvent(ctx, "memberDisappeared", about(leaves)); e.Command != leaveCommand {
				t.Errorf("%s disappeared with the command %q, want %q", leaves, e.Command, leaveCommand)
			}
			stays.waitEvent(ctx, eventLeft, about(leaves))
			p.leave(ctx)
			stays.waitEvent(ctx, eventLeft, about(p))
			if got := stays.group.View().Len(); got != 0 {
				t.Errorf("%s still sees %v", stays, stays.addresses())
			}
		})
	}
}

// TestKilled kills nodes of both kinds. We, and Java, know of it within the drop time and a second.
func TestKilled(t *testing.T) {
	const drop, slack = 1500 * time.Millisecond, time.Second
	for _, v := range versions {
		t.Run(string(v), func(t *testing.T) {
			t.Parallel() // mostly waiting
			ctx := testContext(t)
			group := freeGroup(t)
			goes, comes := goConfig{Group: group, Drop: drop}, peerConfig{Group: group, Drop: drop}
			n, p := startNode(ctx, t, goes), startPeer(ctx, t, v, comes)
			q := startGoPeer(ctx, t, goes)
			meet(ctx, t, n, p)
			meet(ctx, t, n, q)
			meet(ctx, t, p, q)
			inTime := func(by fmt.Stringer, victim *peer, at int64, e event) {
				t.Helper()
				took := time.Duration(e.Time-at) * time.Millisecond
				t.Logf("%s: found dead by %s after %v", victim, by, took)
				if took > drop+slack || e.Command != "" {
					t.Errorf("%s: found dead by %s after %v with the command %q, want %v at most and no command", victim, by, took, e.Command, drop+slack)
				}
			}
			at := time.Now().UnixMilli()
			q.kill()
			inTime(n, q, at, n.waitEvent(ctx, eventFailed, about(q)))
			inTime(p, q, at, p.waitEvent(ctx, "memberDisappeared", about(q)))
			at = time.Now().UnixMilli()
			p.kill()
			inTime(n, p, at, n.waitEvent(ctx, eventFailed, about(p)))
		})
	}
}

// TestRestart kills a node and starts it again on the same port while the old one is still believed to live. With the
// failure detector the old one is soon gone from our view, and from then on what we send to all arrives once. The
// watcher of the restart is ours; Java by itself keeps both.
func TestRestart(t *testing.T) {
	const drop, slack = 3 * time.Second, time.Second
	start := map[string]func(ctx context.Context, t *testing.T, v version, group string, port int) *peer{
		"Java": func(ctx context.Context, t *testing.T, v version, group string, port int) *peer {
			return startPeer(ctx, t, v, peerConfig{Group: group, Port: port, Drop: drop})
		},
		"Go": func(ctx context.Context, t *testing.T, _ version, group string, port int) *peer {
			return startGoPeer(ctx, t, goConfig{Group: group, Port: port, Drop: drop})
		},
	}
	tests := []struct {
		before, after string
		version       version
	}{
		{"Java", "Java", v90}, {"Java", "Java", v101}, {"Java", "Java", v110},
		{"Go", "Go", v90}, {"Go", "Go", v101}, {"Go", "Go", v110},
		{"Java", "Go", v101}, {"Go", "Java", v101},
	}
	for _, test := range tests {
		t.Run(fmt.Sprintf("%s after %s beside %s", test.after, test.before, test.version), func(t *testing.T) {
			t.Parallel() // mostly waiting
			ctx := testContext(t)
			groupAddress, port := freeGroup(t), freePort(t)
			n := startNode(ctx, t, goConfig{Group: groupAddress, Drop: drop})
			other := startPeer(ctx, t, test.version, peerConfig{Group: groupAddress, Drop: drop})
			first := start[test.before](ctx, t, test.version, groupAddress, port)
			meet(ctx, t, n, other)
			meet(ctx, t, n, first)

			killed := time.Now().UnixMilli()
			first.kill()
			second := start[test.after](ctx, t, test.version, groupAddress, port)
			meet(ctx, t, n, second)
			e := n.waitEvent(ctx, eventFailed, about(first))
			took := time.Duration(e.Time-killed) * time.Millisecond
			t.Logf("the old one is gone after %v; %s sees %v", took, other, other.members(ctx))
			if took > drop+slack {
				t.Errorf("the old one is gone after %v, want %v at most", took, drop+slack)
			}
			if members := n.group.View().Members; len(members) != 2 || n.seen(second) == nil {
				t.Errorf("%s sees %v, want %s and %s", n, members, other, second)
			}

			const count = 200
			s := series{9, 1000}
			for _, p := range []*peer{other, second} {
				p.call(ctx, "quiet on", "ok")
			}
			sent := n.send(ctx, bulkSend{To: "all", Options: optSync, Series: s, Count: count})
			for _, p := range []*peer{other, second} {
				checkSeries(t, withoutRepeats(p.received(ctx, n.id), sent.retriedIDs()), s, count, inOrder)
			}
		})
	}
}
