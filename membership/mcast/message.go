package mcast

import (
	"context"
	"errors"
	"fmt"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/message"
)

var errNoSocket = errors.New("tribes: mcast: broadcast: the socket has failed and is not open again yet")

// Broadcast implements channel.Broadcaster: it sends m as one datagram to the
// whole group, with no promise that it arrives. With an error nothing was sent:
// message.ErrTooLarge if m does not fit, channel.ErrNotStarted,
// channel.ErrClosed, the cause of ctx, or what kept the system from sending.
func (s *Service) Broadcast(ctx context.Context, m *message.Message) error {
	size := message.FrameSize(m)
	if size > maxDatagram {
		return fmt.Errorf("tribes: mcast: broadcast: a frame of %d bytes, and a datagram has at most %d: %w", size, maxDatagram, message.ErrTooLarge)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	sock := s.sock.Load()
	if sock == nil {
		return s.unusable()
	}
	b := s.upper.Pool.Get(size)
	defer b.Release()
	if err := sock.write(message.AppendFrame(b.Bytes()[:0], m, 0)); err != nil {
		s.counts.sendErrors.Add(1)
		return fmt.Errorf("tribes: mcast: broadcast: %w", err)
	}
	s.counts.sent.Add(1)
	s.counts.messagesSent.Add(1)
	return nil
}

// unusable is why there is no socket.
func (s *Service) unusable() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch s.state {
	case idle, starting:
		return channel.ErrNotStarted
	case running:
		return errNoSocket
	}
	return channel.ErrClosed
}
