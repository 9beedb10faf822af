package replica

import "sync/atomic"

// counters are the numbers of Stats.
type counters struct {
	degraded, leftOut, rejected, malformed, strangers, incompatible atomic.Uint64
	duplicates, refused, gaps, repaired, incomplete                 atomic.Uint64
}

// Stats are numbers of an engine, since it was made except for the first ones.
type Stats struct {
	Peers   int // that have the same manager now
	Current int // of those, the ones that commits wait for

	Degraded     uint64 // commits that no peer confirmed, because there was none that answers
	LeftOut      uint64 // times that a peer did not answer in time
	Rejected     uint64 // changes that a merge refused, here or at a peer
	Malformed    uint64 // messages that could not be read
	Strangers    uint64 // messages of members that had not introduced themselves
	Incompatible uint64 // introductions of members with another codec or version
	Duplicates   uint64 // peers with the route of this node
	Refused      uint64 // questions of peers not answered because there were too many
	Gaps         uint64 // changes of which something before was missing
	Repaired     uint64 // sessions found different in a comparison
	Incomplete   uint64 // starts that found no state in time
}

// Stats returns the numbers now. They are read one after the other.
func (e *Engine) Stats() Stats {
	s := Stats{
		Degraded: e.n.degraded.Load(), LeftOut: e.n.leftOut.Load(), Rejected: e.n.rejected.Load(),
		Malformed: e.n.malformed.Load(), Strangers: e.n.strangers.Load(), Incompatible: e.n.incompatible.Load(),
		Duplicates: e.n.duplicates.Load(), Refused: e.n.refused.Load(),
		Gaps: e.n.gaps.Load(), Repaired: e.n.repaired.Load(),
		Incomplete: e.n.incomplete.Load(),
	}
	s.Peers, s.Current = e.peers.Count()
	return s
}
