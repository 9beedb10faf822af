package interceptor

import (
	"slices"
	"sync"

	"github.com/gotribes/tribes/channel"
)

// room is the bound on what a Dispatch has taken. Who waits for room gets it in
// the order of asking.
type room struct {
	maxBytes, maxMessages int // negative: no bound

	mu              sync.Mutex
	bytes, messages int
	waiters         []*waiter
	closed          bool
}

// waiter is somebody who waits for room. ready gets nil when the room is given.
type waiter struct {
	bytes, messages int
	ready           chan error // has room for one value
}

// take takes room. If there is none, and wait is true, it returns a waiter.
func (r *room) take(bytes, messages int, wait bool) (w *waiter, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.waiters) == 0 && r.fits(bytes, messages) || r.closed {
		r.bytes += bytes
		r.messages += messages
		return nil, true
	}
	if !wait {
		return nil, false
	}
	w = &waiter{bytes, messages, make(chan error, 1)}
	r.waiters = append(r.waiters, w)
	return w, false
}

// fits reports whether there is room. It is called with mu held.
func (r *room) fits(bytes, messages int) bool {
	return r.messages == 0 ||
		(r.maxBytes < 0 || r.bytes+bytes <= r.maxBytes) &&
			(r.maxMessages < 0 || r.messages+messages <= r.maxMessages)
}

// give gives room back.
func (r *room) give(bytes, messages int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bytes -= bytes
	r.messages -= messages
	r.wake()
}

// wake gives room to those who wait, as far as it goes. It is called with mu
// held.
func (r *room) wake() {
	for len(r.waiters) > 0 && r.fits(r.waiters[0].bytes, r.waiters[0].messages) {
		w := r.waiters[0]
		r.waiters = slices.Delete(r.waiters, 0, 1)
		r.bytes += w.bytes
		r.messages += w.messages
		w.ready <- nil
	}
}

// cancel ends the wait of w, and gives back what it got meanwhile.
func (r *room) cancel(w *waiter) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if i := slices.Index(r.waiters, w); i >= 0 {
		r.waiters = slices.Delete(r.waiters, i, i+1)
		r.wake() // those behind w may need less
		return
	}
	if err := <-w.ready; err == nil {
		r.bytes -= w.bytes
		r.messages -= w.messages
		r.wake()
	}
}

// close tells those who wait, and who will ask, that it is too late: the former
// get an error; the latter are let in to be refused by who closed.
func (r *room) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	for _, w := range r.waiters {
		w.ready <- channel.ErrClosed
	}
	r.waiters = nil
}

// used returns what is taken.
func (r *room) used() (bytes, messages int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.bytes, r.messages
}
