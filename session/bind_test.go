package session

import (
	"sync"
	"sync/atomic"
	"testing"
)

// While a session gets the route of this node its id leads to it: a request at that moment
// would begin a new one.
func TestFoundWhileItIsBound(t *testing.T) {
	m := newManager(t, Config{Route: "a"})
	c := newClient(t, m)
	c.with(func(s *Session) { must(t, Set(s, "k", "v")) })
	l, id := m.b.(*local), c.id()
	h := l.Peek(id)
	var done atomic.Bool
	var all sync.WaitGroup
	all.Go(func() {
		for !done.Load() {
			if l.Peek(id) != h {
				t.Error("not found")
				return
			}
		}
	})
	for range 300000 {
		l.Renamed(h, ID(id).Random()+".b")
	}
	done.Store(true)
	all.Wait()
}
