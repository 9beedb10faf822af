//go:build interop

package interop

import (
	"context"
	"strconv"
	"testing"

	"github.com/gotribes/tribes/group"
	"github.com/gotribes/tribes/transport/nio"
)

// modes are the ways to send, as far as answers and queues go. Tribes promises an order for one of them only, between
// messages that were sent one after the other.
var modes = []struct {
	name    string
	options int
	order   order
}{
	{"none", 0, anyOrder},
	{"ack", optAck, anyOrder},
	{"sync", optSync, inOrder},
	{"async", optAsync, anyOrder},
	{"async+ack", optAsync | optAck, anyOrder},
	{"async+sync", optAsync | optSync, anyOrder},
}

// Settings for great exchanges on slow machines. Java's send timeout is for the whole message, however large, and when
// its dispatch queue overflows it forgets to tell the outcome, so that one has to hold the whole mix.
var (
	patientJava = []string{"--timeout", strconv.FormatInt(patience.Milliseconds(), 10), "--queue", "400000000"}
	patientGo   = group.WithSender(nio.SenderConfig{Timeouts: nio.SenderTimeouts{Write: patience, Ack: patience}})
)

// greatCount is how many messages of the mix a great exchange sends each way.
const greatCount = 10_000

// mixCount is how many messages of the mix are tried with a line: each line differs from the others in few things.
func mixCount(v version) int {
	if v == v101 || long() {
		return greatCount
	}
	return greatCount / 5
}

// TestMessages sends the mix both ways at the same time in every mode: nothing is lost, damaged or doubled.
func TestMessages(t *testing.T) {
	tests := []struct {
		version version
		poller  nio.Poller
	}{
		{v101, nio.PollerAuto},
		{v90, nio.PollerEpoll},
		{v110, nio.PollerRuntime},
	}
	for _, test := range tests {
		for _, mode := range modes {
			t.Run(string(test.version)+" "+mode.name, func(t *testing.T) {
				ctx := testContext(t)
				address := freeGroup(t)
				n := startNode(ctx, t, goConfig{Group: address, Poller: test.poller, Options: []group.Option{patientGo}})
				p := startPeer(ctx, t, test.version, peerConfig{Group: address, Heap: "1g", Flags: patientJava})
				meet(ctx, t, n, p)
				trade(ctx, t, n, p, bulkSend{Options: mode.options, Series: series{profile: mix}, Count: mixCount(test.version)}, mode.order)
			})
		}
	}
}

// Seeds of the series that trade sends.
const (
	seedFromGo   = 101
	seedFromJava = 102
)

// trade sends series of the kind that b describes both ways at the same time and compares what arrives. If the order
// counts one caller sends, and else four.
func trade(ctx context.Context, t *testing.T, n *node, p *peer, b bulkSend, o order) {
	t.Helper()
	tradeWays(ctx, t, n, p, b, b, o)
}

// tradeWays is trade with what differs between the ways: there is what we send, back what Java sends.
func tradeWays(ctx context.Context, t *testing.T, n *node, p *peer, there, back bulkSend, o order) {
	t.Helper()
	there.Series.seed, back.Series.seed = seedFromGo, seedFromJava
	there.To, back.To = p.id, n.id
	if o == anyOrder {
		there.Threads, back.Threads = 4, 4
	}
	p.call(ctx, "quiet on", "ok")
	number := p.startBulk(back)
	sent := n.send(ctx, there)
	result := p.bulkDone(ctx, number)
	if result.Failed != 0 {
		t.Errorf("%s: %d of %d failed: %v", p, result.Failed, back.Count, result.Failures)
	}
	p.awaitReceived(ctx, there.Count)
	n.awaitReceived(ctx, back.Count)
	t.Logf("%d messages with options %#x: %v to Java, %d µs from Java; retried %v and %v",
		there.Count, there.Options, sent.took, result.Micros, sent.more, result.Retries)
	checkSeries(t, withoutRepeats(p.received(ctx, n.id), sent.retriedIDs()), there.Series, there.Count, o)
	checkSeries(t, n.recorder.from(p.id), back.Series, back.Count, o) // we deliver no repeats, retried or not
}

// withoutRepeats drops the repeats of messages that are known to have been written more than once.
func withoutRepeats(all []record, retried map[string]bool) []record {
	kept := make([]record, 0, len(all))
	for _, r := range all {
		if !r.repeat || !retried[r.uniqueID] {
			kept = append(kept, r)
		}
	}
	return kept
}
