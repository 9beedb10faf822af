package persist

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gotribes/tribes/session/store"
)

// ErrStore is the error of a store that does not work.
var ErrStore = errors.New("tribes: session: store does not work")

const (
	patience = 3           // failures in a row after which calls rest
	rest     = time.Second // the time between two of them then
)

// calls makes calls of a store: so many at a time, so long each, and hardly any while it does
// not work.
type calls struct {
	timeout time.Duration
	room    chan struct{}
	log     *slog.Logger
	n       atomic.Uint64 // calls that have ended
	errors  atomic.Uint64
	nanos   atomic.Int64 // that they took
	slowest atomic.Int64

	mu sync.Mutex
	// The rest is guarded by mu.
	failed  int       // calls in a row that have failed
	since   time.Time // the first of them
	next    time.Time // when one may look again
	cause   error
	skipped int // calls that were not made
	outages uint64
}

func newCalls(c *Config) *calls {
	return &calls{timeout: c.Timeout, room: make(chan struct{}, c.Calls), log: c.Logger}
}

// do makes a call. Its error is one of the store's sentinels, or wraps ErrStore, or is that
// of ctx.
func (c *calls) do(ctx context.Context, op string, f func(context.Context) error) error {
	if err := c.resting(op); err != nil {
		return err
	}
	return c.try(ctx, op, c.timeout, f)
}

// try is do of a call that is made whatever came before.
func (c *calls) try(ctx context.Context, op string, timeout time.Duration, f func(context.Context) error) error {
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	select {
	case c.room <- struct{}{}:
	case <-limited.Done():
		return c.settle(ctx, op, limited.Err())
	}
	begin := time.Now()
	err := f(limited)
	<-c.room
	took := time.Since(begin)
	c.n.Add(1)
	c.nanos.Add(int64(took))
	for {
		most := c.slowest.Load()
		if int64(took) <= most || c.slowest.CompareAndSwap(most, int64(took)) {
			break
		}
	}
	return c.settle(ctx, op, err)
}

// settle notes how a call has fared.
func (c *calls) settle(ctx context.Context, op string, err error) error {
	switch {
	case err == nil, errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrConflict),
		errors.Is(err, store.ErrTooLarge), errors.Is(err, store.ErrBadID):
		c.works()
		return err
	case ctx.Err() != nil:
		return context.Cause(ctx) // the caller has gone
	}
	c.errors.Add(1)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failed++
	c.cause = err
	c.next = time.Now().Add(rest)
	if c.failed == 1 {
		c.since = time.Now()
		c.outages++
		c.log.Error("session store does not work", "call", op, "err", err)
	}
	return fmt.Errorf("%w: %s: %w", ErrStore, op, err)
}

// works notes that the store has answered.
func (c *calls) works() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failed > 0 {
		c.log.Info("session store works again", "after", time.Since(c.since), "failures", c.failed, "skipped", c.skipped)
	}
	c.failed, c.skipped, c.cause = 0, 0, nil
}

// resting fails if the store does not work and no call is due that looks again.
func (c *calls) resting(op string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if c.failed < patience {
		return nil
	}
	if now.Before(c.next) {
		c.skipped++
		return fmt.Errorf("%w: %s: %w", ErrStore, op, c.cause)
	}
	c.next = now.Add(rest + c.timeout)
	return nil
}

// asleep reports whether resting would fail, and changes nothing.
func (c *calls) asleep() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failed >= patience && time.Now().Before(c.next)
}

// outage returns the number of the outage that there is, or was last.
func (c *calls) outage() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.outages
}

// down reports whether the last call has failed.
func (c *calls) down() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failed > 0
}

// why returns the error of the last call, if that has failed.
func (c *calls) why() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cause
}

// wake lets the next call look whether the store works.
func (c *calls) wake() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.next = time.Time{}
}
