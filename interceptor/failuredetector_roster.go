package interceptor

import (
	"net/netip"
	"slices"
	"time"

	"github.com/gotribes/tribes/membership"
)

// roster is what a detector knows and decides: whom the membership reports,
// whom the layers above were told of, and whom to probe next. It has no clock,
// no lock and no goroutine; its methods get the time and leave what is to be
// done for finish.
//
//	             Joined                 probe answered
//	(unknown) ───────────► candidate ────────────────────► member ◄──────┐
//	    ▲                      │  ▲                        │   │         │ Joined
//	    │ Left, Failed         │  │ fault or watchdog,     │   │ Failed  │ (nothing
//	    ├──────────────────────┘  │ probe not answered     │   ▼         │  is raised)
//	    │                         └────────────────────────┘  suspect ───┘
//	    └─────────────────────────────────────────────────────────┘
//	       Left; probe not answered; another identity on the address
type roster struct {
	set      *detectorSettings
	local    netip.AddrPort
	subjects map[membership.Key]*subject
	at       map[netip.AddrPort][]*subject
	version  uint64                       // rises with each change of any subject
	seq      uint64                       // of the last view
	clashes  map[netip.AddrPort]time.Time // when to look whether two members still share the address
	next     time.Time                    // of the next check; zero if there is nothing to wait for
	plan     plan
	flaps    flapping
	todo     todo
}

// subject is one member that the membership below has reported.
type subject struct {
	member  *membership.Member
	as      time.Time // when the alive time in member was true
	version uint64    // of its last change; a probe's result counts for one version
	order   uint64    // rises from one joining subject to the next
	heard   bool      // the membership below has it
	shown   bool      // the layers above were told that it joined
	since   time.Time // since when
	held    time.Time // it answers, and is not announced before, because it has failed too often
	barred  bool      // it can never be shown: its address makes no sense
	doubted bool      // a send to it failed and no probe has answered since
	faults  int       // timed-out sends since it last passed a read test
	misses  int       // failed probes in a row
	silent  time.Time // since when it is shown and not heard
	noted   bool      // it was noted that it is silent and answers
	trusted bool      // it was silent and answering for the suspect timeout
	due     time.Time // of the next probe; zero if there is no reason for one
	last    probeResult
}

// suspect reports whether heartbeats of an announced member are missing.
func (s *subject) suspect() bool { return s.shown && !s.heard }

// todo is what follows from a change of the roster.
type todo struct {
	steps  []step
	probes []*probe
	notes  []note
	busy   bool // the roster waits for a time
}

// step is an event to pass up, with the view that goes with it.
type step struct {
	ev   membership.Event
	view *membership.View
}

func newRoster(set *detectorSettings) *roster {
	return &roster{
		set:      set,
		subjects: make(map[membership.Key]*subject),
		at:       make(map[netip.AddrPort][]*subject),
		clashes:  make(map[netip.AddrPort]time.Time),
		plan:     newPlan(set.maxProbes),
		flaps:    newFlapping(set),
	}
}

// finish returns what is to be done.
func (r *roster) finish() todo {
	t := r.todo
	r.todo = todo{}
	t.probes = r.plan.start(r)
	t.busy = !r.next.IsZero()
	return t
}

// event takes an event of the membership below.
func (r *roster) event(ev membership.Event, now time.Time) {
	s := r.subjects[ev.Member.Key()]
	switch ev.Kind {
	case membership.Joined, membership.Updated:
		r.heard(s, ev, now)
	case membership.Left:
		if s != nil {
			r.drop(s, ev, now)
		}
	case membership.Failed:
		if s != nil {
			r.silent(s, now)
		}
	}
}

// heard takes a member that is new, or changed, or heard again.
func (r *roster) heard(s *subject, ev membership.Event, now time.Time) {
	joined := ev.Kind == membership.Joined
	if s == nil {
		if joined {
			r.welcome(ev.Member, now)
		}
		return
	}
	changed := differ(s.member, ev.Member)
	s.member, s.as = ev.Member, now
	if joined {
		s.heard, s.trusted, s.noted, s.silent = true, false, false, time.Time{}
		r.touch(s)
	}
	switch {
	case joined && s.shown && !s.doubted:
		r.rest(s, now)
	case joined:
		r.request(s, now)
	}
	if changed && s.shown {
		r.pass(membership.Event{Kind: membership.Updated, Member: ev.Member, At: ev.At}, now)
	}
}

// welcome begins with a member that was not known.
func (r *roster) welcome(m *membership.Member, now time.Time) {
	s := &subject{member: m, as: now, heard: true}
	r.touch(s)
	s.order = s.version
	addr := m.AddrPort()
	r.subjects[m.Key()] = s
	r.at[addr] = append(r.at[addr], s)
	switch {
	case addr == r.local:
		s.barred = true
		r.note(noteOwnAddress, s, nil)
	case !m.Dialable():
		s.barred = true
		r.note(noteNoAddress, s, nil)
	default:
		r.request(s, now)
	}
}

