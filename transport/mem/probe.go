package mem

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

var (
	errNoMessage = errors.New("tribes: mem: a probe of this kind needs a message")
	errProbed    = errors.New("tribes: mem: the probe has ended")
)

// Probe implements channel.Sender. For a probe of the kind read a refusal is an
// answer like any other.
func (s *Sender) Probe(ctx context.Context, m *membership.Member, p channel.Probe) error {
	if p.Kind != channel.ProbeConnect && p.Message == nil {
		return errNoMessage
	}
	if err := s.node.awake(ctx); err != nil {
		return err
	}
	c, err := s.probeConn(m)
	if err != nil {
		return err
	}
	defer s.leaveProbe(c)
	if err := within(ctx, c.ready, p.Connect); err != nil {
		return fmt.Errorf("tribes: mem: probe: connect to %s: %w", m, err)
	}
	switch p.Kind {
	case channel.ProbeWrite:
		return s.write(c, p.Message, nil)
	case channel.ProbeRead:
		r := message.NewReceipt(1, nil)
		if err := s.write(c, p.Message, r); err != nil {
			return err
		}
		if err := within(ctx, r.Done(), p.Read); err != nil {
			return fmt.Errorf("tribes: mem: probe: answer of %s: %w", m, err)
		}
		return answerError(r.Results([]*membership.Member{m}, nil)[0])
	}
	s.n.mu.Lock()
	defer s.n.mu.Unlock()
	return c.err
}

func answerError(r message.Result) error {
	if r.Outcome == message.Refused {
		return nil
	}
	return r.Err
}

// within waits for ch until ctx ends, or for limit if that is not zero.
func within(ctx context.Context, ch <-chan struct{}, limit time.Duration) error {
	var out <-chan time.Time
	if limit > 0 {
		t := time.NewTimer(limit)
		defer t.Stop()
		out = t.C
	}
	select {
	case <-ch:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-out:
		return message.ErrTimeout
	}
}

// probeConn begins a connection for one probe.
func (s *Sender) probeConn(m *membership.Member) (*conn, error) {
	fx := s.n.effects()
	defer s.n.run(fx)
	s.n.mu.Lock()
	defer s.n.mu.Unlock()
	if err := s.usable(); err != nil {
		return nil, err
	}
	return s.connect(fx, m, true, time.Now()), nil
}

// write sends m on the connection of a probe. With a nil receipt nobody waits
// for the outcome, and the connection stays until m has arrived.
func (s *Sender) write(c *conn, m *message.Message, r *message.Receipt) error {
	size := message.FrameSize(m)
	if size > s.n.cfg.MaxFrame {
		return fmt.Errorf("tribes: mem: probe with a frame of %d bytes: %w", size, message.ErrTooLarge)
	}
	now := time.Now()
	fx := s.n.effects()
	defer s.n.run(fx)
	s.n.mu.Lock()
	defer s.n.mu.Unlock()
	if c.dead {
		return c.err
	}
	f := s.newFlight()
	f.load(m, size)
	f.to, f.receipt = c.to, r
	if r == nil {
		c.lingers = true
		f.deadline = now.Add(s.n.cfg.Timeout)
	}
	s.list(f)
	c.accept(fx, f, now)
	return nil
}

// leaveProbe ends the connection of a probe, at once unless it lingers.
func (s *Sender) leaveProbe(c *conn) {
	fx := s.n.effects()
	s.n.mu.Lock()
	if !c.lingers {
		c.end(fx, errProbed, false)
	} else if c.line.len() == 0 {
		s.remove(c)
	}
	s.n.mu.Unlock()
	s.n.run(fx)
}
