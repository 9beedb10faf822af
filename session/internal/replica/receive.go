package replica

import (
	"context"
	"errors"
	"fmt"

	"github.com/gotribes/tribes/message"
	"github.com/gotribes/tribes/session/internal/sessionwire"
)

// errStranger is what a member is told that has not introduced itself.
var errStranger = errors.New("tribes: session: not introduced")

// receive takes a message of the topic. When it returns nil, what the message says is
// applied here: that is what its sender may promise.
func (e *Engine) receive(_ context.Context, m *message.Message) error {
	msg, err := sessionwire.Decode(m.Payload())
	if err != nil {
		e.n.malformed.Add(1)
		return err
	}
	if h, ok := msg.(*sessionwire.Hello); ok {
		return e.met(m.Source, h)
	}
	p := e.peers.Get(m.Source.ID())
	if p == nil {
		e.n.strangers.Add(1)
		from := m.Source // m goes back to its pool
		e.peers.Meet(from)
		return fmt.Errorf("%w: %v", errStranger, msg.Kind())
	}
	return e.dispatch(p, msg)
}

// dispatch takes a message of a peer.
func (e *Engine) dispatch(p *peer, msg sessionwire.Message) error {
	switch m := msg.(type) {
	case *sessionwire.Bye:
		if !m.Draining {
			e.peers.Drop(p.Node)
		}
	case *sessionwire.Change:
		return e.change(p, &m.Change)
	case *sessionwire.Touches:
		e.touched(m)
	case *sessionwire.Ends:
		e.ended(m)
	case *sessionwire.StateBlock:
		return e.block(p, m)
	case *sessionwire.StateRequest:
		e.answer(p, func(ctx context.Context) { e.provide(ctx, p, m) })
	case *sessionwire.Fetch:
		e.answer(p, func(ctx context.Context) { e.give(ctx, p, m.Request, m.Keys) })
	case *sessionwire.Buckets:
		e.sums(p, m)
	case *sessionwire.Digests:
		return e.digests(p, m)
	default:
		return fmt.Errorf("tribes: session: unexpected %v", msg.Kind())
	}
	return nil
}
