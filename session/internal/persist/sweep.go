package persist

import (
	"cmp"
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gotribes/tribes/session/internal/record"
	"github.com/gotribes/tribes/session/internal/stored"
	"github.com/gotribes/tribes/session/internal/table"
	"github.com/gotribes/tribes/session/store"
)

// long is how long a call may take that goes through the whole store.
const long = 2 * time.Minute

// run sweeps from time to time, and soon if something could not be done.
func (k *Keeper) run() {
	next := time.Now().Add(k.jitter())
	for wait := k.cfg.Sweep; ; {
		timer := time.NewTimer(wait)
		select {
		case <-k.ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		case <-k.kick:
			timer.Stop()
		}
		k.sweep(k.ctx)
		if now := time.Now(); !now.Before(next) {
			k.expireSoon()
			next = now.Add(k.jitter())
		}
		if wait = k.cfg.Sweep; k.calls.down() || k.owes() {
			wait = min(wait, rest)
		}
	}
}

// jitter is when expired sessions are removed next: nodes do not all do it at once.
func (k *Keeper) jitter() time.Duration { return k.cfg.Expire/2 + rand.N(k.cfg.Expire+1) }

// expireSoon is expire beside the sweeps, which it may outlast: what is due is saved meanwhile.
func (k *Keeper) expireSoon() {
	if k.expires.Swap(true) {
		return
	}
	begun := k.async(func(ctx context.Context) {
		defer k.expires.Store(false)
		k.expire(ctx)
	})
	if !begun {
		k.expires.Store(false)
	}
}

// expire lets the store remove what has expired, if it does not do so by itself.
func (k *Keeper) expire(ctx context.Context) {
	e, ok := k.cfg.Store.(store.Expirer)
	if !ok || k.calls.down() {
		return
	}
	n := 0
	err := k.calls.try(ctx, "expire", long, func(ctx context.Context) (err error) {
		n, err = e.Expire(ctx, time.Now())
		return err
	})
	if err == nil && n > 0 {
		k.n.expired.Add(uint64(n))
		k.cfg.Logger.Debug("expired sessions removed from the store", "sessions", n)
	}
}

// rested is a session that is not in use, and for how long it was not.
type rested struct {
	h    *table.Entry
	idle time.Duration
}

// sweep saves what is due, and makes room in memory.
func (k *Keeper) sweep(ctx context.Context) {
	k.forget()
	k.pay(ctx)
	var over, save, leave []*table.Entry
	var may []rested
	now := k.Now()
	for h := range k.All() {
		if h.Expired(now) {
			over = append(over, h)
			continue
		}
		due, free, idle := k.look(h)
		if due {
			save = append(save, h)
		}
		switch {
		case !free || k.cfg.Shared || idle < k.cfg.SwapMinIdle:
		case k.cfg.SwapAfterIdle >= 0 && idle >= k.cfg.SwapAfterIdle:
			leave = append(leave, h)
		case k.cfg.InMemory > 0:
			may = append(may, rested{h, idle})
		}
	}
	each(ctx, k.cfg.Calls, over, func(h *table.Entry) { k.lapse(ctx, h) })
	if over := k.Count() - len(leave) - k.cfg.InMemory; k.cfg.InMemory > 0 && over > 0 {
		slices.SortFunc(may, func(a, b rested) int { return cmp.Compare(b.idle, a.idle) })
		for _, r := range may[:min(over, len(may))] {
			leave = append(leave, r.h)
		}
	}
	each(ctx, k.cfg.Calls, save, func(h *table.Entry) { _ = k.settle(ctx, h) }) // is counted, and stays dirty
	each(ctx, k.cfg.Calls, leave, func(h *table.Entry) { k.swap(ctx, h) })
}

// lapse ends a session that seems to have expired, unless another node has used it since.
func (k *Keeper) lapse(ctx context.Context, h *table.Entry) {
	if !k.cfg.Shared {
		_ = k.Compare(ctx, h) // if that cannot be known, it has expired
	}
	if h.Expired(k.Now()) && ctx.Err() == nil {
		k.cfg.Lapse(h)
	}
}

// look reports whether a session is to be saved now, whether it may leave memory, and for
// how long it was not used.
func (k *Keeper) look(h *table.Entry) (due, free bool, idle time.Duration) {
	h.Mu.RLock()
	defer h.Mu.RUnlock()
	at, now := h.Kept, k.Now()
	if _, ended := h.Rec.Ended(); at == nil || ended || h.Gone() {
		return false, false, 0
	}
	idle = now - k.accessed(h)
	if at.Writes != at.Saved && !at.TooLarge {
		due = at.Failed || k.cfg.EachRequest && at.Users == 0 ||
			k.cfg.SaveAfterIdle >= 0 && idle >= k.cfg.SaveAfterIdle ||
			k.cfg.SaveWithin >= 0 && now-at.Since >= k.cfg.SaveWithin
	} else if !at.TooLarge {
		due = k.moved(h) // another node has given it a new id
	}
	return due, at.Users == 0 && len(h.Local) == 0 && !h.Expired(now), idle
}

// swap makes a session leave memory, if it is stored and still not in use.
func (k *Keeper) swap(ctx context.Context, h *table.Entry) {
	if k.settle(ctx, h) != nil || k.inform(ctx, h) != nil || k.acquire(ctx, h) != nil {
		return
	}
	defer k.release(h)
	h.Mu.Lock()
	at, id := h.Kept, h.Rec.ID()
	_, ended := h.Rec.Ended()
	left := !ended && !h.Gone() && at.Users == 0 && len(h.Local) == 0 && !h.Expired(k.Now()) &&
		at.Writes == at.Saved && at.Known && at.Version > 0 && at.ID == k.cfg.ID(id)
	if left {
		at.Swapped = true
		k.Evict(h)
	}
	h.Mu.Unlock()
	if left {
		k.n.swapped.Add(1)
		k.cfg.Moved(id, false)
	}
}

// inform tells the store of the last access, if it knows of none that is late enough.
func (k *Keeper) inform(ctx context.Context, h *table.Entry) error {
	h.Mu.RLock()
	t, late := h.Rec.Timeout(), false
	if at := h.Kept; at != nil && t > 0 {
		late = k.wall(at.Accessed).Sub(at.Noted) > stored.Slack(t, k.cfg.Touch)
	}
	h.Mu.RUnlock()
	if !late {
		return nil
	}
	return k.note(ctx, h)
}

// forget drops what need not be remembered any longer.
func (k *Keeper) forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := time.Now()
	for id, l := range k.past {
		if now.After(l.until) {
			delete(k.past, id)
		}
	}
	maps.DeleteFunc(k.revived, func(_ string, at time.Time) bool { return now.Sub(at) > day })
	maps.DeleteFunc(k.ended, func(_ string, at time.Time) bool { return now.Sub(at) > memory })
	maps.DeleteFunc(k.dead, func(_ record.Node, at time.Time) bool { return now.Sub(at) > memory })
}

// each runs f for all items, so many at a time, and returns when that is done or ctx ends.
func each[T any](ctx context.Context, workers int, items []T, f func(T)) {
	var next atomic.Int64
	var all sync.WaitGroup
	for range min(workers, len(items)) {
		all.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(items) {
					return
				}
				f(items[i])
			}
		})
	}
	all.Wait()
}
