//go:build interop

package interop

import (
	"testing"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/group"
	"github.com/gotribes/tribes/interceptor"
	"github.com/gotribes/tribes/message"
)

// TestProbes lets the failure detectors of both sides ask for an answer to each probe. Both get it, and no application
// sees anything of it.
func TestProbes(t *testing.T) {
	for _, v := range versions {
		t.Run(string(v), func(t *testing.T) {
			t.Parallel() // mostly waiting
			ctx := testContext(t)
			group := freeGroup(t)
			detector := &interceptor.TCPFailureDetector{ReadTest: interceptor.ReadAlways}
			n := startNode(ctx, t, goConfig{Group: group, Layers: []channel.Interceptor{detector}})
			p := startPeer(ctx, t, v, peerConfig{Group: group, Flags: []string{"--fd-read", "true"}})
			meet(ctx, t, n, p)
			n.waitEvent(ctx, eventProbed, func(e event) bool {
				return about(p)(e) && e.Kind == channel.ProbeRead.String() && e.Error == ""
			})
			if s := detector.Stats().Swallowed; s == 0 {
				t.Error("no probe of Java was swallowed, want one at least: it sees us")
			}
			if got := n.recorder.from("all"); len(got) != 0 {
				t.Errorf("our application saw %v, want nothing", got)
			}
			if e := p.call(ctx, "stats", "stats"); e.RX != 0 {
				t.Errorf("Java's application saw %d messages, want none", e.RX)
			}
		})
	}
}

// TestSilent lets a Java node stop its heartbeats and nothing else. It is kept, as a suspect, because it answers probes,
// until it is dead.
func TestSilent(t *testing.T) {
	const checkPeriod, slack = 200 * time.Millisecond, time.Second
	for _, v := range versions {
		t.Run(string(v), func(t *testing.T) {
			t.Parallel() // mostly waiting
			ctx := testContext(t)
			address := freeGroup(t)
			detector := &interceptor.TCPFailureDetector{CheckPeriod: checkPeriod}
			n := startNode(ctx, t, goConfig{Group: address, Layers: []channel.Interceptor{detector}})
			p := startPeer(ctx, t, v, peerConfig{Group: address})
			meet(ctx, t, n, p)
			p.call(ctx, "stop 8", "ok")
			for len(detector.Suspects()) == 0 {
				n.waitEvent(ctx, eventProbed, about(p))
			}
			for range 5 {
				e := n.waitEvent(ctx, eventProbed, about(p))
				if e.Kind != channel.ProbeRead.String() || e.Error != "" {
					t.Errorf("a suspect was probed by %s with the result %q, want the read test and no error", e.Kind, e.Error)
				}
			}
			if _, err := n.group.Send(ctx, []*group.Member{n.seen(p)}, []byte{1}, message.Sync); err != nil {
				t.Errorf("send to a suspect: %v", err)
			}
			if gone := n.inbox.takeAll(isDeparture); len(gone) != 0 {
				t.Errorf("%s has departed: %v", p, gone)
			}
			at := time.Now().UnixMilli()
			p.kill()
			e := n.waitEvent(ctx, eventFailed, about(p))
			if took := time.Duration(e.Time-at) * time.Millisecond; took > checkPeriod+slack {
				t.Errorf("the death of a suspect was found out after %v, want %v at most", took, checkPeriod+slack)
			}
		})
	}
}

// TestFrozen freezes a Java process. Its kernel goes on to accept connections, but it does not answer, so it is dropped
// after the drop time and the time for an answer. When it goes on it is back.
func TestFrozen(t *testing.T) {
	const drop, answer, slack = 1500 * time.Millisecond, time.Second, time.Second
	for _, v := range versions {
		t.Run(string(v), func(t *testing.T) {
			t.Parallel() // mostly waiting
			ctx := testContext(t)
			address := freeGroup(t)
			detector := &interceptor.TCPFailureDetector{ReadTimeout: answer}
			n := startNode(ctx, t, goConfig{Group: address, Drop: drop, Layers: []channel.Interceptor{new(interceptor.Dispatch), detector}})
			p := startPeer(ctx, t, v, peerConfig{Group: address, Drop: drop})
			meet(ctx, t, n, p)
			at := time.Now().UnixMilli()
			p.pause()
			e := n.waitEvent(ctx, eventFailed, about(p))
			took := time.Duration(e.Time-at) * time.Millisecond
			t.Logf("dropped after %v", took)
			// A process that does not get its processor in time gives others more time:
			// once for the heartbeats, once for the answer.
			if limit := drop + answer + slack + 2*detector.Stats().Lag; took > limit {
				t.Errorf("dropped after %v, want %v at most", took, limit)
			}
			p.resume()
			n.awaitJoin(ctx, p)
			if _, err := n.group.Send(ctx, []*group.Member{n.seen(p)}, []byte{1}, message.Sync); err != nil {
				t.Errorf("send to a member that is back: %v", err)
			}
			p.waitEvent(ctx, "message", func(e event) bool { return e.SHA256 == hashOf([]byte{1}) })
		})
	}
}
