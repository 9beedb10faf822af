package interceptor

import (
	"maps"
	"slices"
	"time"

	"github.com/gotribes/tribes/membership"
)

// acquaintances are the members that a ring reckons with: those whom the
// membership reports, and those of whom a token told and who answer probes.
type acquaintances struct {
	local   *membership.Member
	below   map[membership.Key]*membership.Member
	learned map[membership.Key]*learnedMember
	absent  map[membership.Key]time.Time          // until when a member is taken for absent without a probe
	probing map[membership.Key]*membership.Member // probes that run
	ask     []*membership.Member                  // probes to be begun
	held    []*heldToken
	all     []*membership.Member // what members returns; nil if it has to be made
}

// learnedMember is a member of which only tokens have told.
type learnedMember struct {
	member *membership.Member
	due    time.Time // of the next probe
}

// heldToken is a token that waits for the results of probes.
type heldToken struct {
	token coordToken
	from  *membership.Member
	wait  map[membership.Key]bool
}

func newAcquaintances() acquaintances {
	return acquaintances{
		below:   make(map[membership.Key]*membership.Member),
		learned: make(map[membership.Key]*learnedMember),
		absent:  make(map[membership.Key]time.Time),
		probing: make(map[membership.Key]*membership.Member),
	}
}

// members returns all, with the local one, in absolute order. The list is not
// changed later.
func (a *acquaintances) members() []*membership.Member {
	if a.all == nil {
		a.all = append(slices.Collect(maps.Values(a.below)), a.local)
		for _, l := range a.learned {
			a.all = append(a.all, l.member)
		}
		slices.SortFunc(a.all, membership.CompareAbsolute)
	}
	return a.all
}

// after returns the other members, beginning with the one behind the local member.
func (a *acquaintances) after() []*membership.Member {
	all := a.members()
	at := slices.IndexFunc(all, func(m *membership.Member) bool { return m.Key() == a.local.Key() })
	return slices.Concat(all[at+1:], all[:at])
}

// has reports whether that member is there.
func (a *acquaintances) has(k membership.Key) bool {
	return a.below[k] != nil || a.learned[k] != nil || k == a.local.Key()
}

// event takes an event of the membership.
func (a *acquaintances) event(ev membership.Event, now time.Time, set *coordinatorSettings) {
	k := ev.Member.Key()
	a.all = nil
	delete(a.learned, k)
	switch ev.Kind {
	case membership.Joined, membership.Updated:
		a.below[k] = ev.Member
		delete(a.absent, k)
		maps.DeleteFunc(a.learned, func(_ membership.Key, l *learnedMember) bool {
			return l.member.AddrPort() == ev.Member.AddrPort()
		})
	case membership.Left:
		delete(a.below, k)
		a.miss(k, now.Add(goodbyeMemory))
	case membership.Failed:
		delete(a.below, k)
		a.miss(k, now.Add(set.retry))
	}
}

// miss remembers that a member is absent.
func (a *acquaintances) miss(k membership.Key, until time.Time) {
	if len(a.absent) < mostAbsent {
		a.absent[k] = until
	}
}

// introduce looks at the members in a token. It begins probes of those that are
// unknown, and returns whose results the token has to wait for, nil if for none;
// ok is false if there are too many.
func (a *acquaintances) introduce(members []*membership.Member, now time.Time) (wait map[membership.Key]bool, ok bool) {
	var fresh []*membership.Member
	for _, m := range members {
		k := m.Key()
		if a.has(k) || now.Before(a.absent[k]) || !m.Dialable() || a.taken(m) {
			continue
		}
		if wait == nil {
			wait = make(map[membership.Key]bool)
		}
		wait[k] = true
		if a.probing[k] == nil {
			fresh = append(fresh, m)
		}
	}
	if wait != nil && (len(a.held) >= mostTokens || len(a.probing)+len(fresh) > mostProbes) {
		return nil, false
	}
	for _, m := range fresh {
		a.probe(m)
	}
	return wait, true
}

// taken reports whether another member is on the address of m: a process that has
// restarted would answer for the one that it was before.
func (a *acquaintances) taken(m *membership.Member) bool {
	addr, k := m.AddrPort(), m.Key()
	return slices.ContainsFunc(a.members(), func(x *membership.Member) bool { return x.AddrPort() == addr && x.Key() != k })
}

func (a *acquaintances) probe(m *membership.Member) {
	a.probing[m.Key()] = m
	a.ask = append(a.ask, m)
}

// take returns the probes to be begun.
func (a *acquaintances) take() []*membership.Member {
	ask := a.ask
	a.ask = nil
	return ask
}

// probed takes the result of a probe and returns the tokens that need not wait
// any more.
func (a *acquaintances) probed(k membership.Key, alive bool, now time.Time, set *coordinatorSettings) []*heldToken {
	m := a.probing[k]
	delete(a.probing, k)
	switch {
	case m == nil || a.below[k] != nil || now.Before(a.absent[k]): // the membership knows better
	case alive && !a.taken(m) && (a.learned[k] != nil || len(a.learned) < set.most):
		if a.learned[k] == nil {
			a.all = nil
		}
		a.learned[k] = &learnedMember{m, now.Add(set.timeout / 3)}
	default:
		if a.learned[k] != nil {
			a.all = nil
		}
		delete(a.learned, k)
		a.miss(k, now.Add(set.retry))
	}
	var free []*heldToken
	a.held = slices.DeleteFunc(a.held, func(h *heldToken) bool {
		delete(h.wait, k)
		if len(h.wait) == 0 {
			free = append(free, h)
		}
		return len(h.wait) == 0
	})
	return free
}

// tick begins the probes that are due.
func (a *acquaintances) tick(now time.Time) {
	maps.DeleteFunc(a.absent, func(_ membership.Key, until time.Time) bool { return !now.Before(until) })
	for k, l := range a.learned {
		if !now.Before(l.due) && a.probing[k] == nil && len(a.probing) < mostProbes {
			a.probe(l.member)
		}
	}
}
