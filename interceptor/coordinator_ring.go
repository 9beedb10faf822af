package interceptor

import (
	"time"

	"github.com/gotribes/tribes/membership"
)

// ring is what a coordinator knows and decides. It has no clock, no lock and no
// goroutine; its methods get the time and leave what is to be done for finish.
//
// The first of the members that it knows sends a request round. Each member adds
// whom it knows and passes the request on. When it comes back with all whom the
// first one knows by then, that confirms the list to all, and takes office when
// they have acknowledged it. The others wait, and ask the first one if they wait
// for too long.
type ring struct {
	set   *coordinatorSettings
	local *membership.Member
	begun time.Time
	known acquaintances

	view      *membership.Agreed
	installed time.Time
	demoted   int    // confirmations of other members that are in line
	terms     uint64 // the highest seen
	floor     uint64 // the highest of a view that was installed

	run    *election
	late   map[membership.Key]*membership.Member // who has not acknowledged the view; nil if it is not ours
	lateAt time.Time
	passes map[membership.ViewID]passCount

	since   time.Time // since when another view is needed; zero if none is
	asked   time.Time // when the first member was asked for one, or a request was passed on
	pause   time.Duration
	refused bool // a view was refused that others may have
	told    bool // it was told that the election takes too long

	todo ringTodo
}

// election is one that this member runs.
type election struct {
	id         membership.ViewID
	members    []*membership.Member
	sent       time.Time // when the request or the confirmation was sent last
	rounds     int
	wanted     bool                                  // somebody asked for it, whatever our view is
	confirming map[membership.Key]*membership.Member // who has not acknowledged yet; nil while the request goes round
	failed     map[membership.Key]*membership.Member // who could not be told
}

// passCount counts how often a request was passed on.
type passCount struct {
	first time.Time
	count int
}

// ringTodo is what follows from a change of the ring.
type ringTodo struct {
	sends  []tokenDelivery
	probes []*membership.Member
	views  []*membership.Agreed
	notes  []ringNote
	busy   bool // the ring waits for a time
}

// tokenDelivery is a token to be sent: to the first of route that takes it.
type tokenDelivery struct {
	token coordToken
	route []*membership.Member
}

// ringNote is something to be counted, and perhaps logged.
type ringNote struct {
	kind   ringNoteKind
	member *membership.Member // who has to do with it; may be nil
}

type ringNoteKind uint8

const (
	noteElection           ringNoteKind = iota // an election was begun
	noteAgain                                  // a request was sent again
	noteAsked                                  // the first member was asked for a view
	noteStalled                                // an election takes longer than the timeout
	noteRefusedOld                             // a view whose term is not above those before
	noteRefusedUnreachable                     // a view of a coordinator that does not answer
	noteRefusedCrowd                           // too many unknown members, or tokens at a time
	noteRefusedLoop                            // a request circulates
	noteRefusedNobody                          // a request of a member that is not there
	noteRefusedStray                           // a request from one whom it does not list
	ringNoteKinds                              // how many there are
)

func newRing(set *coordinatorSettings) *ring {
	return &ring{set: set, known: newAcquaintances(), passes: make(map[membership.ViewID]passCount), pause: set.retry}
}

// finish returns what is to be done.
func (r *ring) finish() ringTodo {
	t := r.todo
	r.todo = ringTodo{}
	t.probes = r.known.take()
	t.busy = r.view == nil || !r.since.IsZero() || r.run != nil || len(r.late) > 0 || len(r.known.learned) > 0
	return t
}

func (r *ring) note(kind ringNoteKind, m *membership.Member) {
	r.todo.notes = append(r.todo.notes, ringNote{kind, m})
}

// start begins, without a view.
func (r *ring) start(local *membership.Member, now time.Time) {
	r.local, r.begun = local, now
	r.known.local = local
	r.consider(now)
}

// first reports whether the local member is the first of those that it knows.
func (r *ring) first() bool { return r.known.members()[0].Key() == r.local.Key() }

// content reports whether the view is what the members are.
func (r *ring) content() bool {
	return r.view != nil && !r.refused && sameMembers(r.view.Members, r.known.members())
}

// event takes an event of the membership below.
func (r *ring) event(ev membership.Event, now time.Time) {
	gone := ev.Kind == membership.Left || ev.Kind == membership.Failed
	r.known.event(ev, now, r.set)
	if gone && r.run != nil && r.run.confirming == nil && r.run.lists(ev.Member.Key()) {
		r.run = nil // it may have had the request
	}
	r.consider(now)
}

func (e *election) lists(k membership.Key) bool {
	t := coordToken{members: e.members}
	return t.lists(k)
}

