package replica

import (
	"context"
	"sync"
)

// flight is a change on its way to the peers.
type flight struct {
	mode Wait
	done chan struct{} // closed when it is settled as mode asks

	mu      sync.Mutex
	prev    *flight // the one before, of the same session; nil once it is settled
	left    int     // current peers that have not answered
	acked   int
	err     error // of a peer that refused it
	settled bool
}

func newFlight(mode Wait, prev *flight, peers int) *flight {
	f := &flight{mode: mode, prev: prev, left: peers, done: make(chan struct{})}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.check()
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
	f.check()
}

// check closes done when it is time. The caller holds f.mu.
func (f *flight) check() {
	if !f.settled && (f.left == 0 || f.mode == None || f.mode == One && f.acked > 0) {
		f.settled = true
		close(f.done)
	}
}

// Wait implements table.Waiter: it waits for this change and those before it. The error
// is that of a peer that refused what should be safe there.
func (f *flight) Wait(ctx context.Context) error {
	f.mu.Lock()
	prev := f.prev
	f.mu.Unlock()
	if prev != nil {
		err := prev.Wait(ctx)
		if ctx.Err() == nil {
			f.mu.Lock()
			f.prev = nil
			f.mu.Unlock()
		}
		if err != nil {
			return err
		}
	}
	select {
	case <-f.done:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.mode == None || f.mode == One && f.acked > 0 {
		return nil
	}
	return f.err
}

// over reports whether nothing is to be waited for any more. What was refused then is
// told to who has waited; it does not hold up what comes later.
func (f *flight) over() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.settled {
		return false
	}
	if f.prev != nil && f.prev.over() {
		f.prev = nil
	}
	return f.prev == nil
}

// degraded reports whether no peer has it although one should.
func (f *flight) degraded() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.acked == 0
}
