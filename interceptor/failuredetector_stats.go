package interceptor

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/membership"
)

// DetectorStats says what a [TCPFailureDetector] has done and what it knows.
type DetectorStats struct {
	Probes       uint64        // probes that have ended
	Missed       uint64        // those that did not reach the member
	Inconclusive uint64        // those that failed for a reason of this process: late, or out of descriptors
	Swallowed    uint64        // probes of others that were received
	Conflicts    uint64        // addresses that two members announced for longer than a restart takes
	Lag          time.Duration // how late this process was lately; the time limits of probes are longer by it
	Stretched    uint64        // probes that were given more time because this process was late
	Candidates   int           // members that are heard and not announced
	Suspects     int           // members that are announced and not heard, for less than SuspectTimeout
	Damped       int           // members that answer and are not announced yet, because they have failed too often
	Members      []MemberStatus
}

// MemberStatus is what a [TCPFailureDetector] knows of one member.
type MemberStatus struct {
	Member    *membership.Member
	Announced bool      // the layers above were told that it joined
	Heard     bool      // the membership below has it
	Suspect   bool      // it is announced and not heard, for less than SuspectTimeout
	Silent    time.Time // since when it is announced and not heard; zero if it is heard
	Timeouts  int       // sends that timed out since it last answered a frame of a probe
	Misses    int       // failed probes in a row, while it is not announced
	Flaps     int       // failures in a row, between which it was never there for FlapWindow
	HeldUntil time.Time // it answers and is not announced before, because of those; else zero

	// The last probe; LastProbe is zero if there was none.
	LastProbe time.Time
	Kind      channel.ProbeKind
	Took      time.Duration
	Err       error // nil if the member was reached
}

// probeResult is how a probe ended.
type probeResult struct {
	Kind    channel.ProbeKind
	At      time.Time
	Took    time.Duration
	Err     error
	version uint64 // of the subject it was for
}

// detectorCounts are the counters behind DetectorStats.
type detectorCounts struct {
	probes, missed, inconclusive, swallowed, conflicts, stretched atomic.Uint64
}

func (c *detectorCounts) count(v verdict) {
	c.probes.Add(1)
	switch v {
	case missing:
		c.missed.Add(1)
	case noResult:
		c.inconclusive.Add(1)
	}
}

// Stats returns what the detector knows, its members in absolute order. It
// returns the zero DetectorStats before the detector is bound.
func (d *TCPFailureDetector) Stats() DetectorStats {
	st := DetectorStats{
		Probes:       d.counts.probes.Load(),
		Missed:       d.counts.missed.Load(),
		Inconclusive: d.counts.inconclusive.Load(),
		Swallowed:    d.counts.swallowed.Load(),
		Conflicts:    d.counts.conflicts.Load(),
		Lag:          d.late.lately(),
		Stretched:    d.counts.stretched.Load(),
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.roster == nil {
		return DetectorStats{}
	}
	for _, s := range d.roster.subjects {
		m := s.status()
		m.Flaps = d.roster.flaps.count(s.member.Key())
		if !m.HeldUntil.IsZero() {
			st.Damped++
		}
		if m.Suspect {
			st.Suspects++
		}
		if !m.Announced {
			st.Candidates++
		}
		st.Members = append(st.Members, m)
	}
	slices.SortFunc(st.Members, func(a, b MemberStatus) int {
		return membership.CompareAbsolute(a.Member, b.Member)
	})
	return st
}

// Suspects returns the members that are announced and not heard, for less than
// SuspectTimeout, in absolute order.
func (d *TCPFailureDetector) Suspects() []*membership.Member {
	var all []*membership.Member
	for _, m := range d.Stats().Members {
		if m.Suspect {
			all = append(all, m.Member)
		}
	}
	return all
}

func (s *subject) status() MemberStatus {
	return MemberStatus{
		Member:    s.member,
		Announced: s.shown,
		Heard:     s.heard,
		Suspect:   s.suspect() && !s.trusted,
		Silent:    s.silent,
		Timeouts:  s.faults,
		Misses:    s.misses,
		HeldUntil: s.held,
		LastProbe: s.last.At,
		Kind:      s.last.Kind,
		Took:      s.last.Took,
		Err:       s.last.Err,
	}
}
