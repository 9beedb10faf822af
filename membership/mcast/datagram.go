package mcast

import (
	"net/netip"
	"time"

	"github.com/gotribes/tribes/membership"
)

// handle takes one datagram. What is wrong with it concerns nobody else: it is
// counted and dropped.
func (l *listener) handle(d *datagram, now time.Time) {
	l.counts.received.Add(1)
	switch {
	case len(d.b) == 0:
		l.reject(emptyDatagram, d.from)
	case d.cut:
		l.reject(cutDatagram, d.from)
	case membership.HasImagePrefix(d.b):
		l.image(d, now)
	default:
		l.frames(d)
	}
}

// reject counts a datagram, or a frame in one, that is not taken.
func (l *listener) reject(why reason, from netip.AddrPort) {
	l.count(why, from)
	if !why.suspicious() {
		return
	}
	if leftOut, ok := l.quiet.may(why.String(), from.Addr()); ok {
		l.env.Logger.Warn("multicast datagram dropped", "reason", why.String(), "addr", from, "before", leftOut)
	}
}

// conflict counts the image of a member that cannot be one beside those there
// are.
func (l *listener) conflict(why reason, m *membership.Member, from netip.AddrPort) {
	l.count(why, from)
	if leftOut, ok := l.quiet.may(why.String(), from.Addr()); ok {
		l.env.Logger.Warn("member not taken", "reason", why.String(), "member", m, "addr", from, "before", leftOut)
	}
}

func (l *listener) count(why reason, from netip.AddrPort) {
	l.counts.rejected[why].Add(1)
	l.upper.Trace.Rejected(from, why.String())
}

// image takes a member image; what follows it in the datagram is ignored, as
// Tribes does.
func (l *listener) image(d *datagram, now time.Time) {
	local := l.local.Load()
	if alive, ok := local.Announces(d.b); ok {
		l.self(d, alive > l.alive.last.Load())
		return
	}
	if m := l.table.Refresh(d.b, now); m != nil {
		l.counts.heartbeats.Add(1)
		l.compareSource(m, d.from)
		return
	}
	m, _, err := membership.Decode(d.b)
	switch {
	case err != nil:
		l.reject(imageReason(err), d.from)
	case m.Key() == local.Key():
		l.self(d, m.Leaving() || m.Attributes().Alive > l.alive.last.Load())
	case m.ID() == local.ID():
		l.conflict(ownID, m, d.from)
	case m.AddrPort() == local.AddrPort():
		l.sameAddress(m, d.from)
	case !m.Dialable():
		l.reject(notDialable, d.from)
	case m.Leaving():
		l.compareSource(m, d.from)
		l.goodbye(m, d.from, now)
	default:
		l.compareSource(m, d.from)
		l.heartbeat(m, d.from, now)
	}
}

// self takes a datagram that says to be from the local member: mostly one of our
// own that comes back.
func (l *listener) self(d *datagram, forged bool) {
	if forged {
		l.reject(forgedSelf, d.from)
		return
	}
	l.counts.own.Add(1)
}

// sameAddress takes the image of somebody else who says to be reached where we
// are: a former life of this process, or a mistake in a configuration. Messages
// to it would reach us, so it never becomes a member.
func (l *listener) sameAddress(m *membership.Member, from netip.AddrPort) {
	if m.Leaving() {
		l.counts.goodbyes.Add(1) // of the former life: all is well
		return
	}
	l.conflict(ownAddress, m, from)
}

// compareSource counts those who send from another address than they say to
// have. That is no fault: there is address translation, and hosts have several
// addresses.
func (l *listener) compareSource(m *membership.Member, from netip.AddrPort) {
	if foreign(m, from) {
		l.counts.foreign.Add(1)
	}
}

func foreign(m *membership.Member, from netip.AddrPort) bool {
	return from.IsValid() && from.Addr() != m.Host().Unmap()
}

// heartbeat takes an image that is new or changed.
func (l *listener) heartbeat(m *membership.Member, from netip.AddrPort, now time.Time) {
	k := m.Key()
	if l.peers[k] == nil {
		l.newcomerHeard(m, from, now)
		return
	}
	ev, changed, err := l.table.Heard(m, now)
	if err == nil && changed { // a member that is there always has room
		l.peers[k].member = m
		l.env.Notify(ev)
	}
}
