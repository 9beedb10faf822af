//go:build interop

package interop

import (
	"slices"
	"testing"
)

// leaveCommand is what the last heartbeat of a member that leaves carries.
const leaveCommand = "424142592d414c4558" // "BABY-ALEX"

// The control group: Java against Java, once for each line.

func TestControlMulticast(t *testing.T) {
	for _, v := range versions {
		t.Run(string(v), func(t *testing.T) {
			ctx := testContext(t)
			c := peerConfig{Group: freeGroup(t)}
			a, b := startPeer(ctx, t, v, c), startPeer(ctx, t, v, c)
			meet(ctx, t, a, b)
			exchange(ctx, t, a, b)
			b.leave(ctx)
			if e := a.waitEvent(ctx, "memberDisappeared", about(b)); e.Command != leaveCommand {
				t.Errorf("%s left with command %q, want %q", b.name, e.Command, leaveCommand)
			}
			lose(ctx, t, a, startPeer(ctx, t, v, c))
		})
	}
}

func TestControlStatic(t *testing.T) {
	for _, v := range versions {
		t.Run(string(v), func(t *testing.T) {
			ctx := testContext(t)
			c := staticConfigs(t, 3, peerConfig{Name: "control"})
			a, b := startPeer(ctx, t, v, c[0]), startPeer(ctx, t, v, c[1])
			meet(ctx, t, a, b)
			exchange(ctx, t, a, b)
			b.leave(ctx)
			a.waitEvent(ctx, "memberDisappeared", about(b))
			lose(ctx, t, a, startPeer(ctx, t, v, c[2]))
		})
	}
}

// TestControlLines lets the oldest line meet the newest, which the wire allows for all but embedded members.
func TestControlLines(t *testing.T) {
	ctx := testContext(t)
	c := peerConfig{Group: freeGroup(t)}
	a, b := startPeer(ctx, t, v90, c), startPeer(ctx, t, v110, c)
	meet(ctx, t, a, b)
	exchange(ctx, t, a, b)
}

func TestControlDatagrams(t *testing.T) {
	// So few and short that all of them together fit into the buffer of a socket: datagrams may be lost.
	const count = 40
	tests := []struct {
		name    string
		options int
	}{
		{"UDP", optUDP},
		{"acknowledged UDP", optUDP | optAck},
		{"multicast", optMulticast},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			ctx := testContext(t)
			group, s := freeGroup(t), series{5, 1000}
			a := startPeer(ctx, t, v101, peerConfig{Group: group})
			b := startPeer(ctx, t, v101, peerConfig{Group: group, Flags: udpFlags(t)})
			meet(ctx, t, a, b)
			b.call(ctx, "quiet on", "ok")
			a.bulk(ctx, bulkSend{To: b.addr, Options: test.options, Series: s, Count: count})
			b.awaitReceived(ctx, count)
			checkSeries(t, b.received(ctx, a.id), s, count, anyOrder)
		})
	}
}

// TestControlSeries lets Java make the series of which the digests are known.
func TestControlSeries(t *testing.T) {
	ctx := testContext(t)
	c := peerConfig{Group: freeGroup(t)}
	a, b := startPeer(ctx, t, v101, c), startPeer(ctx, t, v101, c)
	meet(ctx, t, a, b)
	b.call(ctx, "quiet on", "ok")
	for _, test := range goldenSeries {
		t.Run(test.name, func(t *testing.T) {
			b.call(ctx, "forget", "ok")
			r := a.bulk(ctx, bulkSend{To: b.id, Options: optSync, Series: test.series, Count: test.count})
			if r.Digest != test.want {
				t.Errorf("digest sent by %s = %s, want %s", a.name, r.Digest, test.want)
			}
			if got := b.call(ctx, "received all", "received").Digest; got != test.want {
				t.Errorf("digest received by %s = %s, want %s", b.name, got, test.want)
			}
		})
	}
}

// TestControlQueued sends through the dispatch queue, whose outcomes come by callback and whose order is anybody's.
func TestControlQueued(t *testing.T) {
	ctx := testContext(t)
	const count = 300
	c, s := peerConfig{Group: freeGroup(t)}, series{6, 4000}
	a, b := startPeer(ctx, t, v101, c), startPeer(ctx, t, v101, c)
	meet(ctx, t, a, b)
	b.call(ctx, "quiet on", "ok")
	a.bulk(ctx, bulkSend{To: "all", Options: optAsync | optAck, Series: s, Count: count, Threads: 4, Rate: 2000})
	b.awaitReceived(ctx, count)
	checkSeries(t, b.received(ctx, "all"), s, count, anyOrder)
}

// TestControlRefused makes a listener fail, to see that failures, retries and repeats are told as they happen.
func TestControlRefused(t *testing.T) {
	ctx := testContext(t)
	const count = 10
	c, s := peerConfig{Group: freeGroup(t)}, series{8, 100}
	a, b := startPeer(ctx, t, v101, c), startPeer(ctx, t, v101, c)
	meet(ctx, t, a, b)
	b.call(ctx, "quiet on", "ok")
	b.call(ctx, "failnext 3", "ok")
	r := a.bulkDone(ctx, a.startBulk(bulkSend{To: b.id, Options: optSync, Series: s, Count: count}))
	// The first message is refused twice and given up; the second one once, and its repeat is taken.
	if len(r.Failures) != 1 || r.Failures[0].FailedAttempts != 2 || len(r.Retries) != 1 || r.Retries[1].FailedAttempts != 1 {
		t.Errorf("failures %v, retries %v; want message 0 failed after 2 attempts, message 1 retried after 1", r.Failures, r.Retries)
	}
	got := b.received(ctx, a.id)
	repeat := func(r record) bool { return r.repeat }
	if len(got) != count+2 || !got[1].repeat || !got[3].repeat {
		t.Errorf("received %v, want %d records, of which the second and the fourth are repeats", got, count+2)
	}
	checkSeries(t, slices.DeleteFunc(got, repeat), s, count, inOrder)
}
