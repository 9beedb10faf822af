package channel

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// Send sends payload to each of to and waits for the outcome that o asks for:
// without UseAck until the bytes are given to the network, with UseAck until
// the destinations have the message, with Sync until their applications have
// processed it. It returns the message's id, also with an error.
//
// The bytes of payload are copied before Send returns. With no error the
// outcome was a success everywhere. A *message.SendError lists the outcome at
// each destination; errors.Is finds the causes in it. If ctx ends first, the
// destinations without an outcome are Unknown with the cause of ctx: the
// message may still arrive there. ErrNoMembers, ErrClosed, ErrNotStarted and
// ErrServiceOff mean that nothing was tried.
func (c *Channel) Send(ctx context.Context, to []*membership.Member, payload []byte, o message.Options) (message.ID, error) {
	if err := c.sendable(to); err != nil {
		return message.ID{}, err
	}
	begin := c.sendWatch.begin()
	r := c.receipt(len(to))
	m := c.outgoing(payload, o)
	id := m.ID
	err := c.down.Send(ctx, to, m, r)
	m.Release()
	if err != nil {
		r.SettleAll(to, message.NotSent, err)
	}
	if !settled(ctx, r) {
		r.Abandon() // and leave it to the garbage collector: it will still be settled
		err = &message.SendError{ID: id, Results: r.Results(to, context.Cause(ctx))}
		c.sent(id, len(to), len(payload), begin, err)
		return id, err
	}
	err = outcome(id, to, r)
	c.receipts.Put(r)
	c.sent(id, len(to), len(payload), begin, err)
	return id, err
}

// settled waits until r is done, or until ctx ends; then it is false.
func settled(ctx context.Context, r *message.Receipt) bool {
	select {
	case <-r.Done():
		return true
	case <-ctx.Done():
	}
	select {
	case <-r.Done(): // both at a time: the outcome tells more
		return true
	default:
		return false
	}
}

// SendAll is Send to every member of the present view. It returns ErrNoMembers
// if there is none.
func (c *Channel) SendAll(ctx context.Context, payload []byte, o message.Options) (message.ID, error) {
	return c.Send(ctx, c.View().Members, payload, o)
}

// Post is Send without waiting: it returns when the message is accepted, and
// done is called once with the outcome that Send would return, possibly before
// Post returns. ctx bounds the wait for room in a queue alone. If Post itself
// returns an error nothing was accepted and done is not called. A nil done is
// allowed.
//
// The calls of done come one after the other on a goroutine for that purpose;
// one that blocks delays the others but no message.
func (c *Channel) Post(ctx context.Context, to []*membership.Member, payload []byte, o message.Options, done func(message.ID, error)) (message.ID, error) {
	if err := c.sendable(to); err != nil {
		return message.ID{}, err
	}
	m := c.outgoing(payload, o)
	id := m.ID
	p := c.posting(id, to, len(payload), done)
	begin := p.begin
	err := c.down.Send(ctx, to, m, p.receipt) // p is not ours any more
	m.Release()
	if err != nil {
		c.sent(id, len(to), len(payload), begin, err)
	}
	return id, err
}

// outcome is nil if r is a success everywhere.
func outcome(id message.ID, to []*membership.Member, r *message.Receipt) error {
	if r.OK() {
		return nil
	}
	return &message.SendError{ID: id, Results: r.Results(to, nil)}
}

func (c *Channel) sent(id message.ID, destinations, bytes int, begin time.Time, err error) {
	if err != nil {
		c.counters.failed.Add(1)
	} else {
		c.counters.sent.Add(1)
		c.counters.sentBytes.Add(uint64(bytes * destinations))
	}
	took := c.sendWatch.since(begin)
	c.cfg.Trace.MessageSent(id, destinations, bytes, took, err)
	if log := c.cfg.Logger; log.Enabled(c.runCtx, slog.LevelDebug) {
		log.Debug("message sent", "msg", id, "destinations", destinations, "bytes", bytes, "took", took, "err", err)
	}
}

func (c *Channel) sendable(to []*membership.Member) error {
	if !c.open.Load() {
		if err := c.usable(); err != nil {
			return err
		}
		return ErrNotStarted
	}
	if !c.cfg.Services.Has(SendData) {
		return ErrServiceOff
	}
	if len(to) == 0 {
		return ErrNoMembers
	}
	return nil
}

func (c *Channel) receipt(n int) *message.Receipt {
	if r, ok := c.receipts.Get().(*message.Receipt); ok {
		r.Reset(n, nil)
		return r
	}
	return message.NewReceipt(n, nil)
}

func (c *Channel) outgoing(payload []byte, o message.Options) *message.Message {
	m := c.newMessage(len(payload))
	copy(m.Payload(), payload)
	m.Options = o&^message.NumberedAcks | message.ByteMessage
	return m
}

func (c *Channel) newMessage(size int) *message.Message {
	m := c.pool.New(size)
	m.ID = message.NewID()
	m.Source = c.local.Load()
	m.Sent = c.cfg.Clock().UnixMilli()
	return m
}

// sendBottom is what the lowest layer sends through.
func (c *Channel) sendBottom(ctx context.Context, to []*membership.Member, m *message.Message, r *message.Receipt) error {
	if !c.cfg.Services.Has(SendData) {
		return ErrServiceOff
	}
	if !m.Options.Has(message.Multicast) {
		return c.cfg.Sender.Send(ctx, to, m, r)
	}
	if m.Options.Has(message.Secure) {
		return fmt.Errorf("tribes: send: a multicast datagram is sent in the clear: %w", ErrNotSecure)
	}
	if c.broadcaster == nil {
		return ErrNoMulticast
	}
	if err := c.broadcaster.Broadcast(ctx, m); err != nil {
		return err
	}
	r.SettleAll(to, message.Written, nil)
	return nil
}

// findBroadcaster looks for a service that can multicast messages, also inside
// a union of services.
func findBroadcaster(s membership.Service) Broadcaster {
	if b, ok := s.(Broadcaster); ok {
		return b
	}
	if u, ok := s.(interface{ Services() []membership.Service }); ok {
		for _, part := range u.Services() {
			if b := findBroadcaster(part); b != nil {
				return b
			}
		}
	}
	return nil
}
