package channel

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"

	"github.com/gotribes/tribes/message"
)

// deliverBottom takes messages from the receiver. They wait until the channel
// knows its local member and the layers have started.
func (c *Channel) deliverBottom(_ context.Context, m *message.Message) error {
	select {
	case <-c.opened:
	default:
		select {
		case <-c.opened:
		case <-c.runCtx.Done():
			return ErrClosed
		}
	}
	return c.up.Receive(c.runCtx, m)
}

// deliver gives a message to the application, if the guards let it pass. It is
// the top of the stack.
func (c *Channel) deliver(ctx context.Context, m *message.Message) error {
	if err := c.admit(m); err != nil {
		return err
	}
	begin := c.listenWatch.begin()
	var failure error
	accepted := false
	for _, l := range c.listeners.list() {
		took, err := c.call(ctx, l, m)
		accepted = accepted || took
		if err != nil && failure == nil {
			failure = err
		}
	}
	c.counters.received.Add(1)
	c.counters.receivedBytes.Add(uint64(m.Len()))
	if !accepted && failure == nil {
		c.counters.unclaimed.Add(1)
	}
	if failure != nil {
		c.counters.listenerErrors.Add(1)
	}
	took := c.listenWatch.since(begin)
	c.cfg.Trace.MessageReceived(m, took, failure)
	if log := c.cfg.Logger; log.Enabled(ctx, slog.LevelDebug) {
		log.Debug("message received", "msg", m.ID, "member", m.Source, "bytes", m.Len(), "took", took, "err", failure)
	}
	return failure
}

// admit asks the guards.
func (c *Channel) admit(m *message.Message) error {
	for _, pass := range c.guards {
		if err := pass(m); err != nil {
			return err
		}
	}
	return nil
}

// call hands m to one listener; a panic in it becomes an error.
func (c *Channel) call(ctx context.Context, l *registered, m *message.Message) (took bool, err error) {
	var watched *watchedCall
	defer func() {
		watched.leave()
		if p := recover(); p != nil {
			c.counters.panics.Add(1)
			c.cfg.Logger.Error("listener panicked", "msg", m.ID, "member", m.Source, "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("tribes: listener panicked: %v", p)
		}
	}()
	if !l.Accept(m) {
		return false, nil
	}
	watched = l.guard.enter(m.Source, m.ID[0])
	return true, l.Receive(ctx, m)
}
