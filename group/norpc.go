package group

import (
	"context"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/internal/javaser"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// noRPC is the top layer. Java nodes make remote calls by messages that hold a
// Java object; where nobody serves the call they expect an answer that says so,
// or wait for their whole timeout (docs/wire.md, RPC). This layer gives that
// answer, and keeps such messages from the application.
type noRPC struct {
	host channel.Host
	send channel.SendFunc
}

// BindDown implements channel.Interceptor.
func (n *noRPC) BindDown(h channel.Host, below channel.Down) (channel.Down, error) {
	n.host, n.send = h, below.Send
	return below, nil
}

// BindUp implements channel.Interceptor.
func (n *noRPC) BindUp(above channel.Up) channel.Up {
	next := above.Receive
	above.Receive = func(ctx context.Context, m *message.Message) error {
		if m.Options.Has(message.ByteMessage) || !javaser.IsRPC(m.Payload()) {
			return next(ctx, m)
		}
		return n.answer(ctx, m)
	}
	return above
}

// answer tells the caller that nobody here serves its call. Replies to calls
// that nobody here made are dropped.
func (n *noRPC) answer(ctx context.Context, m *message.Message) error {
	call, err := javaser.DecodeRPC(m.Payload(), javaser.Limits{})
	if err != nil {
		n.host.Trace().MessageDropped(noRPCName, m.Source, m.ID, "undecodable remote call")
		return err
	}
	if call.Reply {
		n.host.Trace().MessageDropped(noRPCName, m.Source, m.ID, "reply to no call")
		return nil
	}
	b, err := javaser.AppendRPC(nil, &javaser.RPC{Reply: true, NoChannel: true, UUID: call.UUID, ID: call.ID})
	if err != nil {
		return err
	}
	reply := n.host.NewMessage(len(b))
	defer reply.Release()
	copy(reply.Payload(), b)
	reply.Options = message.Async
	id, caller := reply.ID, m.Source
	lost := message.NewReceipt(1, func(r *message.Receipt) {
		if !r.OK() {
			n.host.Trace().MessageDropped(noRPCName, caller, id, "answer could not be sent")
		}
	})
	return n.send(ctx, []*membership.Member{m.Source}, reply, lost)
}

const noRPCName = "noRPC"
