package replica

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/gotribes/tribes/group"
	"github.com/gotribes/tribes/internal/peers"
	"github.com/gotribes/tribes/message"
	"github.com/gotribes/tribes/session/internal/record"
	"github.com/gotribes/tribes/session/internal/sessionwire"
	"github.com/gotribes/tribes/session/internal/table"
)

// peer is another member that has the same manager.
type peer struct {
	*peers.Peer
	e       *Engine
	node    record.Node
	asks    atomic.Int32 // questions that are being answered
	asking  asking
	greeted time.Time // when it was last answered what was no news; guarded by Engine.mu
}

// send sends a message to the peer alone and waits until it has processed it.
func (p *peer) send(ctx context.Context, m sessionwire.Message) error {
	return p.Send(ctx, sessionwire.Append(nil, m))
}

// mute is how many times Config.Stall a start waits for a member that has the manager and
// does not introduce itself.
const mute = 3

// newPeers returns the peers of e, of which there are none yet.
func (e *Engine) newPeers() *peers.Set[*peer] {
	c := peers.Config{
		Topic: e.topic, Options: message.Sync, View: e.cfg.Group.View, Go: e.run, Logger: e.cfg.Logger,
		Strangers: []error{group.ErrNoTopic, errStranger, table.ErrClosed},
		Budget:    e.cfg.Budget, Patience: e.cfg.Budget, Stall: e.cfg.Stall,
		Discover: e.cfg.Discover, Timeout: e.cfg.StateTimeout,
		LeftOut: &e.n.leftOut, Refused: &e.n.rejected,
		Idle: e.idle,
	}
	switch e.cfg.Wait {
	case Written:
		c.Options = 0
	case None: // nobody waits for a peer, and what it would have to be given afterwards costs more
		c.Patience = max(c.Budget, c.Stall)
	}
	return peers.New(e.ctx, c, peers.Owner[*peer]{
		New: func(p *peers.Peer) *peer {
			return &peer{Peer: p, e: e, node: record.NodeOf(p.Node), greeted: time.Now()}
		},
		Hello: func(_ bool, s peers.State) []byte { return sessionwire.Append(nil, e.introduction(s)) },
		Awaits: func(_ bool, since time.Time) bool {
			return since.IsZero() || time.Since(since) < mute*e.cfg.Stall
		},
		Load: e.load, Ready: e.joined, Late: e.late, Repair: e.repair,
		Back: func(*peer) {},
	})
}

// run begins f, which runs until the engine is closed.
func (e *Engine) run(f func(context.Context)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.closed {
		e.spawn(f)
	}
}

// idle is told that a peer has answered everything.
func (e *Engine) idle() {
	if e.draining.Load() {
		e.peers.Notify()
	}
}
