package transporttest

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/message"
)

// Settings are what a check wants of the nodes that it makes.
type Settings struct {
	// MaxFrame is the largest frame, in bytes, that the sender sends and the
	// receiver takes.
	MaxFrame int
	// Timeout is each time limit of the sender: connecting, writing, waiting for
	// an answer.
	Timeout time.Duration
	// Buffer is how many bytes each queue of sender and receiver may hold per
	// link or connection, as near as the transport can be told.
	Buffer int
}

// Node is the two halves of one node. Neither has been started.
type Node struct {
	Sender   channel.Sender
	Receiver channel.Receiver
}

// Maker makes another node on the network of one check. Nodes made by the same
// Maker reach each other at the addresses that their receivers return.
type Maker func(s Settings) Node

// Run runs every check as a subtest, in real time; those that wait for a time to pass,
// at the same time. open is called once for each check; what it makes may be undone by
// t.Cleanup.
func Run(t *testing.T, open func(t *testing.T) Maker) {
	for _, c := range quickChecks() {
		t.Run(c.name, func(t *testing.T) { watch(t, func() { attempt(t, open(t), c.run) }) })
	}
	watch(t, func() {
		t.Run("at the same time", func(t *testing.T) {
			for _, c := range waitingChecks {
				t.Run(c.name, func(t *testing.T) {
					t.Parallel()
					attempt(t, open(t), c.run)
				})
			}
		})
	})
}

// watch looks for goroutines and messages that f leaves behind.
func watch(t testing.TB, f func()) {
	t.Helper()
	before := goleak.IgnoreCurrent()
	f()
	if err := goleak.Find(before); err != nil {
		t.Errorf("goroutines after the check: %v", err)
	}
	checkLive(t)
}

func checkLive(t testing.TB) {
	t.Helper()
	if err := message.CheckLive(); err != nil {
		t.Errorf("after the check: %v", err)
	}
}

// RunVirtual is [Run] with each check in a bubble of testing/synctest, for
// transports that do no real I/O.
func RunVirtual(t *testing.T, open func(t *testing.T) Maker) {
	for _, c := range checks() {
		t.Run(c.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) { run(t, open(t), c.run) })
		})
	}
}

// run runs one check and looks for messages that it leaves behind.
func run(t testing.TB, maker Maker, check func(g *rig)) {
	attempt(t, maker, check)
	checkLive(t)
}

// attempt runs one check.
func attempt(t testing.TB, maker Maker, check func(g *rig)) {
	g := &rig{TB: t, make: maker}
	defer g.stopAll()
	check(g)
}

// check is one line of the list.
type check struct {
	name string
	run  func(g *rig)
}

// checks is the whole list.
func checks() []check { return append(quickChecks(), waitingChecks...) }

// waitingChecks spend their time waiting for a timeout, not working.
var waitingChecks = []check{
	{"stuck listener, full buffers", stuckFull},
	{"stuck listener, sync ack", stuckSync},
	{"probe that is not answered in time", probeTimeout},
	{"nobody there", nobodyThere},
	{"context ends while there is no room", contextEnds},
}

func quickChecks() []check {
	var all []check
	all = append(all, payloadChecks...)
	all = append(all, outcomeChecks...)
	all = append(all, orderChecks...)
	all = append(all, faultChecks...)
	all = append(all, stopChecks...)
	all = append(all, probeChecks...)
	return append(all, datagramChecks...)
}
