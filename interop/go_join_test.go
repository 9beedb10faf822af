//go:build interop

package interop

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/gotribes/tribes/membership"
)

// TestJoin starts three nodes one after the other: ours, one of Java, ours, all with a failure detector and the default
// times of Tribes. Within two heartbeats of the moment at which the first heartbeat of a new one is on the network, each
// of the others has told its application of it. The new one has told its own of the others within two heartbeats of the
// same moment, or of the end of its start if that is later: Java waits for two heartbeats after its first one, and
// release 10.1.60 tells nobody of anything before that.
func TestJoin(t *testing.T) {
	const frequency, drop = 500 * time.Millisecond, 3 * time.Second
	for _, v := range versions {
		t.Run(string(v), func(t *testing.T) {
			t.Parallel() // mostly waiting
			ctx := testContext(t)
			group := freeGroup(t)
			heard := overhear(t, group)
			goes := goConfig{Group: group, Frequency: frequency, Drop: drop}
			first := startNode(ctx, t, goes)
			java := startPeer(ctx, t, v, peerConfig{Group: group, Frequency: frequency, Drop: drop})
			joinWithin(ctx, t, heard, 2*frequency, java, first)
			last := startNode(ctx, t, goes)
			joinWithin(ctx, t, heard, 2*frequency, last, first, java)
		})
	}
}

// joinWithin fails the test unless newcomer, which has just started, and each of the others see each other in time.
func joinWithin(ctx context.Context, t *testing.T, heard *inbox, limit time.Duration, newcomer party, others ...party) {
	t.Helper()
	started := time.Now().UnixMilli()
	heartbeat, err := heard.take(ctx, about(newcomer))
	if err != nil {
		t.Fatalf("wait for a heartbeat of %s: %v", newcomer, err)
	}
	check := func(told, of party, since int64) {
		took := time.Duration(told.awaitJoin(ctx, of).Time-since) * time.Millisecond
		t.Logf("%s is told of %s after %v", told, of, took)
		if took > limit {
			t.Errorf("%s is told of %s after %v, want %v at most", told, of, took, limit)
		}
	}
	for _, other := range others {
		check(other, newcomer, heartbeat.Time)
		check(newcomer, other, max(heartbeat.Time, started))
		meetAlready(ctx, t, newcomer, other)
	}
}

// overhear listens to a multicast group and returns one event for each member that sends heartbeats to it.
func overhear(t *testing.T, group string) *inbox {
	t.Helper()
	conn, err := net.ListenMulticastUDP("udp4", loopbackInterface(t), net.UDPAddrFromAddrPort(netip.MustParseAddrPort(group)))
	if err != nil {
		t.Fatal(err)
	}
	heard := newInbox()
	var reader sync.WaitGroup
	reader.Go(func() { // ends when conn is closed
		known := make(map[membership.Key]bool)
		buffer := make([]byte, membership.MaxImage)
		for {
			n, err := conn.Read(buffer)
			if err != nil {
				heard.finish(errors.New("no longer listening"))
				return
			}
			now := time.Now()
			m, _, err := membership.Decode(buffer[:n])
			if err != nil || known[m.Key()] {
				continue
			}
			known[m.Key()] = true
			addr, id := identityOf(m)
			heard.add(event{Name: "heartbeat", Time: now.UnixMilli(), Member: addr, ID: id})
		}
	})
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		reader.Wait()
	})
	return heard
}

// loopbackInterface is the one that has the address of all nodes.
func loopbackInterface(t *testing.T) *net.Interface {
	t.Helper()
	all, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range all {
		if i.Flags&net.FlagLoopback != 0 {
			return &i
		}
	}
	t.Fatal("no loopback interface")
	return nil
}
