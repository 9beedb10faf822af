package interceptortest

import (
	"context"
	"time"

	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// Message returns a message of the local member with a copy of payload and the
// options o; the caller releases it.
func (h *Harness) Message(payload []byte, o message.Options) *message.Message {
	m := h.newMessage(len(payload))
	copy(m.Payload(), payload)
	m.Options = o
	return m
}

// SendMessage gives m, which is borrowed, to the top layer, as a channel does.
func (h *Harness) SendMessage(ctx context.Context, to []*membership.Member, m *message.Message, r *message.Receipt) error {
	return h.down.Send(ctx, to, m, r)
}

// Post sends a copy of payload down and returns its receipt, which tells by
// Done when every destination is settled. If the stack does not accept the
// message the destinations are settled as not sent, with the error.
func (h *Harness) Post(ctx context.Context, to []*membership.Member, payload []byte, o message.Options) *message.Receipt {
	r := message.NewReceipt(len(to), nil)
	m := h.Message(payload, o)
	err := h.down.Send(ctx, to, m, r)
	m.Release()
	if err != nil {
		r.SettleAll(to, message.NotSent, err)
	}
	return r
}

// Send is Post and waits for the outcome. The error is nil if it is a success
// everywhere, else a *message.SendError. If ctx ends first, destinations
// without an outcome are Unknown with the cause of ctx.
func (h *Harness) Send(ctx context.Context, to []*membership.Member, payload []byte, o message.Options) error {
	r := h.Post(ctx, to, payload, o)
	select {
	case <-r.Done():
	case <-ctx.Done():
		r.Abandon()
		return &message.SendError{Results: r.Results(to, context.Cause(ctx))}
	}
	if r.OK() {
		return nil
	}
	return &message.SendError{Results: r.Results(to, nil)}
}

// View returns the members that the top layer lets be seen.
func (h *Harness) View() *membership.View { return h.down.View() }

// Deliver gives m, which is borrowed, to the lowest layer as if it had arrived.
func (h *Harness) Deliver(ctx context.Context, m *message.Message) error {
	return h.up.Receive(ctx, m)
}

// Arrive lets a message from another member arrive. Like a real one its bytes
// lie in the middle of a chunk of memory that is not the layer's.
func (h *Harness) Arrive(from *membership.Member, payload []byte, o message.Options) error {
	m := h.pool.New(len(payload))
	defer m.Release()
	copy(m.Payload(), payload)
	m.ID, m.Source, m.Options, m.Sent = message.NewID(), from, o, time.Now().UnixMilli()
	return h.arriveFrame(m)
}

// arriveFrame sends m through the bytes of a frame.
func (h *Harness) arriveFrame(m *message.Message) error {
	chunk := h.pool.Get(message.FrameSize(m))
	defer chunk.Release()
	message.AppendFrame(chunk.Bytes()[:0], m, 0)
	data, _, err := message.Scan(chunk.Bytes(), len(chunk.Bytes()))
	if err != nil {
		return err
	}
	f, err := message.ParseFrame(data)
	if err != nil {
		return err
	}
	in := h.pool.FromFrame(&f, m.Source, chunk)
	defer in.Release()
	return h.up.Receive(h.runCtx, in)
}

// Event lets the membership below report ev, in line with what came before. It
// does not wait; see Flush.
func (h *Harness) Event(ev membership.Event) {
	h.line.put(func() { h.up.Event(ev) })
}

// Join lets the membership below find members: they are in Bottom.View and
// reported as joined.
func (h *Harness) Join(members ...*membership.Member) {
	for _, m := range members {
		h.Bottom.seen(m, true)
		h.Event(membership.Event{Kind: membership.Joined, Member: m, At: time.Now()})
	}
}

// Part lets the membership below lose members, with kind Left or Failed.
func (h *Harness) Part(kind membership.Kind, members ...*membership.Member) {
	for _, m := range members {
		h.Bottom.seen(m, false)
		h.Event(membership.Event{Kind: kind, Member: m, At: time.Now()})
	}
}

// Agree lets a layer below provide an agreed view, in line with the events. It
// does not wait; see Flush.
func (h *Harness) Agree(v *membership.Agreed) {
	h.line.put(func() { h.up.View(v) })
}

// Fault lets the sender below report a destination that it could not reach.
func (h *Harness) Fault(m *membership.Member, id message.ID, err error) {
	h.up.Fault(m, id, err)
}