// silent takes a member whose heartbeats are missing.
func (r *roster) silent(s *subject, now time.Time) {
	switch {
	case !s.shown:
		r.forget(s)
	case !s.heard:
	default:
		s.heard, s.silent = false, now
		r.touch(s)
		if o := r.successor(s); o != nil && o.order > s.order {
			r.drop(s, membership.Event{Kind: membership.Failed, Member: s.member, At: now}, now)
			return
		}
		r.request(s, now)
	}
}

// successor returns a member on the address of s that has more right to it: one
// that is heard, or has joined later.
func (r *roster) successor(s *subject) *subject {
	for _, o := range r.at[s.member.AddrPort()] {
		if o != s && o.shown && (o.heard || o.order > s.order) {
			return o
		}
	}
	return nil
}

// show announces a candidate that can be reached. What was on its address
// before, and is not heard any more, is gone by this evidence.
func (r *roster) show(s *subject, now time.Time) {
	for _, o := range slices.Clone(r.at[s.member.AddrPort()]) {
		switch {
		case o == s || !o.shown:
		case o.heard:
			r.clash(s.member.AddrPort(), now)
		default:
			r.drop(o, membership.Event{Kind: membership.Failed, Member: o.member, At: now}, now)
		}
	}
	s.shown, s.since, s.held = true, now, time.Time{}
	r.flaps.joined(s.member.Key(), now)
	r.touch(s)
	r.rest(s, now)
	r.pass(membership.Event{Kind: membership.Joined, Member: s.member, At: now}, now)
}

// clash remembers that two members announce one address. For a while that is
// so whenever a process restarts.
func (r *roster) clash(addr netip.AddrPort, now time.Time) {
	if _, known := r.clashes[addr]; !known {
		r.clashes[addr] = now.Add(clashPatience)
		r.wake(now.Add(clashPatience))
	}
}

// clashing notes, once for an address, that two members still announce it.
func (r *roster) clashing(now time.Time) {
	for addr, at := range r.clashes {
		switch {
		case at.IsZero():
		case now.Before(at):
			r.wake(at)
		default:
			r.clashes[addr] = time.Time{}
			if both := r.heardAt(addr); len(both) > 1 {
				r.note(noteConflict, both[len(both)-1], nil)
			}
		}
	}
}

// heardAt returns the members on addr that are announced and heard, in the
// order in which they joined.
func (r *roster) heardAt(addr netip.AddrPort) []*subject {
	return slices.DeleteFunc(slices.Clone(r.at[addr]), func(s *subject) bool { return !s.shown || !s.heard })
}

// hide takes back a member that is heard but cannot be reached; it is a
// candidate again.
func (r *roster) hide(s *subject, now time.Time) {
	s.shown, s.doubted = false, false
	r.flaps.failed(s.member.Key(), s.since, now)
	r.touch(s)
	r.pass(membership.Event{Kind: membership.Failed, Member: s.member, At: now}, now)
}

// drop forgets a member and passes ev up if it was announced.
func (r *roster) drop(s *subject, ev membership.Event, now time.Time) {
	shown := s.shown
	r.forget(s)
	if shown {
		if ev.Kind == membership.Failed {
			r.flaps.failed(s.member.Key(), s.since, now)
		}
		r.pass(ev, now)
	}
}

func (r *roster) forget(s *subject) {
	addr := s.member.AddrPort()
	delete(r.subjects, s.member.Key())
	left := slices.DeleteFunc(r.at[addr], func(o *subject) bool { return o == s })
	if len(left) == 0 {
		delete(r.at, addr)
		delete(r.clashes, addr)
		return
	}
	r.at[addr] = left
}

// touch makes results of probes that are under way void for s.
func (r *roster) touch(s *subject) {
	r.version++
	s.version = r.version
}

// pass lets ev go up, with the view as it is after ev.
func (r *roster) pass(ev membership.Event, now time.Time) {
	r.todo.steps = append(r.todo.steps, step{ev, r.view(now)})
}

// view lists the members that were announced, with alive times brought to now
// so that their ages can be compared.
func (r *roster) view(now time.Time) *membership.View {
	r.seq++
	v := &membership.View{Seq: r.seq}
	for _, s := range r.subjects {
		if s.shown {
			v.Members = append(v.Members, aged(s.member, now.Sub(s.as)))
		}
	}
	slices.SortFunc(v.Members, membership.CompareAge)
	return v
}

// aged is m when it has run for d longer.
func aged(m *membership.Member, d time.Duration) *membership.Member {
	if d < time.Millisecond {
		return m
	}
	older, err := m.With(func(a *membership.Attributes) { a.Alive += d.Milliseconds() })
	if err != nil {
		return m // it could not be made anew, so its age stays
	}
	return older
}

// differ compares all that members tell about themselves but their alive time.
func differ(a, b *membership.Member) bool {
	x, y := a.Attributes(), b.Attributes()
	x.Alive, y.Alive = 0, 0
	return x != y
}
