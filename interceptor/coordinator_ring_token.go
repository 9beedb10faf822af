package interceptor

import (
	"maps"
	"time"

	"github.com/gotribes/tribes/membership"
)

// arrive takes a token that from has sent. Members in it that nobody has told of
// are probed before it counts.
func (r *ring) arrive(t coordToken, from *membership.Member, now time.Time) {
	if !t.lists(from.Key()) {
		r.refuse(t, noteRefusedStray, from)
		return
	}
	r.terms = max(r.terms, t.id.Term())
	wait, ok := r.known.introduce(t.members, now)
	switch {
	case !ok:
		r.refuse(t, noteRefusedCrowd, from)
	case wait == nil:
		r.take(t, from, now)
	default:
		r.known.held = append(r.known.held, &heldToken{t, from, wait})
	}
}

// refuse drops a token.
func (r *ring) refuse(t coordToken, why ringNoteKind, from *membership.Member) {
	r.note(why, from)
	if t.confirm {
		r.demoted--
	}
}

// probed takes the result of a probe, and the tokens that have waited for it.
func (r *ring) probed(k membership.Key, alive bool, now time.Time) {
	for _, h := range r.known.probed(k, alive, now, r.set) {
		r.take(h.token, h.from, now)
	}
	r.consider(now)
}

// take takes a token of which all members are known, or known to be absent.
func (r *ring) take(t coordToken, from *membership.Member, now time.Time) {
	switch {
	case t.confirm:
		r.confirmed(t, from, now)
	case t.source.Key() == r.local.Key():
		r.returned(t, from, now)
	default:
		r.request(t, from, now)
	}
	r.consider(now)
}

// request takes the request of another member.
func (r *ring) request(t coordToken, from *membership.Member, now time.Time) {
	if r.first() { // it ends here, and the source needs what only we can do
		r.wanted(now)
		return
	}
	if !r.known.has(t.source.Key()) {
		r.refuse(t, noteRefusedNobody, t.source)
		return
	}
	r.relay(t, from, now)
}

// relay passes a request on, with a term above those of the views so far.
func (r *ring) relay(t coordToken, from *membership.Member, now time.Time) {
	p := r.passes[t.id.WithTerm(1)]
	if p.count == 0 {
		p.first = now
	}
	if p.count++; p.count > mostPasses || len(r.passes) >= mostAbsent {
		r.refuse(t, noteRefusedLoop, from)
		return
	}
	r.passes[t.id.WithTerm(1)] = p
	r.asked = now // something is going on
	if t.id.Term() <= r.floor {
		t.id = t.id.WithTerm(min(r.floor+1, membership.MaxTerm))
	}
	r.pass(coordToken{source: t.source, id: t.id})
}

// returned takes a request in the name of the local member.
func (r *ring) returned(t coordToken, from *membership.Member, now time.Time) {
	e := r.run
	switch {
	case len(r.known.members()) == 1: // the others are gone meanwhile
	case e != nil && e.confirming != nil: // it came twice
	case !r.first(): // there is somebody who is before us
		r.run = nil
		r.relay(t, from, now)
	case e == nil || !e.id.SameElection(t.id):
		r.wanted(now) // somebody asks for one
	default:
		if t.id.Term() > e.id.Term() {
			e.id = t.id
		}
		if sameMembers(t.members, r.known.members()) {
			r.confirm(now)
		} else if e.rounds < mostRounds { // else a tick sends it again
			r.round(now)
		}
	}
}

// confirm tells all others what the view is.
func (r *ring) confirm(now time.Time) {
	e := r.run
	e.members, e.sent = r.known.members(), now
	e.confirming = make(map[membership.Key]*membership.Member)
	e.failed = make(map[membership.Key]*membership.Member)
	for _, m := range e.members {
		if m.Key() != r.local.Key() {
			e.confirming[m.Key()] = m
			r.tell(e.id, e.members, m)
		}
	}
}

// tell sends a confirmation to one member.
func (r *ring) tell(id membership.ViewID, members []*membership.Member, to *membership.Member) {
	t := coordToken{leader: r.local, source: r.local, members: members, id: id, confirm: true}
	r.todo.sends = append(r.todo.sends, tokenDelivery{t, []*membership.Member{to}})
}

// delivered takes the outcome of a delivery; to is nil if nobody took the token.
func (r *ring) delivered(d tokenDelivery, to *membership.Member, now time.Time) {
	if !d.token.confirm {
		return // what does not come back is sent again
	}
	k := d.route[0].Key()
	if e := r.run; e != nil && e.confirming != nil && e.id == d.token.id {
		if m := e.confirming[k]; m != nil && to == nil {
			e.failed[k] = m
		}
		delete(e.confirming, k)
		if len(e.confirming) == 0 {
			r.close(now)
		}
	} else if to != nil && r.view != nil && r.view.ID == d.token.id {
		delete(r.late, k)
	}
	r.consider(now)
}

// close ends an election: the view is installed. Who has not acknowledged it is
// told again.
func (r *ring) close(now time.Time) {
	e := r.run
	r.run = nil
	maps.Copy(e.failed, e.confirming)
	r.late, r.lateAt = e.failed, now
	r.install(e.id, e.members, now)
}

// remind sends the confirmation again to those who are still there.
func (r *ring) remind(now time.Time) {
	r.lateAt = now
	for k, m := range r.late {
		if !r.known.has(k) {
			delete(r.late, k)
			continue
		}
		r.tell(r.view.ID, r.view.Members, m)
	}
}

// isOld reports whether the term of an id is not above those of the views so far.
// Where there is none, or there are no more, nothing is old.
func (r *ring) isOld(id membership.ViewID) bool {
	term := id.Term()
	return term > 0 && term <= r.floor && term < membership.MaxTerm
}

// confirmed takes a view that another member has confirmed.
func (r *ring) confirmed(t coordToken, from *membership.Member, now time.Time) {
	switch {
	case r.view != nil && r.view.ID == t.id:
		r.demoted--
		return
	case !r.known.has(from.Key()):
		r.refuse(t, noteRefusedUnreachable, from)
		return
	case r.isOld(t.id):
		r.refused = true // others may have it; a later one is needed
		r.refuse(t, noteRefusedOld, from)
		return
	}
	r.run, r.late = nil, nil // from comes before us
	r.demoted--
	r.install(t.id, t.members, now)
}
