package interceptor

import (
	"bytes"
	"testing"
	"time"

	"github.com/gotribes/tribes/interceptor/interceptortest"
	"github.com/gotribes/tribes/membership"
)

// ordeal is what a fuzzer lets happen to a ring. Each step is an operation, a
// member, and what it takes.
type ordeal struct {
	t   *testing.T
	r   *ring
	set *coordinatorSettings
	now time.Time
	ids []membership.ViewID
	// what was sent and probed and has no outcome yet
	sends  []tokenDelivery
	probes []*membership.Member
	// of the views that were installed
	views, highest uint64
}

// step does what the first three bytes say.
func (o *ordeal) step(op, who, what byte) {
	m := interceptortest.Member(1 + int(who)%12)
	switch op % 8 {
	case 0:
		if m.Key() != o.r.local.Key() {
			o.r.event(membership.Event{Kind: membership.Kind(1 + what%4), Member: m}, o.now)
		}
	case 1:
		o.now = o.now.Add(time.Duration(what) * 50 * time.Millisecond)
		o.r.tick(o.now)
	case 2, 3, 4:
		o.arrive(m, what, op)
	case 5:
		if len(o.sends) > 0 {
			d := o.sends[int(who)%len(o.sends)]
			var to *membership.Member
			if what%3 > 0 {
				to = d.route[int(what)%len(d.route)]
			}
			o.r.delivered(d, to, o.now)
		}
	case 6:
		if len(o.probes) > 0 {
			at := int(who) % len(o.probes)
			k := o.probes[at].Key()
			o.probes = append(o.probes[:at:at], o.probes[at+1:]...)
			o.r.probed(k, what%2 > 0, o.now)
		}
	default: // a request of the ring itself comes back
		if len(o.sends) > 0 {
			t := o.sends[int(who)%len(o.sends)].token
			if t.confirm {
				o.r.demoted++
			}
			o.r.arrive(t, m, o.now)
		}
	}
	o.check()
}

// arrive gives the ring a token of m with members chosen by the bits of what.
func (o *ordeal) arrive(m *membership.Member, what, op byte) {
	t := coordToken{source: interceptortest.Member(1 + int(op>>4)%12), id: o.ids[int(op>>3)%len(o.ids)]}
	for bit := range 8 {
		if what>>bit&1 > 0 {
			t.members = append(t.members, interceptortest.Member(1+(bit+int(op>>5))%12))
		}
	}
	if len(t.members) == 0 {
		t.members = []*membership.Member{m}
	}
	t = sortedToken(t)
	t.leader = t.members[0]
	if t.confirm = op%8 == 4 && t.lists(o.r.local.Key()) && t.leader.Key() != o.r.local.Key(); t.confirm { // the layer refuses others
		m = t.leader
		o.r.demoted++
	}
	o.r.arrive(t, m, o.now)
}

// sortedToken is t as it comes out of the decoder.
func sortedToken(t coordToken) coordToken {
	t.leader = t.source
	sorted, err := decodeToken(t.append(nil), 100)
	if err != nil {
		return coordToken{source: t.source, members: t.members[:1], id: t.id}
	}
	return sorted
}

// check looks at what must always be so.
func (o *ordeal) check() {
	r := o.r
	todo := r.finish()
	o.sends = append(o.sends, todo.sends...)
	if len(o.sends) > 20 {
		o.sends = o.sends[len(o.sends)-20:]
	}
	o.probes = append(o.probes, todo.probes...)
	for _, v := range todo.views {
		if v.Find(r.local.Key()) == nil {
			o.t.Errorf("view %v without the local member", v.Members)
		}
		if v.Seq != o.views+1 || v.Term() > 0 && v.Term() <= o.highest && v.Term() < membership.MaxTerm {
			o.t.Errorf("view %d with term %d after %d with terms up to %d", v.Seq, v.Term(), o.views, o.highest)
		}
		o.views, o.highest = v.Seq, max(o.highest, v.Term())
	}
	for _, d := range todo.sends {
		if len(d.route) == 0 || len(d.token.members) == 0 || d.token.leader.Key() != d.token.members[0].Key() {
			o.t.Errorf("sends %+v", d)
		}
	}
	a := &r.known
	if len(a.held) > mostTokens || len(a.probing) > mostProbes || len(a.absent) > mostAbsent || len(a.probing) != len(o.probes) {
		o.t.Errorf("%d tokens held, %d of %d probes, %d absent", len(a.held), len(a.probing), len(o.probes), len(a.absent))
	}
	held := 0
	for _, h := range a.held {
		if h.token.confirm {
			held++
		}
	}
	if r.demoted != held {
		o.t.Errorf("out of office for %d views, and %d wait", r.demoted, held)
	}
	if len(a.held) > 0 && len(a.probing) == 0 {
		o.t.Errorf("%d tokens wait for nothing", len(a.held))
	}
	if !r.content() && !todo.busy {
		o.t.Errorf("it needs a view and waits for no time: %+v", r)
	}
}

// Whatever comes, in whatever order, views rise and have the local member, memory
// is bounded, and no token waits for nothing.
func FuzzCoordinatorRing(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x07\x00\x00\x05\x00\x01\x01\x00\xff"))
	f.Add([]byte("\x02\x03\xff\x06\x00\x01\x06\x00\x01\x04\x00\x1f\x01\x00\x40\x05\x00\x00"))
	f.Add(bytes.Repeat([]byte("\x0a\x05\x55\x24\x00\xaa\x01\x00\x80\x07\x01\x00"), 20))
	f.Fuzz(func(t *testing.T, script []byte) {
		set, err := new(NonBlockingCoordinator).settings()
		if err != nil {
			t.Fatal(err)
		}
		o := &ordeal{t: t, set: &set, r: newRing(&set), now: time.UnixMilli(1_800_000_000_000)}
		o.ids = []membership.ViewID{
			membership.NewViewID(1), membership.NewViewID(uint64(o.now.UnixMilli()) + 5), membership.NewViewID(uint64(o.now.UnixMilli()) + 500),
			membership.NewViewID(membership.MaxTerm), membership.ViewID(membership.NewID()), membership.ViewID(membership.NewID()),
		}
		o.r.start(interceptortest.Member(6), o.now)
		for len(script) >= 3 {
			o.step(script[0], script[1], script[2])
			script = script[3:]
		}
	})
}
