package nio

import (
	"maps"
	"sync"
	"sync/atomic"
)

// ReceiverStats are counts since the receiver was made, and what is there now.
type ReceiverStats struct {
	Open     bool  // connections are accepted
	Conns    int   // connections open now
	Held     int64 // bytes of memory that connections hold now
	Accepted uint64
	Frames   uint64 // frames received, by connections and datagrams
	Messages uint64 // of those, taken out for delivery
	// Duplicates are messages that were received again and not delivered again.
	Duplicates uint64
	// Dropped are messages that were received and not delivered, because their
	// connection was reset before they were answered, or because Stop had no time.
	Dropped uint64
	// Datagrams are UDP datagrams received, good or bad.
	Datagrams uint64
	// AcceptErrors are failures of the system to accept a connection.
	AcceptErrors uint64
	// Panics are panics in deliveries that the channel did not contain.
	Panics uint64
	// Rejected are connections closed and datagrams dropped, by reason; the same
	// reasons as in channel.Trace.
	Rejected map[string]uint64
}

type receiverCounts struct {
	accepted, frames, messages     atomic.Uint64
	duplicates, dropped, datagrams atomic.Uint64
	acceptErrors, panics           atomic.Uint64

	mu       sync.Mutex
	rejected map[string]uint64
}

func (n *receiverCounts) reject(reason string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.rejected == nil {
		n.rejected = make(map[string]uint64)
	}
	n.rejected[reason]++
}

func (n *receiverCounts) reasons() map[string]uint64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return maps.Clone(n.rejected)
}

// Stats returns the counts. Each is exact; they are not of one instant. It may
// be called at any time.
func (r *Receiver) Stats() ReceiverStats {
	n := &r.count
	s := ReceiverStats{
		Accepted:     n.accepted.Load(),
		Frames:       n.frames.Load(),
		Messages:     n.messages.Load(),
		Duplicates:   n.duplicates.Load(),
		Dropped:      n.dropped.Load(),
		Datagrams:    n.datagrams.Load(),
		AcceptErrors: n.acceptErrors.Load(),
		Panics:       n.panics.Load(),
		Rejected:     n.reasons(),
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	s.Open = r.state == receiverRuns
	s.Conns = len(r.conns)
	for c := range r.conns {
		s.Held += c.ledger.held.Load()
	}
	return s
}
