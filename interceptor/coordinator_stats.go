package interceptor

import (
	"sync/atomic"
	"time"
)

// CoordinatorStats says what a [NonBlockingCoordinator] has done and what it
// waits for.
type CoordinatorStats struct {
	Views     uint64 // views that were installed
	Changes   uint64 // times that the coordinator, as Leadership tells it, became another one or none
	Elections uint64 // elections that this member has begun
	Again     uint64 // requests of those that did not come back and were sent again
	Asked     uint64 // times that this member has asked the first one for a view
	Stalled   uint64 // elections that took longer than Timeout

	Tokens    uint64 // tokens that came and were well formed
	Refused   uint64 // tokens that were dropped: damaged, forged, out of date, too many
	Sent      uint64 // tokens that a member has acknowledged
	Unsent    uint64 // attempts at sending one that failed
	Probes    uint64 // probes of members of which only tokens had told
	Swallowed uint64 // such probes of others that were received

	Learned int           // members of which only tokens have told, and which answer probes
	Waiting time.Duration // for how long a view has been needed; zero if none is
}

type coordinatorCounts struct {
	views, changes                                   atomic.Uint64
	notes                                            [ringNoteKinds]atomic.Uint64
	tokens, refused, sent, unsent, probes, swallowed atomic.Uint64
}

// Stats returns the counts so far. Each is exact; they are not of one instant.
func (c *NonBlockingCoordinator) Stats() CoordinatorStats {
	n := &c.counts
	s := CoordinatorStats{
		Views:     n.views.Load(),
		Changes:   n.changes.Load(),
		Elections: n.notes[noteElection].Load(),
		Again:     n.notes[noteAgain].Load(),
		Asked:     n.notes[noteAsked].Load(),
		Stalled:   n.notes[noteStalled].Load(),
		Tokens:    n.tokens.Load(),
		Refused:   n.refused.Load(),
		Sent:      n.sent.Load(),
		Unsent:    n.unsent.Load(),
		Probes:    n.probes.Load(),
		Swallowed: n.swallowed.Load(),
	}
	c.ringMu.Lock()
	defer c.ringMu.Unlock()
	if c.ring == nil {
		return s
	}
	s.Learned = len(c.ring.known.learned)
	if !c.ring.since.IsZero() {
		s.Waiting = time.Since(c.ring.since)
	}
	return s
}

// ringNoteText has the lines for the log of those notes that a human may want to
// know of.
var ringNoteText = [ringNoteKinds]string{
	noteStalled:            "an election does not end; perhaps a member has no coordinator layer, or not all members reach each other",
	noteRefusedOld:         "a view was refused: its term is not above the present one",
	noteRefusedUnreachable: "a view was refused: its coordinator does not answer",
	noteRefusedCrowd:       "a token was refused: too many unknown members or tokens at a time",
	noteRefusedLoop:        "a token was refused: it goes round and round",
	noteRefusedNobody:      "a token was refused: its source does not answer",
	noteRefusedStray:       "a token was refused: its sender is not in it",
}

// tell counts a note and writes it to the log, seldom.
func (c *NonBlockingCoordinator) tell(n ringNote) {
	c.counts.notes[n.kind].Add(1)
	if n.kind >= noteRefusedOld {
		c.counts.refused.Add(1)
	}
	if text := ringNoteText[n.kind]; text != "" {
		c.drops.warn(text, n.member, "count", c.counts.notes[n.kind].Load(), nil)
	}
}
