package channel

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gotribes/tribes/internal/name"
	"github.com/gotribes/tribes/membership"
)

// watchdog knows which callbacks of the application are running, and tells when
// one does not return. What runs touches no clock and no lock: each call only
// makes a number odd and then even again, and the watchdog looks whether it is
// still the same odd number.
type watchdog struct {
	mu     sync.Mutex
	guards []*guard
}

// A guard is for one callback, who.
type guard struct {
	who   any
	calls []watchedCall
}

// watchedCall is a place for one call at a time.
type watchedCall struct {
	n      atomic.Uint64                     // odd while the call runs
	told   atomic.Uint64                     // the n of the call that was told of
	member atomic.Pointer[membership.Member] // about whom or from whom it is; nil if nobody

	// Of the watchdog's goroutine:
	seen  uint64    // n when it looked
	since time.Time // when it saw this n first
}

// watchedCalls is how many calls of one listener can be watched at a time; what
// runs beside them is not.
const watchedCalls = 64

// guard begins to watch a callback, of which at most so many calls are watched
// at a time.
func (w *watchdog) guard(who any, calls int) *guard {
	g := &guard{who: who, calls: make([]watchedCall, calls)}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.guards = append(w.guards, g)
	return g
}

// forget ends the watch, also of calls that are under way.
func (w *watchdog) forget(g *guard) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, x := range w.guards {
		if x == g {
			w.guards = append(w.guards[:i:i], w.guards[i+1:]...)
			return
		}
	}
}

// enter notes a call; hint spreads calls over the places. The result is nil if
// there is no place left.
func (g *guard) enter(m *membership.Member, hint byte) *watchedCall {
	for i := range g.calls {
		c := &g.calls[(int(hint)+i)%len(g.calls)]
		if n := c.n.Load(); n%2 == 0 && c.n.CompareAndSwap(n, n+1) {
			c.member.Store(m)
			return c
		}
	}
	return nil
}

// leave ends the call.
func (c *watchedCall) leave() {
	if c != nil {
		c.n.Add(1)
	}
}

// watch looks for calls that take longer than limit until ctx ends. It finds
// them within a quarter of limit.
func (c *Channel) watch(ctx context.Context, limit time.Duration) {
	t := time.NewTicker(max(limit/4, time.Millisecond))
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			c.look(time.Now(), limit)
		}
	}
}

// look tells once of each call that takes too long.
func (c *Channel) look(now time.Time, limit time.Duration) {
	for _, g := range c.watchdog.all() {
		var about *membership.Member
		fresh := false
		for i := range g.calls {
			if g.calls[i].late(now, limit) {
				fresh, about = true, g.calls[i].member.Load()
			}
		}
		if fresh {
			c.cfg.Logger.Warn("a listener does not return", "listener", name.Of(g.who), "member", about, "limit", limit, "calls", g.stuck())
		}
	}
}

func (w *watchdog) all() []*guard {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.guards[:len(w.guards):len(w.guards)]
}

// stuck counts the calls that were told of and have not returned.
func (w *watchdog) stuck() (n int) {
	for _, g := range w.all() {
		n += g.stuck()
	}
	return n
}

func (g *guard) stuck() (n int) {
	for i := range g.calls {
		if now := g.calls[i].n.Load(); now%2 == 1 && now == g.calls[i].told.Load() {
			n++
		}
	}
	return n
}

// late reports whether the call that runs now was running for limit and that
// was not told before.
func (c *watchedCall) late(now time.Time, limit time.Duration) bool {
	n := c.n.Load()
	if n != c.seen {
		c.seen, c.since = n, now
	}
	if n%2 == 0 || n == c.told.Load() || now.Sub(c.since) < limit {
		return false
	}
	c.told.Store(n)
	return true
}
