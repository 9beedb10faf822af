package persist

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gotribes/tribes/session/internal/table"
	"github.com/gotribes/tribes/session/store"
)

// progress is the time between two lines in the log about a preload.
const progress = 10 * time.Second

// Preload loads the sessions of the store, as many as may be in memory.
func (k *Keeper) Preload(ctx context.Context) error {
	most := math.MaxInt
	if k.cfg.InMemory > 0 {
		most = max(k.cfg.InMemory-k.Count(), 0)
	}
	here := k.here()
	ids, err := k.list(ctx, most, func(id string) bool { return !here[id] })
	if err != nil {
		return err
	}
	var loaded atomic.Int64
	var failed atomic.Pointer[error]
	stop := make(chan struct{})
	var telling sync.WaitGroup
	telling.Go(func() {
		for tick := time.NewTicker(progress); ; {
			select {
			case <-tick.C:
				k.cfg.Logger.Info("sessions are loaded from the store", "loaded", loaded.Load(), "of", len(ids))
			case <-stop:
				tick.Stop()
				return
			}
		}
	})
	each(ctx, k.cfg.Calls, ids, func(id string) {
		if failed.Load() != nil {
			return
		}
		if _, err := k.fetch(ctx, id); errors.Is(err, ErrStore) || errors.Is(err, table.ErrTooManySessions) {
			failed.CompareAndSwap(nil, &err)
			return
		}
		loaded.Add(1)
	})
	close(stop)
	telling.Wait()
	k.begin()
	k.cfg.Logger.Info("sessions were loaded from the store", "loaded", loaded.Load(), "of", len(ids))
	if err := failed.Load(); err != nil && !errors.Is(*err, table.ErrTooManySessions) {
		return *err
	}
	return ctx.Err()
}

// list returns the ids that the store has, those for which want is true until it says that
// these are enough. All are there before any is loaded: a store may do one thing at a time.
func (k *Keeper) list(ctx context.Context, most int, want func(id string) bool) ([]string, error) {
	l, ok := k.cfg.Store.(store.Lister)
	if !ok {
		return nil, fmt.Errorf("tribes: session: the store cannot list: %w", errors.ErrUnsupported)
	}
	var ids []string
	err := k.calls.try(ctx, "list", long, func(ctx context.Context) error {
		for id, err := range l.IDs(ctx) {
			if err != nil {
				return err
			}
			if len(ids) >= most {
				break
			}
			if want(id) {
				ids = append(ids, id)
			}
		}
		return nil
	})
	return ids, err
}

// here returns what the sessions in memory are stored under.
func (k *Keeper) here() map[string]bool {
	ids := make(map[string]bool, k.Count())
	for h := range k.All() {
		ids[k.cfg.ID(h.ID())] = true
	}
	return ids
}

// Everything goes through all sessions, those in memory first, then those that only the
// store has, which it loads one after the other. An error ends it.
func (k *Keeper) Everything(ctx context.Context) iter.Seq2[*table.Entry, error] {
	return func(yield func(*table.Entry, error) bool) {
		seen := k.here()
		for h := range k.All() {
			if !yield(h, nil) {
				return
			}
		}
		ids, err := k.list(ctx, math.MaxInt, func(id string) bool { return !seen[id] })
		if err != nil {
			yield(nil, err)
			return
		}
		for _, id := range ids {
			h, err := k.fetch(ctx, id)
			if err != nil {
				yield(nil, err)
				return
			}
			if h != nil && !yield(h, nil) {
				return
			}
		}
	}
}

// Flush saves all that is dirty, and deletes what has ended. The error says how much could
// not be done.
func (k *Keeper) Flush(ctx context.Context) error {
	var left int
	for range patience {
		var dirty []*table.Entry
		for h := range k.All() {
			h.Mu.RLock()
			if at := h.Kept; at != nil && at.Writes != at.Saved && !h.Gone() {
				dirty = append(dirty, h)
			}
			h.Mu.RUnlock()
		}
		debts := k.debts()
		var done atomic.Int64
		each(ctx, k.cfg.Calls, debts, func(id string) {
			if k.remove(ctx, id) == nil {
				done.Add(1)
			}
		})
		each(ctx, k.cfg.Calls, dirty, func(h *table.Entry) {
			if k.settle(ctx, h) == nil {
				done.Add(1)
			}
		})
		if left = len(dirty) + len(debts) - int(done.Load()); left == 0 || ctx.Err() != nil || k.calls.down() {
			break
		}
	}
	if left == 0 {
		return nil
	}
	return fmt.Errorf("tribes: session: %d changes not stored: %w", left, errors.Join(ctx.Err(), k.calls.why()))
}

// Forget makes Close do nothing to the store, as if the process were killed.
func (k *Keeper) Forget() { k.forgets.Store(true) }

// Close is Stop without a report.
func (k *Keeper) Close() { _ = k.Stop() }

// Stop saves what is dirty, unless it is to be forgotten, and drops all sessions. It waits
// for everything that was begun.
func (k *Keeper) Stop() error {
	k.mu.Lock()
	again := k.closed
	k.closed = true
	k.mu.Unlock()
	k.cancel()
	k.wg.Wait()
	if again {
		return nil
	}
	var err error
	k.calls.wake()
	switch {
	case k.forgets.Load():
	case k.cfg.Forget:
		each(context.Background(), k.cfg.Calls, k.debts(), func(id string) { _ = k.remove(context.Background(), id) })
	default:
		err = k.Flush(context.Background())
		for h := range k.All() {
			if k.calls.down() {
				break
			}
			_ = k.inform(context.Background(), h) // else it lives a little shorter
		}
	}
	if err != nil {
		k.cfg.Logger.Error("sessions not stored at the end", "err", err)
	}
	k.Inner.Close()
	return err
}
