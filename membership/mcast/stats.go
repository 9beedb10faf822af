package mcast

import (
	"sync/atomic"
)

// Stats are counts since the service was made.
type Stats struct {
	Interface string // network interface in use, empty if the caller supplied the connection
	Open      bool   // there is a socket now
	Opened    uint64 // sockets opened so far; more than one means recoveries

	Sent       uint64 // datagrams sent
	SendErrors uint64 // datagrams that could not be sent
	Received   uint64 // datagrams received, our own and bad ones included
	Own        uint64 // of those, our own
	Heartbeats uint64 // of those, heartbeats of known members that told nothing new

	// Rejected counts the datagrams, or frames in them, that were not taken, by
	// reason. The reasons are few and short: usable as metric labels.
	Rejected map[string]uint64

	ForeignSource uint64 // heartbeats and goodbyes that came from another address than the member's
	Goodbyes      uint64 // goodbyes that were believed
	Suspicions    uint64 // goodbyes and changes of identity that were only suspected
	Refuted       uint64 // goodbyes and suspicions that the member refuted by going on
	Starved       uint64 // times that members were given grace because we had not been running

	MessagesSent     uint64 // messages sent by multicast
	MessagesReceived uint64 // messages delivered, to a listener or in vain

	Members int            // members now
	Domains map[string]int // members now, by domain
}

type counters struct {
	opened                      atomic.Uint64
	sent, sendErrors            atomic.Uint64
	received, own, heartbeats   atomic.Uint64
	foreign, goodbyes           atomic.Uint64
	suspicions, refuted         atomic.Uint64
	messagesSent, messagesTaken atomic.Uint64
	rejected                    [numReasons]atomic.Uint64
}

// Stats returns the counts. Each is exact; they are not of one instant.
func (s *Service) Stats() Stats {
	c := &s.counts
	view := s.table.View()
	st := Stats{
		Opened:           c.opened.Load(),
		Sent:             c.sent.Load(),
		SendErrors:       c.sendErrors.Load(),
		Received:         c.received.Load(),
		Own:              c.own.Load(),
		Heartbeats:       c.heartbeats.Load(),
		Rejected:         make(map[string]uint64),
		ForeignSource:    c.foreign.Load(),
		Goodbyes:         c.goodbyes.Load(),
		Suspicions:       c.suspicions.Load(),
		Refuted:          c.refuted.Load(),
		Starved:          s.pulse.n.Load(),
		MessagesSent:     c.messagesSent.Load(),
		MessagesReceived: c.messagesTaken.Load(),
		Members:          view.Len(),
		Domains:          make(map[string]int),
	}
	if sock := s.sock.Load(); sock != nil {
		st.Open, st.Interface = true, sock.iface
	}
	for r := range numReasons {
		if n := c.rejected[r].Load(); n > 0 {
			st.Rejected[r.String()] = n
		}
	}
	for _, m := range view.Members {
		st.Domains[m.Domain()]++
	}
	return st
}
