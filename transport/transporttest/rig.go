package transporttest

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// patience is how long a check waits for what must happen.
const patience = 30 * time.Second

// defaults are the settings of a check that has no reason for others.
var defaults = Settings{MaxFrame: 4 << 20, Timeout: 10 * time.Second, Buffer: 1 << 20}

// short is for checks that wait for a timeout.
var short = Settings{MaxFrame: 4 << 20, Timeout: 800 * time.Millisecond, Buffer: 1 << 20}

// rig holds the nodes of one check.
type rig struct {
	testing.TB
	make  Maker
	nodes []*node
	gates []*gate
}

// node is a running node and what the suite knows of it.
type node struct {
	Node
	g     *rig
	pool  message.Pool
	local atomic.Pointer[membership.Member]
	bound channel.Bound

	mu     sync.Mutex
	sends  []*sent
	faults map[message.ID]fault
	news   chan struct{} // closed at the next fault
}

type fault struct {
	member *membership.Member
	err    error
}

// node makes and starts a node whose messages go to handle.
func (g *rig) node(s Settings, handle channel.ReceiveFunc) *node {
	g.Helper()
	n := &node{Node: g.make(s), g: g, faults: make(map[message.ID]fault), news: make(chan struct{})}
	bound, err := n.Receiver.Start(g.Context(), n.env(handle, nil))
	if err != nil {
		g.Fatalf("Receiver.Start: %v", err)
	}
	n.bound = bound
	m, err := membership.New(membership.Attributes{Host: bound.Host, Port: bound.Port,
		SecurePort: bound.SecurePort, UDPPort: bound.UDPPort, ID: membership.NewID()})
	if err != nil {
		g.Fatalf("Receiver.Start returned an address that no member can have: %v", err)
	}
	n.local.Store(m)
	if err := n.Sender.Start(g.Context(), n.env(nil, n.noteFault)); err != nil {
		g.Fatalf("Sender.Start: %v", err)
	}
	g.nodes = append(g.nodes, n)
	return n
}

func (n *node) env(deliver channel.ReceiveFunc, fault channel.FaultFunc) channel.Env {
	var trace *channel.Trace
	return channel.Env{Local: n.local.Load, Deliver: deliver, Fault: fault, Pool: &n.pool,
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)), Trace: trace.WithDefaults()}
}

func (n *node) member() *membership.Member { return n.local.Load() }

func (n *node) noteFault(m *membership.Member, id message.ID, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.faults[id] = fault{m, err}
	close(n.news)
	n.news = make(chan struct{})
}

// faultOf returns what the sender has told of a message.
func (n *node) faultOf(id message.ID) (f fault, ok bool, news <-chan struct{}) {
	n.mu.Lock()
	defer n.mu.Unlock()
	f, ok = n.faults[id]
	return f, ok, n.news
}

// awaitFault waits until the sender tells a fault of that message.
func (n *node) awaitFault(id message.ID) fault {
	n.g.Helper()
	for {
		f, ok, news := n.faultOf(id)
		if ok {
			return f
		}
		await(n.g, news, "the fault function to be called")
	}
}

// wantNoFault is for a message that has its outcome.
func (n *node) wantNoFault(s *sent) {
	n.g.Helper()
	if f, ok, _ := n.faultOf(s.id); ok {
		n.g.Errorf("reported as a fault of the way: %v", f.err)
	}
}

// gone makes a member that nobody answers for: it was started and has stopped.
func (g *rig) gone(s Settings) *membership.Member {
	n := g.node(s, discard)
	n.stop(g.Context())
	return n.member()
}

// stop ends both parts, in the order of a channel. What the sender had accepted
// before must have its outcomes afterwards.
func (n *node) stop(ctx context.Context) {
	before := n.takeSends()
	if err := n.Sender.Stop(ctx); err != nil && ctx.Err() == nil {
		n.g.Errorf("Sender.Stop: %v", err)
	}
	if err := n.Receiver.Stop(ctx); err != nil && ctx.Err() == nil {
		n.g.Errorf("Receiver.Stop: %v", err)
	}
	for _, s := range before {
		if !s.isSettled() {
			n.g.Errorf("message %s: not settled at every destination when Sender.Stop had returned", s.id)
		}
	}
}

func (n *node) takeSends() []*sent {
	n.mu.Lock()
	defer n.mu.Unlock()
	all := n.sends
	n.sends = nil
	return all
}

func (g *rig) stopAll() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for _, t := range g.gates {
		t.open()
	}
	for _, n := range g.nodes {
		n.stop(ctx)
	}
}

// discard is a listener that takes everything.
func discard(context.Context, *message.Message) error { return nil }

// await waits for one value of ch.
func await[T any](g *rig, ch <-chan T, what string) T {
	g.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case v := <-ch:
		return v
	case <-timer.C:
		g.Fatalf("waited %v for %s", patience, what)
	}
	panic("unreachable")
}
