package channel

import "sync/atomic"

// Stats are counts since the channel was made.
type Stats struct {
	Sent           uint64 // sends that succeeded at every destination
	SentBytes      uint64 // payload bytes of those, once per destination
	SendsFailed    uint64 // sends that did not
	Received       uint64 // messages that reached the application
	ReceivedBytes  uint64 // payload bytes of those
	Unclaimed      uint64 // received messages that no listener accepted
	ListenerErrors uint64 // received messages that a listener failed on, or of a topic that has none here
	Panics         uint64 // panics in listeners
	Stuck          int    // callbacks that have not returned for Config.StuckAfter, now
	Members        int    // other members seen now
}

type counters struct {
	sent, sentBytes, failed           atomic.Uint64
	received, receivedBytes           atomic.Uint64
	unclaimed, listenerErrors, panics atomic.Uint64
}

// Stats returns the counts. Each is exact; they are not of one instant.
func (c *Channel) Stats() Stats {
	n := &c.counters
	return Stats{
		Sent:           n.sent.Load(),
		SentBytes:      n.sentBytes.Load(),
		SendsFailed:    n.failed.Load(),
		Received:       n.received.Load(),
		ReceivedBytes:  n.receivedBytes.Load(),
		Unclaimed:      n.unclaimed.Load(),
		ListenerErrors: n.listenerErrors.Load(),
		Panics:         n.panics.Load(),
		Stuck:          c.watchdog.stuck(),
		Members:        c.View().Len(),
	}
}
