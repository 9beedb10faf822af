package channel

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gotribes/tribes/membership"
)

// View returns the other members as the layers let them be seen.
func (c *Channel) View() *membership.View { return c.down.View() }

var noMembers = new(membership.View)

func (c *Channel) viewBottom() *membership.View {
	if c.cfg.Membership == nil {
		return noMembers
	}
	return c.cfg.Membership.View()
}

// notify takes an event from the membership and hands it to the layers in line.
func (c *Channel) notify(ev membership.Event) {
	c.events.put(func() { c.up.Event(ev) })
}

// watchers is who is told of membership events. Its members field belongs to
// the events goroutine.
type watchers struct {
	mu      sync.Mutex
	all     []*watcher
	changed chan struct{} // closed at the next event; nil if nobody waits

	members map[membership.Key]*membership.Member // what the application was told
}

type watcher struct {
	MembershipListener
	guard   *guard
	removed atomic.Bool
}

// Watch adds a listener for membership events. Its first calls are Joined for
// each member present. Calls come one after the other, on a goroutine for that
// purpose. After remove no call begins.
func (c *Channel) Watch(l MembershipListener) (remove func()) {
	w := &watcher{MembershipListener: l, guard: c.watchdog.guard(l, 1)}
	ws := &c.watchers
	c.events.put(func() {
		ws.mu.Lock()
		ws.all = append(ws.all, w)
		ws.mu.Unlock()
		now := time.Now()
		for _, m := range ws.present() {
			c.tell(w, membership.Event{Kind: membership.Joined, Member: m, At: now})
		}
	})
	return func() {
		w.removed.Store(true)
		// In line behind the registration, which may still be waiting, and at
		// once, for one that is not.
		c.events.put(func() { ws.remove(w) })
		ws.remove(w)
		c.watchdog.forget(w.guard)
	}
}

func (ws *watchers) remove(w *watcher) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	ws.all = slices.DeleteFunc(slices.Clone(ws.all), func(x *watcher) bool { return x == w })
}

// present is what the application was told, oldest member first.
func (ws *watchers) present() []*membership.Member {
	all := make([]*membership.Member, 0, len(ws.members))
	for _, m := range ws.members {
		all = append(all, m)
	}
	slices.SortFunc(all, membership.CompareAge)
	return all
}

// announce is the top of the event flow; it runs on the events goroutine.
func (c *Channel) announce(ev membership.Event) {
	ws := &c.watchers
	if !ws.note(ev) {
		return
	}
	c.cfg.Logger.Info("member "+ev.Kind.String(), "member", ev.Member)
	c.cfg.Trace.MemberEvent(ev)
	ws.mu.Lock()
	all := ws.all
	if ws.changed != nil {
		close(ws.changed)
		ws.changed = nil
	}
	ws.mu.Unlock()
	for _, w := range all {
		c.tell(w, ev)
	}
	c.tellSender(ev)
}

// tellSender lets the sender connect early and clean up.
func (c *Channel) tellSender(ev membership.Event) {
	if !c.cfg.Services.Has(SendData) {
		return
	}
	switch ev.Kind {
	case membership.Joined:
		if p, ok := c.cfg.Sender.(Preparer); ok {
			p.Prepare(ev.Member)
		}
	case membership.Left, membership.Failed:
		c.cfg.Sender.Forget(ev.Member)
	}
}

// note keeps members and reports whether ev says anything new.
func (ws *watchers) note(ev membership.Event) bool {
	if ws.members == nil {
		ws.members = make(map[membership.Key]*membership.Member)
	}
	_, known := ws.members[ev.Member.Key()]
	switch ev.Kind {
	case membership.Joined:
		ws.members[ev.Member.Key()] = ev.Member
		return !known
	case membership.Updated:
		if known {
			ws.members[ev.Member.Key()] = ev.Member
		}
		return known
	}
	delete(ws.members, ev.Member.Key())
	return known
}

// tell calls one watcher; a panic in it is logged and ends there.
func (c *Channel) tell(w *watcher, ev membership.Event) {
	watched := w.guard.enter(ev.Member, 0)
	defer func() {
		watched.leave()
		if p := recover(); p != nil {
			c.counters.panics.Add(1)
			c.cfg.Logger.Error("membership listener panicked", "member", ev.Member, "panic", p)
		}
	}()
	if !w.removed.Load() {
		w.MemberEvent(c.runCtx, ev)
	}
}

// WaitMembers waits until at least n other members are seen. The error is
// ErrClosed or the cause of ctx.
func (c *Channel) WaitMembers(ctx context.Context, n int) error {
	return c.WaitView(ctx, func(v *membership.View) bool { return v.Len() >= n })
}

// WaitView waits until ok returns true for the view. It asks for the present
// view and after each membership event. A membership listener holds those up: one that
// waits for its group waits in vain.
func (c *Channel) WaitView(ctx context.Context, ok func(*membership.View) bool) error {
	for {
		changed := c.watchers.next()
		if ok(c.View()) {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-c.runCtx.Done():
			return ErrClosed
		}
	}
}

func (ws *watchers) next() <-chan struct{} {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if ws.changed == nil {
		ws.changed = make(chan struct{})
	}
	return ws.changed
}
