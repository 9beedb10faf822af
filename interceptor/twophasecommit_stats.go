package interceptor

import "sync/atomic"

// TwoPhaseCommitStats says what a [TwoPhaseCommit] has done and what it holds.
type TwoPhaseCommitStats struct {
	Sent      uint64 // messages that the layer below has accepted
	Confirmed uint64 // those whose confirmation it has accepted
	Withheld  uint64 // those that were not confirmed
	Received  uint64 // messages that were received
	Delivered uint64 // those that were confirmed and passed up
	Early     uint64 // confirmations that came before their messages
	Repeated  uint64 // messages and confirmations that were dropped because they waited already
	Refused   uint64 // messages and confirmations for which there was no room, or no message to a Sync
	Expired   uint64 // messages that were dropped because they were not confirmed
	Unknown   uint64 // confirmations whose messages did not come

	Waiting   int // messages and confirmations that wait for the other
	HeldBytes int // what is counted against MaxBytes for them
}

type commitCounts struct {
	sent, confirmed, withheld atomic.Uint64
	received, delivered       atomic.Uint64
	early, repeated, refused  atomic.Uint64
	expired, unknown          atomic.Uint64
}

// Stats returns the counts so far. Each is exact; they are not of one instant.
func (c *TwoPhaseCommit) Stats() TwoPhaseCommitStats {
	n := &c.counts
	bytes, waiting := c.room.use()
	return TwoPhaseCommitStats{
		Sent:      n.sent.Load(),
		Confirmed: n.confirmed.Load(),
		Withheld:  n.withheld.Load(),
		Received:  n.received.Load(),
		Delivered: n.delivered.Load(),
		Early:     n.early.Load(),
		Repeated:  n.repeated.Load(),
		Refused:   n.refused.Load(),
		Expired:   n.expired.Load(),
		Unknown:   n.unknown.Load(),
		Waiting:   waiting,
		HeldBytes: bytes,
	}
}
