package nio

import (
	"context"
	"errors"
	"fmt"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// headRoom is the size in bytes of a frame's head that needs no memory of its
// own; only members with a large payload or domain have a larger one.
const headRoom = 512

// Send implements channel.Sender. A message is accepted when there is room for
// it in the queue of each destination; those that have room get it at once. If
// ctx ends first, the destinations without room are settled as not sent with
// channel.ErrQueueFull and the cause of ctx.
//
// A message with the option Secure goes over TLS or not at all: its error is
// channel.ErrNotSecure where there is no such way.
func (s *Sender) Send(ctx context.Context, to []*membership.Member, m *message.Message, r *message.Receipt) error {
	if err := s.usable(); err != nil {
		return err
	}
	size := message.FrameSize(m)
	if size > s.cfg.MaxFrame {
		return tooLarge(size, s.cfg.MaxFrame)
	}
	if m.Options.Has(message.UDP) {
		return s.sendUDP(ctx, to, m, r)
	}
	o := outgoing{m: m, receipt: r, size: size, acked: m.Options.Acked(), secure: m.Options.Has(message.Secure), now: s.now()}
	if o.secure && s.cfg.TLS == nil {
		return errNoTLS
	}
	var room [headRoom]byte
	head := message.AppendHead(room[:0], m, s.extra(o.acked))
	var full []*waiter
	for _, member := range to {
		p, accepted, err := s.offer(&o, head, member)
		switch {
		case err != nil:
			s.reject(r, member, m.ID, err)
		case !accepted:
			full = append(full, &waiter{p: p, member: member, size: size})
		}
	}
	if full != nil {
		s.await(ctx, full, &o, head)
	}
	return nil
}

func tooLarge(size, limit int) error {
	return fmt.Errorf("tribes: send: a frame of %d bytes where %d are allowed: %w", size, limit, message.ErrTooLarge)
}

// extra is what a frame has in its options beside those of the message.
func (s *Sender) extra(acked bool) message.Options {
	if acked && s.cfg.Window > 1 {
		return message.NumberedAcks
	}
	return 0
}

// offer queues the frame of o to m if there is room at once.
func (s *Sender) offer(o *outgoing, head []byte, m *membership.Member) (*peer, bool, error) {
	for {
		p, err := s.way(m, o.secure)
		if err != nil {
			return nil, false, err
		}
		accepted, err := p.offer(o, head, m)
		if err == ErrForgotten {
			continue // a moment ago; begin anew
		}
		return p, accepted, err
	}
}

// reject settles a destination that the message was not accepted for.
func (s *Sender) reject(r *message.Receipt, m *membership.Member, id message.ID, err error) {
	if errors.Is(err, errAddress) {
		s.env.Fault(m, id, err)
	}
	r.Settle(m, message.NotSent, err)
}

// await waits for room at the destinations that were full, at all of them at
// once, until ctx ends.
func (s *Sender) await(ctx context.Context, full []*waiter, o *outgoing, head []byte) {
	ready := make(chan *waiter, len(full))
	for _, w := range full {
		w.ready = ready
		w.p.queueUp(w, o.now)
	}
	for left := len(full); left > 0; left-- {
		select {
		case w := <-ready:
			s.admit(w, o, head)
			continue
		case <-ctx.Done():
		}
		for _, w := range full {
			if w.p.leave(w) {
				left--
				s.reject(o.receipt, w.member, o.m.ID, w.p.queueFull(context.Cause(ctx)))
			}
		}
		for ; left > 0; left-- {
			s.admit(<-ready, o, head)
		}
		return
	}
}

// admit queues the frame of o for a destination that has waited.
func (s *Sender) admit(w *waiter, o *outgoing, head []byte) {
	err := w.err
	if err == nil {
		err = w.p.use(w, o, head)
	}
	if err != nil {
		s.reject(o.receipt, w.member, o.m.ID, err)
	}
}

// queueFull is the error of a send whose context ended while it waited for room.
func (p *peer) queueFull(cause error) error {
	return fmt.Errorf("tribes: send: %s: %w: %w", p.member, channel.ErrQueueFull, cause)
}
