//go:build interop

package interop

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gotribes/tribes/group"
	"github.com/gotribes/tribes/message"
)

// TestRefusedByGo lets our listener fail: the Java sender is told that it failed. It tries once more, as it always
// does, which our listener does not see.
func TestRefusedByGo(t *testing.T) {
	for _, v := range versions {
		t.Run(string(v), func(t *testing.T) {
			t.Parallel() // mostly waiting
			ctx := testContext(t)
			group := freeGroup(t)
			n := startNode(ctx, t, goConfig{Group: group})
			p := startPeer(ctx, t, v, peerConfig{Group: group})
			meet(ctx, t, n, p)
			n.recorder.fail(1)
			e := p.call(ctx, fmt.Sprintf("send %s %d 0102", n.id, optSync), "sent", "sendFailed")
			if e.Name != "sendFailed" || e.FailedAttempts != 2 || !slices.ContainsFunc(e.Faulty, isRemote) {
				t.Errorf("%s after %d failed attempts, faulty %v; want sendFailed after 2 with RemoteProcessException", e.Name, e.FailedAttempts, e.Faulty)
			}
			n.recorder.fail(1)
			p.send(ctx, n.id, optAck, []byte{3, 4}) // an ack on arrival promises nothing else
			n.awaitReceived(ctx, 2)
			p.send(ctx, n.id, optSync, []byte{5, 6})
			got := n.recorder.from("all")
			if len(got) != 3 || got[0].sha256 != hashOf([]byte{1, 2}) || got[1].sha256 != hashOf([]byte{3, 4}) || got[2].sha256 != hashOf([]byte{5, 6}) {
				t.Errorf("the listener saw %v, want each of the three messages once", got)
			}
			if d := n.group.Stats().Receiver.Duplicates; d != 1 {
				t.Errorf("%d messages were recognised as repeats, want 1", d)
			}
		})
	}
}

// isRemote tells if a member was faulty because its listener failed.
func isRemote(faulty string) bool { return strings.Contains(faulty, "RemoteProcessException") }

// TestRefusedByJava lets Java's listener fail: our sender is told so, does not try again, and suspects nobody.
func TestRefusedByJava(t *testing.T) {
	for _, v := range versions {
		t.Run(string(v), func(t *testing.T) {
			t.Parallel() // mostly waiting
			ctx := testContext(t)
			goGroup := freeGroup(t)
			n := startNode(ctx, t, goConfig{Group: goGroup})
			p := startPeer(ctx, t, v, peerConfig{Group: goGroup})
			meet(ctx, t, n, p)
			p.call(ctx, "quiet on", "ok")
			for _, options := range []message.Options{message.Sync, message.Sync | message.Async} {
				p.call(ctx, "forget", "ok")
				p.call(ctx, "failnext 1", "ok")
				_, err := n.group.Send(ctx, []*group.Member{n.seen(p)}, []byte{1, 2}, options)
				var sent *message.SendError
				var remote *message.RemoteError
				if !errors.As(err, &sent) || len(sent.Results) != 1 || sent.Results[0].Outcome != message.Refused || !errors.As(err, &remote) {
					t.Errorf("Send with %v = %v, want it refused with a RemoteError", options, err)
				}
				if _, err := n.group.Send(ctx, []*group.Member{n.seen(p)}, []byte{3, 4}, options); err != nil {
					t.Errorf("Send with %v after a refusal = %v", options, err)
				}
				got := p.received(ctx, n.id)
				if len(got) != 2 || got[0].sha256 != hashOf([]byte{1, 2}) || got[1].sha256 != hashOf([]byte{3, 4}) {
					t.Errorf("with %v Java's listener saw %v, want both messages once", options, got)
				}
			}
			if gone := n.inbox.takeAll(isDeparture); len(gone) != 0 {
				t.Errorf("%s has departed: %v", p, gone)
			}
		})
	}
}

// TestForeignCall lets Java call a procedure that nobody here offers: it is told so at once, by whatever rule it waits
// for replies, and the application sees nothing of it.
func TestForeignCall(t *testing.T) {
	const timeout, atOnce = 30 * time.Second, 5 * time.Second
	for _, v := range versions {
		t.Run(string(v), func(t *testing.T) {
			t.Parallel() // mostly waiting
			ctx := testContext(t)
			group := freeGroup(t)
			n := startNode(ctx, t, goConfig{Group: group})
			p := startPeer(ctx, t, v, peerConfig{Group: group})
			meet(ctx, t, n, p)
			for _, mode := range []string{"first", "majority", "all"} {
				e := p.call(ctx, fmt.Sprintf("rpc %s %s %d %d hello", n.id, mode, optAck, timeout.Milliseconds()), "rpcReplies")
				took := time.Duration(e.Micros) * time.Microsecond
				t.Logf("%s: %d replies after %v", mode, len(e.Replies), took)
				if e.Count != 0 || took > atOnce {
					t.Errorf("rpc %s = %v after %v, want nothing within %v", mode, e.Replies, took, atOnce)
				}
			}
			if got := n.recorder.from("all"); len(got) != 0 {
				t.Errorf("our application saw %v, want nothing", got)
			}
			if left := p.events("rpcLeftOver", nil); len(left) != 0 {
				t.Errorf("Java had replies left over: %v", left)
			}
		})
	}
}
