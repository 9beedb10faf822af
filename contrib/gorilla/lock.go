package gorilla

import "sync"

// locks are those of sessions, by their ids: one Save at a time, which may wait for other nodes
// or for a store. Those of other sessions do not wait for it.
type locks struct {
	mu sync.Mutex
	of map[string]*lock
}

type lock struct {
	mu sync.Mutex
	n  int // who have it or wait for it; guarded by locks.mu
}

// lock waits for the lock of a session, and returns what gives it back.
func (l *locks) lock(id string) (unlock func()) {
	l.mu.Lock()
	x := l.of[id]
	if x == nil {
		x = new(lock)
		l.of[id] = x
	}
	x.n++
	l.mu.Unlock()
	x.mu.Lock()
	return func() {
		x.mu.Unlock()
		l.mu.Lock()
		defer l.mu.Unlock()
		if x.n--; x.n == 0 {
			delete(l.of, id)
		}
	}
}
