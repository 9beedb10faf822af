package interceptor

import "sync/atomic"

// DispatchStats says what a [Dispatch] has done and what it holds. Messages are
// counted once per destination.
type DispatchStats struct {
	Bytes    int    // payload bytes that are queued or not settled
	Messages int    // messages that are queued or not settled
	Queues   int    // destinations with a queue
	Waited   uint64 // sends that had to wait for room
	Refused  uint64 // messages that were refused, because there was no room in time
	Failed   uint64 // messages settled as failed because there was no room
	Retried  uint64 // tries after the first
}

type dispatchCounts struct {
	waited, refused, failed, retried atomic.Uint64
}

// Stats returns what the layer holds and what it did so far. It returns the
// zero DispatchStats before the layer is bound.
func (d *Dispatch) Stats() DispatchStats {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.room == nil {
		return DispatchStats{}
	}
	st := DispatchStats{
		Queues:  len(d.lanes),
		Waited:  d.counts.waited.Load(),
		Refused: d.counts.refused.Load(),
		Failed:  d.counts.failed.Load(),
		Retried: d.counts.retried.Load(),
	}
	st.Bytes, st.Messages = d.room.used()
	return st
}
