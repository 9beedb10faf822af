package mcast

import (
	"net/netip"
	"time"

	"github.com/gotribes/tribes/membership"
)

// goodbye takes the goodbye of another member.
func (l *listener) goodbye(m *membership.Member, from netip.AddrPort, now time.Time) {
	p := l.peers[m.Key()]
	switch {
	case p == nil: // it left before it was heard, or this is its second goodbye
		l.strangers.dig(m.Key(), m.Attributes().Alive, now, l.cfg.DropTime)
	case p.disputed || l.cfg.StrictLeave && from.Addr() != m.Host().Unmap():
		l.suspect(membership.Left, m, now)
	default:
		l.leave(m, now)
	}
}

// leave takes out a member that said goodbye.
func (l *listener) leave(m *membership.Member, now time.Time) {
	// The goodbye itself knows best how old the member was, if it can be believed.
	alive, _ := l.table.AliveAt(m.Key(), now)
	alive = max(alive, min(m.Attributes().Alive, alive+2*l.cfg.Frequency.Milliseconds()))
	ev, ok := l.table.Remove(membership.Left, m, now)
	if !ok {
		return
	}
	l.counts.goodbyes.Add(1)
	l.graves.dig(m.Key(), alive, now, l.cfg.DropTime)
	l.gone(ev)
}

// judge tells what a heartbeat of somebody who is no member is to his goodbye.
func (l *listener) judge(m *membership.Member, now time.Time) verdict {
	if v := l.graves.judge(m, now); v != unrelated {
		return v
	}
	return l.strangers.judge(m, now)
}

// maxGraves bounds the goodbyes that are remembered.
const maxGraves = 4096

// graves remember who said goodbye, for the time in which the network may still
// bring older heartbeats of them. All are kept for the same time. The zero graves
// are ready.
type graves struct {
	m     map[membership.Key]grave
	order []buried // the oldest first; some may be removed from m already
}

type grave struct {
	at    time.Time     // of the goodbye
	alive int64         // what the member's alive time was then, in ms
	keep  time.Duration // also the longest delay of a datagram that is reckoned with
}

type buried struct {
	k  membership.Key
	at time.Time
}

// verdict says what a heartbeat is to a goodbye of the same member.
type verdict uint8

const (
	unrelated verdict = iota // there was no goodbye, or it is too long ago
	late                     // it can have been sent before the goodbye
	restarted                // its alive time has begun anew
	continued                // it was sent after the goodbye, as if there had been none
)

// slack is by how much, in milliseconds, an alive time must be beyond what it
// was at the goodbye to be that of a later heartbeat.
const slack = 250

// dig remembers a goodbye. The first of several counts.
func (g *graves) dig(k membership.Key, alive int64, now time.Time, keep time.Duration) {
	if old, ok := g.m[k]; ok && now.Sub(old.at) <= old.keep {
		return
	}
	for len(g.order) > 0 && (len(g.order) >= maxGraves || now.Sub(g.order[0].at) > keep) {
		oldest := g.order[0]
		g.order = g.order[1:]
		if g.m[oldest.k].at.Equal(oldest.at) {
			delete(g.m, oldest.k)
		}
	}
	if g.m == nil {
		g.m = make(map[membership.Key]grave)
	}
	g.m[k] = grave{at: now, alive: alive, keep: keep}
	g.order = append(g.order, buried{k, now})
}

func (g *graves) remove(k membership.Key) { delete(g.m, k) }

// judge tells what the heartbeat m is to a goodbye. A heartbeat of before the
// goodbye has an alive time of before it, so the delay that it must have had on
// its way can be reckoned; if that is too long to be believed, the member has
// started again under its old id, as Java nodes do.
func (g *graves) judge(m *membership.Member, now time.Time) verdict {
	x, ok := g.m[m.Key()]
	if !ok || now.Sub(x.at) > x.keep {
		return unrelated
	}
	older := x.alive - m.Attributes().Alive // ms between that heartbeat and the goodbye
	switch {
	case older < -slack:
		return continued
	case now.Sub(x.at).Milliseconds()+older > x.keep.Milliseconds():
		return restarted
	}
	return late
}
