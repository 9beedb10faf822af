package replmap

import "sync/atomic"

// Stats are numbers of a map. Each is exact; they are not of one instant.
type Stats struct {
	Entries int // that are there
	Members int // others that have the map
	Current int // those that writes wait for
	Held    int // entries whose values are here
	Lacking int // entries whose values this member is to have and has not yet

	Alone        uint64 // writes that no other member has, though one should
	LeftOut      uint64 // times that a member did not answer and was left out
	Repaired     uint64 // entries that a comparison has found to differ
	Transferred  uint64 // entries that came with a state transfer
	Rejected     uint64 // states and writes that were refused
	Malformed    uint64 // messages that could not be decoded
	Incompatible uint64 // members that have the map in another form
	Busy         uint64 // questions of others that were put off
	Fetched      uint64 // values that were asked of others to be read
	Relocated    uint64 // values that came because this member is to have them now
	Dropped      uint64 // values that this member no longer has, since those have them that are to
	Unreachable  uint64 // values that no member had when they were needed, or none that answered
	Differences  uint64 // values of which others were sent what was different
	Resent       uint64 // values that were then sent whole, since others did not have the old one
}

// counters are those of Stats.
type counters struct {
	alone, leftOut, repaired, transferred, rejected, malformed, incompatible, busy atomic.Uint64
	fetched, relocated, dropped, unreachable                                       atomic.Uint64
	differences, resent                                                            atomic.Uint64
}

func (n *counters) stats() Stats {
	return Stats{
		Alone: n.alone.Load(), LeftOut: n.leftOut.Load(), Repaired: n.repaired.Load(),
		Transferred: n.transferred.Load(), Rejected: n.rejected.Load(), Malformed: n.malformed.Load(),
		Incompatible: n.incompatible.Load(), Busy: n.busy.Load(), Fetched: n.fetched.Load(),
		Relocated: n.relocated.Load(), Dropped: n.dropped.Load(), Unreachable: n.unreachable.Load(),
		Differences: n.differences.Load(), Resent: n.resent.Load(),
	}
}
