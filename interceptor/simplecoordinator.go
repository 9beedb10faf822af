package interceptor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/membership"
)

// SimpleCoordinator is a layer that names a coordinator without asking anybody:
// when the members have not changed for a while, it is the first of them in
// absolute order, that of addresses. It is Tribes' interceptor of that name, sends
// nothing, and needs nothing of the other members. Members that see different
// others name different coordinators, for as long as they do: nothing is agreed,
// there is no term, and Channel.Agreed and Up.View know nothing of it. See
// NonBlockingCoordinator for more.
//
// Tribes blocks the thread that reports members until they have settled; here
// nobody waits.
//
// The fields are settings; they are read when the layer is bound. A
// SimpleCoordinator serves one channel. Its methods are safe for concurrent use.
type SimpleCoordinator struct {
	// Settle is for how long the members must not have changed, nor the channel
	// have been started. Zero means 2.5 s, ten times the 250 ms of Tribes, which
	// cannot be set there; the least is 10 ms.
	Settle time.Duration
	// Quorum is how many members there must be for a coordinator, the local one
	// included; zero means 1.
	Quorum int

	leadership

	host  channel.Host
	above channel.Up

	boxMu    sync.Mutex
	members  map[membership.Key]*membership.Member // guarded by boxMu, as what follows
	changed  time.Time                             // of members; zero if the view is up to date
	view     []*membership.Member
	settle   time.Duration
	quorum   int
	stirred  atomic.Bool // changed is not zero
	checking atomic.Bool

	views, changes atomic.Uint64
}

var _ channel.Interceptor = (*SimpleCoordinator)(nil)

const defaultSettle = 2500 * time.Millisecond

// BindDown implements channel.Interceptor. The error joins everything that is
// wrong with the settings.
func (c *SimpleCoordinator) BindDown(h channel.Host, below channel.Down) (channel.Down, error) {
	if c.host != nil {
		return below, errBound
	}
	c.settle, c.quorum = cmp.Or(c.Settle, defaultSettle), c.Quorum
	var errs []error
	if c.settle < leastRetry {
		errs = append(errs, fmt.Errorf("tribes: simple coordinator: Settle %v: want at least %v", c.settle, leastRetry))
	}
	if c.quorum < 0 {
		errs = append(errs, fmt.Errorf("tribes: simple coordinator: Quorum %d: want a number of members, or 0", c.quorum))
	}
	if errs != nil {
		return below, errors.Join(errs...)
	}
	c.host = h
	c.boxMu.Lock()
	c.members = make(map[membership.Key]*membership.Member)
	c.boxMu.Unlock()
	h.OnStart(func(context.Context) error {
		c.stir(func(map[membership.Key]*membership.Member) {})
		return nil
	})
	h.OnDrain(func(context.Context) { c.finish() })
	h.Go("end", func(ctx context.Context) { // ends with the channel, in whatever way that stops
		<-ctx.Done()
		c.finish()
	})
	h.Every(max(c.settle/25, leastRetry), c.tick)
	return below, nil
}

// BindUp implements channel.Interceptor.
func (c *SimpleCoordinator) BindUp(above channel.Up) channel.Up {
	c.above = above
	up := above
	up.Event = c.event
	return up
}

// event passes an event on, and lets the members settle anew.
func (c *SimpleCoordinator) event(ev membership.Event) {
	c.above.Event(ev)
	k := ev.Member.Key()
	switch ev.Kind {
	case membership.Joined:
		c.stir(func(all map[membership.Key]*membership.Member) { all[k] = ev.Member })
	case membership.Left, membership.Failed:
		c.stir(func(all map[membership.Key]*membership.Member) { delete(all, k) })
		c.publishView()
	}
}

// stir changes the members.
func (c *SimpleCoordinator) stir(change func(all map[membership.Key]*membership.Member)) {
	c.boxMu.Lock()
	defer c.boxMu.Unlock()
	change(c.members)
	c.changed = time.Now()
	c.stirred.Store(true)
}

func (c *SimpleCoordinator) tick(context.Context) {
	if !c.stirred.Load() || !c.checking.CompareAndSwap(false, true) {
		return
	}
	c.host.Serial(func() {
		c.checking.Store(false)
		if c.settled(time.Now()) {
			c.publishView()
		}
	})
}

// settled makes a view of the members if they have settled.
func (c *SimpleCoordinator) settled(now time.Time) bool {
	c.boxMu.Lock()
	defer c.boxMu.Unlock()
	if c.changed.IsZero() || now.Sub(c.changed) < c.settle {
		return false
	}
	c.changed = time.Time{}
	c.stirred.Store(false)
	view := append(slices.Collect(maps.Values(c.members)), c.host.Local())
	slices.SortFunc(view, membership.CompareAbsolute)
	if !sameMembers(view, c.view) {
		c.view = view
		c.views.Add(1)
	}
	return true
}

// publishView tells who coordinates by the view: nobody while the first of it is
// gone.
func (c *SimpleCoordinator) publishView() {
	c.boxMu.Lock()
	now := leadershipOf(c.view, c.host.Local(), 0, c.quorum)
	if now.Coordinator != nil && !now.Local && c.members[now.Coordinator.Key()] == nil {
		now.Coordinator = nil
	}
	c.boxMu.Unlock()
	if c.publish(now) {
		c.changes.Add(1)
		c.host.Logger().Info("coordinator changed", "coordinator", now.Coordinator, "local", now.Local)
	}
}

// SimpleCoordinatorStats says what a [SimpleCoordinator] has seen.
type SimpleCoordinatorStats struct {
	Views   uint64 // times that the members had settled and were others than before
	Changes uint64 // times that the coordinator became another one, or none
	Settled bool   // the members have not changed for Settle
}

// Stats returns the counts so far. Each is exact; they are not of one instant.
func (c *SimpleCoordinator) Stats() SimpleCoordinatorStats {
	c.boxMu.Lock()
	defer c.boxMu.Unlock()
	return SimpleCoordinatorStats{Views: c.views.Load(), Changes: c.changes.Load(), Settled: c.view != nil && c.changed.IsZero()}
}
