package peers

import (
	"context"
	"sync"
)

// Wait says for how many peers a change is to be safe.
type Wait uint8

// The modes.
const (
	All  Wait = iota // all current peers
	One              // one of them
	None             // none
)

// Flight is a change on its way to peers. Its methods can be called from any number of
// goroutines.
type Flight struct {
	mode Wait
	done chan struct{} // closed when it is settled as mode asks

	mu      sync.Mutex
	all     chan struct{} // see All; nil until somebody asks
	left    int           // current peers that have not answered
	acked   int
	err     error // of a peer that refused it
	settled bool
}

func newFlight(mode Wait, peers int) *Flight {
	f := &Flight{mode: mode, left: peers, done: make(chan struct{})}
	if mode == None {
		f.settled = true
		close(f.done)
	}
	return f
}

// settle notes the outcome at one peer: whether it has the change, or why it refuses it.
// Neither means that the peer does not count any more.
func (f *Flight) settle(acked bool, refused error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.left--
	if acked {
		f.acked++
	}
	if f.err == nil {
		f.err = refused
	}
	if f.left == 0 && f.all != nil {
		close(f.all)
	}
	if !f.settled && (f.left == 0 || f.mode == One && f.acked > 0) {
		f.settled = true
		close(f.done)
	}
}

// Done is closed when the change is as safe as the mode asks, or cannot be any more.
func (f *Flight) Done() <-chan struct{} { return f.done }

// All is closed when all peers that count have answered, whatever the mode asks.
func (f *Flight) All() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.all == nil {
		f.all = make(chan struct{})
		if f.left == 0 {
			close(f.all)
		}
	}
	return f.all
}

// Wait waits for Done and returns the outcome, or the cause of ctx.
func (f *Flight) Wait(ctx context.Context) (acked int, err error) {
	select {
	case <-f.done:
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
	return f.Outcome()
}

// Outcome is how it stands: how many peers have the change, and the error of one that
// refused what should be safe there.
func (f *Flight) Outcome() (acked int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.mode == None || f.mode == One && f.acked > 0 {
		return f.acked, nil
	}
	return f.acked, f.err
}

// Refused is the error of a peer that has refused the change, whatever the mode asks; nil if
// none has so far.
func (f *Flight) Refused() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}
