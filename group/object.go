package group

import (
	"context"

	"github.com/gotribes/tribes/message"
)

// SendObject sends a stream of Java's serialization to each of to, without the option
// ByteMessage: a Java node gets the object, and on a member of this module listeners that
// accept such messages get its bytes. It is Send in all else, but if ctx ends first: then
// the error is its cause, and the object is sent all the same. The stream is copied.
//
// It is for packages that speak the protocols of Tribes' own objects. A Java node creates
// what the stream names.
func (g *Group) SendObject(ctx context.Context, to []*Member, stream []byte, o Options) (MessageID, error) {
	l := g.calls
	if err := l.callable(g, len(to), NoReply); err != nil {
		return MessageID{}, err
	}
	m := l.host.NewMessage(len(stream))
	copy(m.Payload(), stream)
	m.Options = o&^(message.ByteMessage|message.NumberedAcks) | l.secure
	id := m.ID
	done := make(chan struct{})
	r := message.NewReceipt(len(to), func(*message.Receipt) { close(done) })
	err := l.send(ctx, to, m, r)
	m.Release()
	if err != nil {
		r.SettleAll(to, message.NotSent, err)
	}
	select {
	case <-done:
	case <-ctx.Done():
		return id, context.Cause(ctx)
	}
	if r.OK() {
		return id, nil
	}
	return id, &message.SendError{ID: id, Results: r.Results(to, nil)}
}
