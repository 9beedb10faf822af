//go:build interop

package interop

import (
	"context"
	"slices"
	"testing"

	"github.com/gotribes/tribes/group"
	"github.com/gotribes/tribes/membership/mcast"
	"github.com/gotribes/tribes/message"
)

// TestDatagrams sends 1000 messages a second each way at the same time. Those that are not answered may be lost: how many
// is told, and more than half would be too much. None may be damaged or come twice.
func TestDatagrams(t *testing.T) {
	kinds := []struct {
		name    string
		options int
		count   int
	}{
		{"multicast", optMulticast, 10_000},
		{"UDP", optUDP, 3000},
		{"acknowledged UDP", optUDP | optAck, 3000},
	}
	for _, v := range versions {
		for _, kind := range kinds {
			t.Run(string(v)+" "+kind.name, func(t *testing.T) {
				t.Parallel() // mostly waiting
				ctx := testContext(t)
				group := freeGroup(t)
				n := startNode(ctx, t, goConfig{Group: group, UDPPort: freePort(t), Messages: mcast.FromMembers})
				p := startPeer(ctx, t, v, peerConfig{Group: group, Flags: udpFlags(t)})
				meet(ctx, t, n, p)
				p.call(ctx, "quiet on", "ok")
				b := bulkSend{To: n.id, Options: kind.options, Series: series{7, 1000}, Count: kind.count, Rate: 1000}
				number := p.startBulk(b)
				b.To = p.id
				n.send(ctx, b)
				if r := p.bulkDone(ctx, number); r.Failed != 0 {
					t.Errorf("%s: failed: %v", p, r.Failures)
				}
				there := flushToJava(ctx, n, p, kind.options)
				back := flushToGo(ctx, n, p, kind.options)
				answered := kind.options&optAck != 0
				checkDatagrams(t, "to Java", there, b, answered)
				checkDatagrams(t, "from Java", back, b, answered)
			})
		}
	}
}

// checkDatagrams fails the test if a message was damaged or came twice, or was lost though it was answered.
func checkDatagrams(t *testing.T, where string, got []record, b bulkSend, answered bool) {
	t.Helper()
	wrong, missing := matchSeries(got, b.Series, b.Count, anyOrder)
	complain(t, wrong)
	lost := 0
	for _, indexes := range missing {
		lost += len(indexes)
	}
	t.Logf("%s: %d of %d messages lost", where, lost, b.Count)
	if answered && lost > 0 {
		t.Errorf("%s: %d of %d messages lost that were acknowledged", where, lost, b.Count)
	}
	if lost > b.Count/2 {
		t.Errorf("%s: more than half of %d messages lost", where, b.Count)
	}
}

// flushing is the content of datagrams that are sent behind a series, until some have arrived: then everything in front
// of them has arrived or is lost.
var flushing = []byte("behind the series")

// enough is how many of them must arrive. Java may process neighbours at the same time.
const enough = 10

// flushed takes the flushing messages out of all and tells if they were enough.
func flushed(all []record) ([]record, bool) {
	flush := hashOf(flushing)
	rest := slices.DeleteFunc(slices.Clone(all), func(r record) bool { return r.sha256 == flush })
	return rest, len(all)-len(rest) >= enough
}

// flushToJava returns what p has of n when nothing is on the way any more.
func flushToJava(ctx context.Context, n *node, p *peer, options int) []record {
	n.t.Helper()
	for {
		if _, err := n.group.Send(ctx, []*group.Member{n.seen(p)}, flushing, message.Options(options)); err != nil {
			n.t.Fatalf("%s: send a datagram: %v", n, err)
		}
		if rest, ok := flushed(p.received(ctx, n.id)); ok {
			return rest
		}
	}
}

// flushToGo returns what n has of p when nothing is on the way any more.
func flushToGo(ctx context.Context, n *node, p *peer, options int) []record {
	n.t.Helper()
	for {
		p.send(ctx, n.id, options, flushing)
		if rest, ok := flushed(n.recorder.from(p.id)); ok {
			return rest
		}
	}
}
