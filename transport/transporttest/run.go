package transporttest

import (
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/gotribes/tribes/channel"
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

// Run runs every check as a subtest, in real time. open is called once for each
// check; what it makes may be undone by t.Cleanup.
func Run(t *testing.T, open func(t *testing.T) Maker) {
	for _, c := range checks() {
		t.Run(c.name, func(t *testing.T) {
			before := goleak.IgnoreCurrent()
			run(t, open(t), c.run)
			if err := goleak.Find(before); err != nil {
				t.Errorf("goroutines after the check: %v", err)
			}
		})
	}
}

// RunVirtual is [Run] with each check in a bubble of testing/synctest, for
// transports that do no real I/O.
func RunVirtual(t *testing.T, open func(t *testing.T) Maker) {
	for _, c := range checks() {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { run(t, open(t), c.run) })
		})
	}
}

// run runs one check and looks at what it leaves behind.
func run(t testing.TB, maker Maker, check func(g *rig)) {
	g := &rig{TB: t, make: maker}
	func() {
		defer g.stopAll()
		check(g)
	}()
	if err := message.CheckLive(); err != nil {
		t.Errorf("after the check: %v", err)
	}
}

// check is one line of the list.
type check struct {
	name string
	run  func(g *rig)
}

// checks is the whole list.
func checks() []check {
	var all []check
	all = append(all, payloadChecks...)
	all = append(all, outcomeChecks...)
	all = append(all, orderChecks...)
	all = append(all, faultChecks...)
	all = append(all, stopChecks...)
	all = append(all, probeChecks...)
	return append(all, datagramChecks...)
}
