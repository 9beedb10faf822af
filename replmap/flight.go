package replmap

import (
	"context"
	"sync"
)

// flight is a change on its way to the peers.
type flight struct {
	mode Wait
	done chan struct{} // closed when it is settled as mode asks
	all  chan struct{} // closed when all current peers have answered

	mu      sync.Mutex
	left    int // current peers that have not answered
	acked   int
	err     error // of a peer that refused it
	settled bool
}

func newFlight(mode Wait, peers int) *flight {
	f := &flight{mode: mode, left: peers, done: make(chan struct{}), all: make(chan struct{})}
	if mode == WaitNone {
		f.settled = true
		close(f.done)
	}
	return f
}

// settle notes the outcome at one peer: whether it has the change, or why it refuses it.
// Neither means that the peer does not count any more.
func (f *flight) settle(acked bool, refused error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.left--
	if acked {
		f.acked++
	}
	if f.err == nil {
		f.err = refused
	}
	if f.left == 0 {
		close(f.all)
	}
	if !f.settled && (f.left == 0 || f.mode == WaitOne && f.acked > 0) {
		f.settled = true
		close(f.done)
	}
}

// wait waits for what the mode asks. The error is that of a peer that refused it.
func (f *flight) wait(ctx context.Context) (acked int, err error) {
	select {
	case <-f.done:
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
	return f.outcome()
}

// outcome is how it stands.
func (f *flight) outcome() (acked int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.mode == WaitNone || f.mode == WaitOne && f.acked > 0 {
		return f.acked, nil
	}
	return f.acked, f.err
}
