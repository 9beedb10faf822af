package nio

import (
	"slices"
	"sync"
)

// rxWorkers starts the drainers of connections, and bounds how many run at a
// time if that is asked for. A drainer then gives way after each batch to those
// that wait, so that each connection has its turn.
type rxWorkers struct {
	bounded bool

	mu      sync.Mutex
	free    int
	waiting []*rxConn
}

func newRxWorkers(n int) *rxWorkers {
	return &rxWorkers{bounded: n != unbounded, free: n}
}

// start runs the drainer of c, now or when a worker is free.
func (w *rxWorkers) start(c *rxConn) {
	if w.bounded && !w.take(c) {
		return
	}
	go c.drainer() // ends when the inbox is empty; Receiver.pending waits for it
}

func (w *rxWorkers) take(c *rxConn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.free == 0 {
		w.waiting = append(w.waiting, c)
		return false
	}
	w.free--
	return true
}

// yield gives the worker of c to a connection that waits and puts c at the end
// of the line. It reports whether it did: then c's drainer must return.
func (w *rxWorkers) yield(c *rxConn) bool {
	if !w.bounded {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.waiting) == 0 {
		return false
	}
	w.waiting = append(w.waiting, c)
	w.startNext()
	return true
}

// done gives a worker back.
func (w *rxWorkers) done() {
	if !w.bounded {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.waiting) == 0 {
		w.free++
		return
	}
	w.startNext()
}

// startNext runs the drainer of the first in line. Called with mu held.
func (w *rxWorkers) startNext() {
	next := w.waiting[0]
	w.waiting = slices.Delete(w.waiting, 0, 1)
	go next.drainer() // ends when the inbox is empty; Receiver.pending waits for it
}
