package channel

import (
	"context"
	"errors"
	"fmt"
)

// insideKey marks the contexts that a channel gives to its callbacks.
type insideKey struct{}

func (c *Channel) inside(ctx context.Context) bool {
	return ctx.Value(insideKey{}) == c
}

// Stop ends the channel in order: layers hand out what they hold, the others
// are told goodbye, queued messages are sent, deliveries are finished; what has
// not ended when ctx ends is cut off, and its messages are reported to their
// senders. Without a deadline in ctx that happens after Config.StopTimeout.
//
// Stop waits until everything has ended; its error says which parts were cut off,
// if any were: of those a receiver may have had messages that were acknowledged on
// arrival. Or it waits until ctx ends, and returns its cause; Done tells the real
// end. Inside a callback, with the context that
// the callback was given, it begins the stop and returns nil at once. Stopping
// twice does no harm; a channel cannot be started again.
func (c *Channel) Stop(ctx context.Context) error {
	if c.inside(ctx) {
		c.Close()
		return nil
	}
	c.beginStop(ctx)
	select {
	case <-c.done:
		return c.cut
	case <-ctx.Done():
	}
	select {
	case <-c.done:
		return c.cut
	default:
		return context.Cause(ctx)
	}
}

// Close begins a stop without waiting for it. See Stop and Done.
func (c *Channel) Close() { c.beginStop(context.Background()) }

// Done is closed when the channel has stopped and nothing of it runs any more.
func (c *Channel) Done() <-chan struct{} { return c.done }

func (c *Channel) beginStop(ctx context.Context) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch c.state {
	case idle:
		c.state = stopped
		c.endRun(ErrClosed)
		close(c.done)
		return
	case stopping, stopped:
		return
	}
	c.state = stopping
	c.open.Store(false)
	c.halt(ErrClosed)
	go c.stop(ctx) // ends by itself; done tells
}

// stop ends the parts in the order in which their help is no longer needed.
func (c *Channel) stop(ctx context.Context) {
	<-c.begun
	select {
	case <-c.opened:
	default: // the start has failed: what has come is not delivered any more
		c.endRun(ErrClosed)
	}
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.cfg.StopTimeout)
		defer cancel()
	}
	cut := context.AfterFunc(ctx, func() { c.endRun(ErrClosed) })
	defer cut()
	for _, h := range c.layers {
		if !h.started {
			continue
		}
		for _, f := range h.onDrain {
			f(ctx)
		}
	}
	c.cut = errors.Join(
		c.stopPart(ctx, "membership", c.cfg.Membership),
		c.stopPart(ctx, "sender", c.cfg.Sender),
		c.stopPart(ctx, "receiver", c.cfg.Receiver))
	c.endRun(ErrClosed)
	c.tasks.Close()
	c.events.close()
	c.completions.close()
	c.mu.Lock()
	c.state = stopped
	c.mu.Unlock()
	close(c.done)
}

// stopper is what sender, receiver and membership have in common.
type stopper interface {
	Stop(ctx context.Context) error
}

func (c *Channel) stopPart(ctx context.Context, name string, part stopper) error {
	if part == nil {
		return nil
	}
	err := part.Stop(ctx)
	if err == nil {
		return nil
	}
	c.cfg.Logger.Warn("stop was not orderly", "part", name, "err", err)
	return fmt.Errorf("tribes: stop of %s: %w", name, err)
}
