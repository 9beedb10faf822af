package interceptor

import (
	"net/netip"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/membership"
)

// probe is one test of an address, for all members there that want one.
type probe struct {
	addr   netip.AddrPort
	kind   channel.ProbeKind
	member *membership.Member // one of them, to dial
	who    []witness
	urgent bool // for a member that was announced
	begun  bool
}

// witness is a member as of one version.
type witness struct {
	key     membership.Key
	version uint64
}

// add makes p count for w too. It returns false if p was asked for by an older
// version of the same member, whose probe says nothing about this one.
func (p *probe) add(w witness) bool {
	for _, x := range p.who {
		if x.key == w.key {
			return x.version == w.version
		}
	}
	p.who = append(p.who, w)
	return true
}

// replace makes p count for w in place of an older version of the member.
func (p *probe) replace(w witness) {
	for i := range p.who {
		if p.who[i].key == w.key {
			p.who[i] = w
		}
	}
}

// plan says which probe runs next: never two on one address, no more than a
// limit, announced members first, and strangers on half of the places at most,
// so that however many of those are made up the members are still watched.
type plan struct {
	limit            int
	running, waiting map[netip.AddrPort]*probe
	urgent, others   []*probe // waiting, in order; with probes that were begun
	strangers        int      // running probes that are not urgent
}

func newPlan(limit int) plan {
	return plan{limit: limit, running: make(map[netip.AddrPort]*probe), waiting: make(map[netip.AddrPort]*probe)}
}

// add asks for a probe of s; it joins one of the same address.
func (pl *plan) add(s *subject, kind channel.ProbeKind) {
	w := witness{s.member.Key(), s.version}
	addr := s.member.AddrPort()
	if p := pl.running[addr]; p != nil && p.kind >= kind && p.add(w) {
		return
	}
	p := pl.waiting[addr]
	if p == nil {
		p = &probe{addr: addr, member: s.member}
		pl.waiting[addr] = p
		if !s.shown {
			pl.others = append(pl.others, p)
		}
	}
	p.kind = max(p.kind, kind)
	if !p.add(w) {
		p.replace(w)
	}
	if s.shown && !p.urgent {
		p.urgent = true
		pl.urgent = append(pl.urgent, p)
	}
}

// start returns the probes that may begin now.
func (pl *plan) start(r *roster) []*probe {
	var begin []*probe
	pl.urgent, begin = pl.pick(r, pl.urgent, begin, true)
	pl.others, begin = pl.pick(r, pl.others, begin, false)
	return begin
}

// pick takes what may begin out of a queue, in order, and returns what stays.
func (pl *plan) pick(r *roster, queue, begin []*probe, urgent bool) (left, begun []*probe) {
	left = queue[:0]
	for i, p := range queue {
		if !pl.room(urgent) {
			left = append(left, queue[i:]...)
			break
		}
		switch {
		case p.begun || p.urgent != urgent:
		case !p.prune(r):
			delete(pl.waiting, p.addr)
		case pl.running[p.addr] != nil:
			left = append(left, p)
		default:
			p.begun = true
			delete(pl.waiting, p.addr)
			pl.running[p.addr] = p
			if !p.urgent {
				pl.strangers++
			}
			begin = append(begin, p)
		}
	}
	clear(queue[len(left):])
	return left, begin
}

// room reports whether one more may run beside what is running.
func (pl *plan) room(urgent bool) bool {
	return len(pl.running) < pl.limit && (urgent || pl.strangers < max(pl.limit/2, 1))
}

// ended makes room.
func (pl *plan) ended(p *probe) {
	delete(pl.running, p.addr)
	if !p.urgent {
		pl.strangers--
	}
}

// prune leaves out members for whom the answer would not count any more; it
// returns false if none is left.
func (p *probe) prune(r *roster) bool {
	left := p.who[:0]
	for _, w := range p.who {
		if s := r.subjects[w.key]; s != nil && s.version == w.version {
			left = append(left, w)
			p.member = s.member
		}
	}
	p.who = left
	return len(left) > 0
}