// tick looks whether it is time for anything.
func (r *ring) tick(now time.Time) {
	r.known.tick(now)
	for id, p := range r.passes {
		if now.Sub(p.first) > passMemory {
			delete(r.passes, id)
		}
	}
	if e := r.run; e != nil && now.Sub(e.sent) >= r.set.retry {
		if e.confirming != nil {
			r.close(now)
		} else {
			r.note(noteAgain, nil)
			r.round(now)
		}
	}
	if len(r.late) > 0 && now.Sub(r.lateAt) >= r.set.retry {
		r.remind(now)
	}
	r.consider(now)
}

// consider looks whether the view is what it should be, and if not what to do.
func (r *ring) consider(now time.Time) {
	if r.local == nil {
		return
	}
	all := r.known.members()
	if len(all) == 1 {
		r.run = nil // there is nobody to send anything to
	}
	if r.content() {
		if r.run != nil && r.run.confirming == nil && !r.run.wanted {
			r.run = nil
		}
		r.rest()
		return
	}
	if len(all) == 1 {
		if r.view != nil || now.Sub(r.begun) >= r.set.alone {
			r.install(membership.NewViewID(r.newTerm(now)), all, now)
			r.late = nil
			r.rest()
		}
		return
	}
	if r.since.IsZero() {
		r.since, r.asked = now, now
	}
	if now.Sub(r.since) >= r.set.timeout && !r.told {
		r.told = true
		r.note(noteStalled, all[0])
	}
	switch {
	case len(all) > r.set.most:
	case !r.first():
		if r.run != nil && r.run.confirming == nil {
			r.run = nil
		}
		if now.Sub(r.asked) >= r.pause {
			r.ask(now)
		}
	case r.run == nil:
		r.elect(now, false)
	}
}

// rest notes that no other view is needed.
func (r *ring) rest() { r.since, r.told, r.pause = time.Time{}, false, r.set.retry }

// newTerm returns a number above all that were seen, and above those of groups
// that ended before, as far as the clock goes.
func (r *ring) newTerm(now time.Time) uint64 {
	r.terms = min(max(r.terms+1, uint64(max(now.UnixMilli(), 1))), membership.MaxTerm)
	return r.terms
}

// elect begins an election.
func (r *ring) elect(now time.Time, wanted bool) {
	r.note(noteElection, nil)
	r.run = &election{id: membership.NewViewID(r.newTerm(now)), wanted: wanted}
	r.round(now)
}

// round sends the request of the running election round.
func (r *ring) round(now time.Time) {
	e := r.run
	e.members, e.sent = r.known.members(), now
	e.rounds++
	r.pass(coordToken{source: r.local, id: e.id})
}

// pass sends a request, with the members as they are known here, to the next one.
func (r *ring) pass(t coordToken) {
	t.members = r.known.members()
	t.leader = t.members[0]
	r.todo.sends = append(r.todo.sends, tokenDelivery{t, r.known.after()})
}

// ask makes the first member confirm a view, by a request in its name. A Java
// node confirms it at once if it knows the same members, even if a request of its
// own is lost, for which it waits for ever; a node of ours begins an election.
func (r *ring) ask(now time.Time) {
	all := r.known.members()
	r.asked = now
	r.pause = min(2*r.pause, slowest*r.set.retry)
	r.note(noteAsked, all[0])
	t := coordToken{leader: all[0], source: all[0], members: all, id: membership.NewViewID(r.newTerm(now))}
	r.todo.sends = append(r.todo.sends, tokenDelivery{t, all[:1]})
}

// wanted takes that somebody needs a view, which only the first member can make.
func (r *ring) wanted(now time.Time) {
	switch {
	case len(r.known.members()) == 1 || !r.first() || r.run != nil:
	case r.content() && now.Sub(r.installed) < r.set.retry: // it is on its way to who asks
	default:
		r.elect(now, true)
	}
}

// install makes members the view.
func (r *ring) install(id membership.ViewID, members []*membership.Member, now time.Time) {
	v := &membership.Agreed{Seq: 1, ID: id, Members: members}
	if r.view != nil {
		v.Seq = r.view.Seq + 1
	}
	r.view, r.installed = v, now
	r.refused = false
	r.floor = max(r.floor, id.Term())
	r.terms = max(r.terms, r.floor)
	r.todo.views = append(r.todo.views, v)
}

// leadership says who coordinates: nobody while the first member of the view is
// gone.
func (r *ring) leadership() Leadership {
	if r.view == nil {
		return Leadership{}
	}
	s := leadershipOf(r.view.Members, r.local, r.view.Term(), r.set.quorum)
	if s.Local && r.demoted > 0 || s.Coordinator != nil && !s.Local && !r.known.has(s.Coordinator.Key()) {
		s.Coordinator, s.Local = nil, false
	}
	return s
}
