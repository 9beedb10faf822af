package group

import (
	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/membership/mcast"
	"github.com/gotribes/tribes/transport/nio"
)

// Stats are the counts of a group's parts. Those of parts that the options
// brought themselves are not there.
type Stats struct {
	channel.Stats
	// Links has the sender's counts for each member that was sent to.
	Links []nio.MemberStats
	// RPC has the counts of remote calls.
	RPC RPCStats
	// Receiver has the receiver's counts, nil without a receiver of transport/nio.
	Receiver *nio.ReceiverStats
	// Multicast has the counts of the multicast membership, nil without one.
	Multicast *mcast.Stats
}

// Stats returns the counts. Each is exact; they are not of one instant.
func (g *Group) Stats() Stats {
	s := Stats{Stats: g.Channel.Stats(), RPC: g.calls.stats()}
	if g.parts.sender != nil {
		s.Links = g.parts.sender.Stats()
	}
	if g.parts.receiver != nil {
		st := g.parts.receiver.Stats()
		s.Receiver = &st
	}
	if g.parts.multicast != nil {
		st := g.parts.multicast.Stats()
		s.Multicast = &st
	}
	return s
}

// QueuedBytes is how much waits to be sent to all members together.
func (s *Stats) QueuedBytes() int64 {
	var sum int64
	for i := range s.Links {
		sum += int64(s.Links[i].QueuedBytes)
	}
	return sum
}

// Listening reports whether every part that serves a socket still does.
func (s *Stats) Listening() (receiver, members bool) {
	receiver = s.Receiver == nil || s.Receiver.Open
	members = s.Multicast == nil || s.Multicast.Open
	return receiver, members
}
