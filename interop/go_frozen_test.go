//go:build interop

package interop

import (
	"testing"
	"time"
)

// TestFrozenGo freezes a process of ours. A Java node whose failure detector asks for an answer drops it after the drop
// time and the time for that answer. When it goes on, both go on as if nothing had been: Java takes it back, it accuses
// nobody of having been silent, and messages pass both ways. (A detector that does not ask keeps such a member, which
// still accepts connections.)
func TestFrozenGo(t *testing.T) {
	const drop, answer, slack = 1500 * time.Millisecond, time.Second, time.Second
	for _, v := range versions {
		t.Run(string(v), func(t *testing.T) {
			t.Parallel() // mostly waiting
			ctx := testContext(t)
			address := freeGroup(t)
			p := startPeer(ctx, t, v, peerConfig{Group: address, Drop: drop, Flags: []string{"--fd-read", "true", "--fd-timeout", "1000"}})
			q := startGoPeer(ctx, t, goConfig{Group: address, Drop: drop})
			meet(ctx, t, p, q)
			at := time.Now().UnixMilli()
			q.pause()
			e := p.waitEvent(ctx, "memberDisappeared", about(q))
			took := time.Duration(e.Time-at) * time.Millisecond
			t.Logf("%s: dropped after %v", q, took)
			if e.Command != "" || took > drop+answer+slack {
				t.Errorf("dropped after %v with the command %q, want %v at most and no command", took, e.Command, drop+answer+slack)
			}
			q.resume()
			p.awaitJoin(ctx, q)
			meetAlready(ctx, t, p, q)
			for _, pair := range [][2]*peer{{p, q}, {q, p}} {
				from, to := pair[0], pair[1]
				s := series{11, 1000}
				to.call(ctx, "quiet on", "ok")
				from.bulk(ctx, bulkSend{To: to.id, Options: optSync, Series: s, Count: 100})
				checkSeries(t, to.received(ctx, from.id), s, 100, inOrder)
			}
			if gone := q.events("memberDisappeared", nil); len(gone) != 0 {
				t.Errorf("%s, which was frozen, missed %v", q, gone)
			}
		})
	}
}

// TestJavaFindsOut kills a process of ours and freezes another, with a drop time that does not matter. Java sends to
// them, fails, and its failure detector finds that they are gone.
func TestJavaFindsOut(t *testing.T) {
	const drop, wait, answer, slack = time.Minute, 5 * time.Second, time.Second, time.Second
	for _, v := range versions {
		t.Run(string(v), func(t *testing.T) {
			t.Parallel() // mostly waiting
			ctx := testContext(t)
			address := freeGroup(t)
			// Java looks at its timeout only when a socket has something for it, or else after wait. Then it probes.
			p := startPeer(ctx, t, v, peerConfig{
				Group: address, Drop: drop,
				Flags: []string{"--timeout", "1000", "--fd-read", "true", "--fd-timeout", "1000", "--heartbeat", "500"},
			})
			ends := map[string]func(*peer){"killed": (*peer).kill, "frozen": (*peer).pause}
			for _, how := range []string{"killed", "frozen"} {
				q := startGoPeer(ctx, t, goConfig{Group: address, Drop: drop})
				meet(ctx, t, p, q)
				ends[how](q)
				at := time.Now().UnixMilli()
				if e := p.call(ctx, "send "+q.id+" 6 0102", "sent", "sendFailed"); e.Name != "sendFailed" {
					t.Errorf("send to a member that was %s: %s, want sendFailed", how, e.Name)
				}
				e := p.waitEvent(ctx, "memberDisappeared", about(q))
				took := time.Duration(e.Time-at) * time.Millisecond
				t.Logf("%s: %s, found out after %v", q, how, took)
				if limit := wait + answer + slack; took > limit {
					t.Errorf("%s: found out after %v, want %v at most", how, took, limit)
				}
				if how == "frozen" {
					q.resume()
					p.awaitJoin(ctx, q)
					p.send(ctx, q.id, optSync, []byte{1, 2})
				}
			}
		})
	}
}
