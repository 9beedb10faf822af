package nio

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// Probe tests the way to m on a connection of its own, which is closed
// afterwards: that it can be made within p.Connect, that p.Message can be
// written, and that some answer comes within p.Read, as far as p.Kind goes.
// A step whose time runs out gives an error that is message.ErrTimeout, the end
// of ctx its cause.
func (s *Sender) Probe(ctx context.Context, m *membership.Member, p channel.Probe) error {
	if err := s.usable(); err != nil {
		return err
	}
	if !m.Dialable() {
		return fmt.Errorf("tribes: probe: %s: %w", m, errAddress)
	}
	if p.Kind > channel.ProbeConnect && p.Message == nil {
		return fmt.Errorf("tribes: probe: %s: nothing to write", m)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(s.ctx, func() { cancel(channel.ErrClosed) })()
	err := s.probe(ctx, m, p)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	case isTimeout(err):
		err = fmt.Errorf("%w: %w", message.ErrTimeout, err)
	}
	return fmt.Errorf("tribes: probe: %s: %s: %w", m, p.Kind, err)
}

func (s *Sender) probe(ctx context.Context, m *membership.Member, p channel.Probe) error {
	within := p.Connect
	if within <= 0 {
		within = never
	}
	conn, err := s.connect(ctx, m.AddrPort().String(), within)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { abort(conn) })()
	if p.Kind >= channel.ProbeWrite {
		err = s.probeWrite(conn, p.Message)
	}
	if err == nil && p.Kind >= channel.ProbeRead {
		err = probeRead(conn, p.Read)
	}
	return err
}

func (s *Sender) probeWrite(conn net.Conn, m *message.Message) error {
	frame := s.env.Pool.Get(message.FrameSize(m))
	defer frame.Release()
	if limit := s.cfg.Timeouts.Write; limit != never {
		if err := conn.SetWriteDeadline(time.Now().Add(limit)); err != nil {
			return err
		}
	}
	_, err := conn.Write(message.AppendFrame(frame.Bytes()[:0], m, 0))
	return err
}

// probeRead waits for the first byte of an answer. It takes in the whole answer
// of a Java node: closing a connection with bytes unread would reset it, and the
// other end log that.
func probeRead(conn net.Conn, within time.Duration) error {
	if within > 0 {
		if err := conn.SetReadDeadline(time.Now().Add(within)); err != nil {
			return err
		}
	}
	_, err := conn.Read(make([]byte, 2*len(message.AckFrame)))
	return err
}
