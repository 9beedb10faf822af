package replica

import (
	"context"
	"errors"
	"time"

	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
	"github.com/gotribes/tribes/session/internal/record"
	"github.com/gotribes/tribes/session/internal/sessionwire"
)

// meeting is the introduction of this node to a member, which goes on until each has
// heard the other, or the member has refused it.
type meeting struct {
	// All is guarded by Engine.mu.
	heard time.Time // since when it is known that the member has the manager; zero if it is not
}

// mute is how many times Config.Stall a start waits for a member that has the manager and
// does not introduce itself.
const mute = 3

// meet introduces this node to a member. It is not a peer before it does so itself: it
// may not have the manager.
func (e *Engine) meet(m *membership.Member) {
	node := record.NodeOf(m.ID())
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed || e.meetings[node] != nil {
		return
	}
	x := &meeting{}
	e.meetings[node] = x
	e.spawn(func(ctx context.Context) { e.introduce(ctx, m, x) })
}

// introduce greets a member until each has heard the other, or it has left.
func (e *Engine) introduce(ctx context.Context, m *membership.Member, x *meeting) {
	for pause := e.cfg.Budget / 2; ; pause = min(2*pause, 2*time.Second) {
		said, err := e.greet(ctx, m)
		if e.concluded(m, x, said, err) {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// greet tells a member what this node is, and returns how far it has said it is.
func (e *Engine) greet(ctx context.Context, m *membership.Member) (sessionwire.State, error) {
	ctx, cancel := context.WithTimeout(ctx, e.cfg.Stall)
	defer cancel()
	h := e.introduction()
	return h.State, e.sendTo(ctx, m, h)
}

// concluded notes how a greeting has fared, and reports whether that is all.
func (e *Engine) concluded(m *membership.Member, x *meeting, said sessionwire.State, err error) bool {
	defer e.notify()
	node := record.NodeOf(m.ID())
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.meetings[node] != x {
		return true // it has left
	}
	var refused *message.RemoteError
	switch {
	case errors.As(err, &refused):
		e.cfg.Logger.Debug("member has no session manager of this name", "member", m, "err", err)
		delete(e.meetings, node)
	case err != nil || said != e.state:
		return false
	case e.peer(node) != nil:
		delete(e.meetings, node)
	default:
		if x.heard.IsZero() {
			x.heard = time.Now()
		}
		return false // but it may believe that this node has heard it before
	}
	return true
}

// awaited reports whether a member that may have the manager has not said so yet.
func (e *Engine) awaited() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	for node, x := range e.meetings {
		expected := x.heard.IsZero() || time.Since(x.heard) < mute*e.cfg.Stall
		if e.peer(node) == nil && expected {
			return true
		}
	}
	return false
}

// announce tells all peers how far this node is.
func (e *Engine) announce(ctx context.Context, s sessionwire.State) {
	e.mu.Lock()
	e.state = s
	e.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, e.cfg.Budget)
	defer cancel()
	if e.broadcast(ctx, e.introduction()) == nil {
		return
	}
	for _, p := range *e.peers.Load() {
		e.meet(p.member())
	}
}

// correct introduces this node again to a member that was told that it is less far than it
// is meanwhile.
func (e *Engine) correct(m *membership.Member, said sessionwire.State) {
	e.mu.Lock()
	stale := e.state != said
	e.mu.Unlock()
	if stale {
		e.meet(m)
	}
}

// reunite repairs two nodes that were apart: the first by its id does it at once, the
// other a moment later, if the first has not noticed that they were.
func (e *Engine) reunite(p *peer) {
	if e.site.Node().Compare(p.node) < 0 {
		e.mend(p)
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return
	}
	e.spawn(func(ctx context.Context) {
		select {
		case <-ctx.Done():
		case <-time.After(e.cfg.Stall):
			e.mend(p)
		}
	})
}
