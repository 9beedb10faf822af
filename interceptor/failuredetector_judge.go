package interceptor

import (
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/membership"
)

// verdict is what a probe says about a member.
type verdict uint8

const (
	answered verdict = iota + 1 // it can be reached
	missing                     // it cannot
	noTest                      // this channel cannot probe: believe the membership
	noResult                    // the probe failed for a reason of our own: try again
)

const (
	firstRetry    = 100 * time.Millisecond // of a candidate; doubles up to the check period
	settled       = 100 * time.Millisecond // how long an answer makes another probe needless
	clashPatience = 10 * time.Second       // how long two members may share an address before that is noted
	trustFactor   = 10                     // check periods between probes of a trusted silent member
	quietMisses   = 5                      // failed probes of a candidate before that is noted
	maxRetrySize  = 16                     // doublings beyond which no retry pause grows
)

// kind says how deep a probe of s must look.
func (r *roster) kind(s *subject) channel.ProbeKind {
	doubt := s.suspect() || r.set.faults > 0 && s.faults >= r.set.faults
	if r.set.readTest == ReadAlways || r.set.readTest == ReadWhenInDoubt && doubt {
		return channel.ProbeRead
	}
	return r.set.shallow
}

// request asks for a probe of s as soon as there is room.
func (r *roster) request(s *subject, now time.Time) {
	s.due = time.Time{}
	if s.barred {
		return
	}
	kind := r.kind(s)
	if fresh := s.last; fresh.Err == nil && fresh.Kind >= kind && fresh.version == s.version && now.Sub(fresh.At) < settled {
		r.wait(s, fresh.At.Add(settled))
		return
	}
	r.plan.add(s, kind)
}

// wait makes s be probed at a time.
func (r *roster) wait(s *subject, at time.Time) {
	s.due = at
	r.wake(at)
}

// wake asks for a check at a time.
func (r *roster) wake(at time.Time) {
	if r.next.IsZero() || at.Before(r.next) {
		r.next = at
	}
}

// rest lets an announced member be, but for the watchdog.
func (r *roster) rest(s *subject, now time.Time) {
	s.due = time.Time{}
	if r.set.watchdog > 0 {
		r.wait(s, now.Add(r.set.watchdog))
	}
}

// check asks for the probes that are due.
func (r *roster) check(now time.Time) {
	if r.next.IsZero() || now.Before(r.next) {
		return
	}
	r.next = time.Time{}
	r.clashing(now)
	for _, s := range r.subjects {
		switch {
		case s.due.IsZero():
		case s.due.After(now):
			r.wait(s, s.due)
		default:
			r.request(s, now)
		}
	}
}

// fault takes failed sends to a member, timeouts of which had no answer.
func (r *roster) fault(k membership.Key, timeouts int, now time.Time) {
	s := r.subjects[k]
	if s == nil || !s.shown {
		return
	}
	s.doubted = true
	s.faults += timeouts
	r.request(s, now)
}

// result takes the end of a probe.
func (r *roster) result(p *probe, v verdict, res probeResult) {
	r.plan.ended(p)
	for _, w := range p.who {
		s := r.subjects[w.key]
		if s == nil || s.version != w.version {
			continue // who changes a member asks for the next probe of it
		}
		s.last = res
		s.last.version = w.version
		r.judge(s, v, res)
	}
}

// judge draws the conclusion of a probe of s.
func (r *roster) judge(s *subject, v verdict, res probeResult) {
	now := res.At
	switch {
	case v == noResult:
		r.wait(s, now.Add(r.set.pulse))
	case v == answered:
		r.reached(s, res)
	case v == noTest && !s.shown:
		r.show(s, now)
	case v == noTest && s.heard:
		r.rest(s, now)
	case !s.shown:
		r.missed(s, res)
	case !s.heard:
		r.drop(s, membership.Event{Kind: membership.Failed, Member: s.member, At: now}, now)
	default:
		r.note(noteCutOff, s, res.Err)
		r.hide(s, now)
		r.missed(s, res)
	}
}

// reached takes an answer of s.
func (r *roster) reached(s *subject, res probeResult) {
	now := res.At
	s.misses, s.doubted = 0, false
	if res.Kind == channel.ProbeRead {
		s.faults = 0
	}
	switch {
	case !s.shown && r.hold(s, now):
	case !s.shown:
		r.show(s, now)
	case s.heard:
		r.rest(s, now)
	case r.successor(s) != nil: // which is who answered
		r.drop(s, membership.Event{Kind: membership.Failed, Member: s.member, At: now}, now)
	case s.trusted:
		r.wait(s, now.Add(trustFactor*r.set.period))
	case r.set.suspectTimeout >= 0 && now.Sub(s.silent) >= r.set.suspectTimeout:
		s.trusted = true
		r.wait(s, now.Add(trustFactor*r.set.period))
	default:
		if !s.noted {
			s.noted = true
			r.note(noteSilent, s, nil)
		}
		r.wait(s, now.Add(r.set.period))
	}
}

// missed takes a failed probe of a candidate.
func (r *roster) missed(s *subject, res probeResult) {
	s.misses++
	if s.misses == quietMisses {
		r.note(noteUnreachable, s, res.Err)
	}
	pause := firstRetry << min(s.misses-1, maxRetrySize)
	r.wait(s, res.At.Add(min(pause, r.set.period)))
}
