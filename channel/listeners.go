package channel

import (
	"slices"
	"sync"
	"sync/atomic"
)

// Listen adds a listener. Each message goes to every listener that accepts it,
// in the order in which they were added. remove takes the listener away; a call
// of it that is under way is not waited for.
func (c *Channel) Listen(l Listener) (remove func()) {
	g := c.watchdog.guard(l, watchedCalls)
	r := c.listeners.add(l, g)
	return func() {
		c.listeners.remove(r)
		c.watchdog.forget(g)
	}
}

// listeners is a set that is read for each message and seldom changed.
type listeners struct {
	mu  sync.Mutex
	all atomic.Pointer[[]*registered]
}

// registered makes two registrations of one listener different.
type registered struct {
	Listener
	guard *guard
}

func (ls *listeners) add(l Listener, g *guard) *registered {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	r := &registered{l, g}
	all := append(slices.Clone(ls.list()), r)
	ls.all.Store(&all)
	return r
}

func (ls *listeners) remove(r *registered) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	left := slices.DeleteFunc(slices.Clone(ls.list()), func(x *registered) bool { return x == r })
	ls.all.Store(&left)
}

func (ls *listeners) list() []*registered {
	if p := ls.all.Load(); p != nil {
		return *p
	}
	return nil
}
