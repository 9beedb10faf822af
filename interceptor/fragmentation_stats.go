package interceptor

import "sync/atomic"

// FragmentationStats says what a [Fragmentation] has done and what it holds.
type FragmentationStats struct {
	Split     uint64 // messages that were sent in parts
	PartsSent uint64 // parts that the layer below has accepted, once for all destinations
	Whole     uint64 // received messages that came in one piece
	Parts     uint64 // received parts that made sense by themselves
	Assembled uint64 // messages that came in parts and were passed up
	Repeated  uint64 // parts that were here before; they took the place of the old ones
	Refused   uint64 // parts that were dropped
	Expired   uint64 // messages of which parts were dropped because others did not come

	Gathering int // messages of which there are parts, or that were refused
	HeldBytes int // what is counted against MaxBytes for them
}

type fragmentCounts struct {
	split, parts                         atomic.Uint64
	whole, received, assembled, repeated atomic.Uint64
	refused, expired                     atomic.Uint64
}

// Stats returns the counts so far. Each is exact; they are not of one instant.
func (f *Fragmentation) Stats() FragmentationStats {
	n := &f.counts
	bytes, messages := f.room.use()
	return FragmentationStats{
		Split:     n.split.Load(),
		PartsSent: n.parts.Load(),
		Whole:     n.whole.Load(),
		Parts:     n.received.Load(),
		Assembled: n.assembled.Load(),
		Repeated:  n.repeated.Load(),
		Refused:   n.refused.Load(),
		Expired:   n.expired.Load(),
		Gathering: messages,
		HeldBytes: bytes,
	}
}
