package mcast

import (
	"net/netip"
	"time"

	"github.com/gotribes/tribes/membership"
)

// maxFromSource is the number of members from one source address. Behind it can
// be a host with many processes, or somebody who makes members up.
const maxFromSource = 2048

// peer is what is kept of a member beside the table.
type peer struct {
	member   *membership.Member // as it described itself last
	source   netip.Addr         // where its first heartbeat came from
	disputed bool               // a goodbye in its name was refuted
}

// suspicion waits for a member to show that it is still there. If it does not,
// it is taken out with an event of that kind.
type suspicion struct {
	kind   membership.Kind
	member *membership.Member // for the event
	fresh  time.Time          // a heartbeat after that refutes it
	until  time.Time
}

// newcomerHeard takes the first heartbeat of a member, or its first one after
// it had gone.
func (l *listener) newcomerHeard(m *membership.Member, from netip.AddrPort, now time.Time) {
	verdict := l.judge(m, now)
	switch {
	case verdict == late:
		l.reject(straggler, from)
		return
	case l.ids[m.ID()].Port != 0: // members have a port
		l.conflict(takenID, m, from)
		return
	case l.sources[from.Addr()] >= maxFromSource:
		l.reject(sourceFull, from)
		return
	}
	ev, _, err := l.table.Heard(m, now)
	if err != nil {
		l.reject(tableFull, from)
		return
	}
	l.graves.remove(m.Key())
	l.strangers.remove(m.Key())
	if verdict == continued {
		l.refuted(m, from)
	}
	l.enter(m, from.Addr(), verdict == continued, now)
	l.env.Notify(ev)
	signal(l.newcomer)
	l.tellForeign(m, from)
}

// tellForeign says that a member that has joined is announced from elsewhere,
// which address translation and hosts with several addresses do too.
func (l *listener) tellForeign(m *membership.Member, from netip.AddrPort) {
	if !foreign(m, from) {
		return
	}
	if leftOut, ok := l.quiet.may("foreign", from.Addr()); ok {
		l.env.Logger.Info("a member is announced from another address than its own", "member", m, "addr", from, "before", leftOut)
	}
}

// refuted notes that a member goes on after a goodbye or suspicion.
func (l *listener) refuted(m *membership.Member, from netip.AddrPort) {
	l.counts.refuted.Add(1)
	if leftOut, ok := l.quiet.may("refuted", from.Addr()); ok {
		l.env.Logger.Warn("a member goes on after its goodbye, which may have been forged", "member", m, "addr", from, "before", leftOut)
	}
}

// enter keeps book of a new member. If another one was on its address, that one
// has to show that it is still there.
func (l *listener) enter(m *membership.Member, source netip.Addr, disputed bool, now time.Time) {
	k := m.Key()
	l.peers[k] = &peer{member: m, source: source, disputed: disputed}
	l.members.Store(int64(len(l.peers)))
	if !k.ID.IsZero() { // which is no id, and may be that of many
		l.ids[k.ID] = k
	}
	l.sources[source]++
	if old, ok := l.addrs[m.AddrPort()]; ok {
		l.suspect(membership.Failed, l.peers[old].member, now)
	}
	l.addrs[m.AddrPort()] = k
	l.wakeBy(now.Add(l.cfg.DropTime + 1))
}

// gone tells that a member is no longer in the table.
func (l *listener) gone(ev membership.Event) {
	k := ev.Member.Key()
	p := l.peers[k]
	delete(l.peers, k)
	l.members.Store(int64(len(l.peers)))
	delete(l.ids, k.ID)
	delete(l.suspects, k)
	if l.sources[p.source]--; l.sources[p.source] == 0 {
		delete(l.sources, p.source)
	}
	if a := ev.Member.AddrPort(); l.addrs[a] == k {
		delete(l.addrs, a)
	}
	l.env.Notify(ev)
}

// suspect gives a member three heartbeats to show that it is still there. A
// suspicion that stands already is kept.
func (l *listener) suspect(kind membership.Kind, m *membership.Member, now time.Time) {
	k := m.Key()
	if _, ok := l.suspects[k]; ok {
		return
	}
	l.counts.suspicions.Add(1)
	until := now.Add(3 * l.cfg.Frequency)
	l.suspects[k] = suspicion{kind: kind, member: m, fresh: now.Add(l.cfg.Frequency / 2), until: until}
	l.wakeBy(until)
}

// settle decides the suspicions that are due.
func (l *listener) settle(now time.Time) {
	for k, s := range l.suspects {
		if now.Before(s.until) {
			continue
		}
		delete(l.suspects, k)
		if heard, _ := l.table.LastHeard(k); heard.After(s.fresh) {
			l.counts.refuted.Add(1)
			continue
		}
		if s.kind == membership.Left {
			l.leave(s.member, now)
			continue
		}
		if ev, ok := l.table.Remove(s.kind, s.member, now); ok {
			l.gone(ev)
		}
	}
}
