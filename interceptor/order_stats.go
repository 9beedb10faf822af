package interceptor

import "sync/atomic"

// OrderStats says what an [Order] has done and what it holds.
type OrderStats struct {
	Sent      uint64 // numbered messages the layer below accepted, once per destination
	InOrder   uint64 // received messages that came when they were expected
	Early     uint64 // received messages that had to wait
	Late      uint64 // received messages that came when they were given up already
	Repeated  uint64 // received messages that were dropped because they were received before
	Dropped   uint64 // received messages dropped without a number, or because of DropExpired
	Gaps      uint64 // runs of numbers that were given up
	Missing   uint64 // how many numbers those were; some may have come late
	Overflows uint64 // times that waiting was ended because MaxQueue or MaxBytes was reached
	Recounts  uint64 // times that a sender was found to count elsewhere

	Held      int // messages that wait, or are about to be delivered after they have waited
	HeldBytes int // memory they take, in bytes
	Senders   int // senders whose count is known
}

type orderCounts struct {
	sent, inOrder, early, late, repeated, dropped atomic.Uint64
	gaps, missing, overflows, recounts            atomic.Uint64
}

// Stats returns the counts so far. Each is exact; they are not of one instant.
func (o *Order) Stats() OrderStats {
	o.mu.RLock()
	senders := len(o.sources)
	o.mu.RUnlock()
	n := &o.counts
	return OrderStats{
		Sent:      n.sent.Load(),
		InOrder:   n.inOrder.Load(),
		Early:     n.early.Load(),
		Late:      n.late.Load(),
		Repeated:  n.repeated.Load(),
		Dropped:   n.dropped.Load(),
		Gaps:      n.gaps.Load(),
		Missing:   n.missing.Load(),
		Overflows: n.overflows.Load(),
		Recounts:  n.recounts.Load(),
		Held:      int(o.held.Load()),
		HeldBytes: int(o.bytes.Load()),
		Senders:   senders,
	}
}
