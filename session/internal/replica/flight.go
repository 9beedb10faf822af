package replica

import (
	"context"
	"sync"

	"github.com/gotribes/tribes/internal/peers"
	"github.com/gotribes/tribes/session/internal/sessionwire"
)

// flight is a change of a session on its way to the peers, behind those before it.
type flight struct {
	*peers.Flight
	every bool // all peers are waited for, whatever the mode asks

	mu   sync.Mutex
	prev *flight // the one before, of the same session; nil once it is settled
}

// bodies are buffers of changes, which a topic copies.
var bodies = sync.Pool{New: func() any { return new([]byte) }}

// fly sends a message that changes a session to all peers, and with every waits for all of them.
func (e *Engine) fly(m sessionwire.Message, prev *flight, every bool) *flight {
	scratch := bodies.Get().(*[]byte)
	defer bodies.Put(scratch)
	*scratch = sessionwire.Append((*scratch)[:0], m)
	if prev != nil && prev.over() {
		prev = nil
	}
	return &flight{Flight: peers.Tell(e.cfg.Wait.peers(), *scratch, e.peers.All()), every: every, prev: prev}
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
	case <-f.end():
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	_, err := f.Outcome()
	return err
}

// end is closed when nothing is to be waited for any more but what was before.
func (f *flight) end() <-chan struct{} {
	if f.every {
		return f.All()
	}
	return f.Done()
}

// over reports whether nothing is to be waited for any more. What was refused then is
// told to who has waited; it does not hold up what comes later.
func (f *flight) over() bool {
	select {
	case <-f.end():
	default:
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.prev != nil && f.prev.over() {
		f.prev = nil
	}
	return f.prev == nil
}

// degraded reports whether no peer has it although one should.
func (f *flight) degraded() bool {
	acked, _ := f.Outcome()
	return acked == 0
}
