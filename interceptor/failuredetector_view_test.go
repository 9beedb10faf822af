package interceptor

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gotribes/tribes/interceptor/interceptortest"
	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// auditor checks each event against the view and the events before it.
type auditor struct {
	b     *bench
	shown map[membership.Key]bool
	seq   uint64
	wrong []string
}

func (a *auditor) event(ev membership.Event) {
	k, v := ev.Member.Key(), a.b.View()
	switch joined := ev.Kind == membership.Joined; {
	case joined == a.shown[k]:
		a.complain("%s %s, announced: %t", ev.Member, ev.Kind, a.shown[k])
	case ev.Kind != membership.Updated:
		a.shown[k] = joined
		if !joined {
			delete(a.shown, k)
		}
	}
	if v.Seq <= a.seq {
		a.complain("view %d after view %d", v.Seq, a.seq)
	}
	a.seq = v.Seq
	if v.Len() != len(a.shown) {
		a.complain("after %s %s: %d members in the view, %d announced", ev.Member, ev.Kind, v.Len(), len(a.shown))
	}
	for i, m := range v.Members {
		if !a.shown[m.Key()] {
			a.complain("after %s %s: %s is in the view and was not announced", ev.Member, ev.Kind, m)
		}
		if i > 0 && membership.CompareAge(v.Members[i-1], m) > 0 {
			a.complain("the view is not in order of age")
		}
	}
}

func (a *auditor) complain(format string, args ...any) {
	a.wrong = append(a.wrong, fmt.Sprintf(format, args...))
}

// Whatever happens below, in any order, the events that are passed up agree
// with each other and with the view; and when all is quiet, the members that
// are heard and can be reached are the view.
func TestViewAgreesWithTheEvents(t *testing.T) {
	for seed := range uint64(60) {
		bubble.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 0))
			b := newBench(t, &TCPFailureDetector{MaxProbes: 1 + r.IntN(8), Watchdog: time.Duration(r.IntN(2)) * 5 * time.Second})
			a := &auditor{b: b, shown: make(map[membership.Key]bool)}
			b.Top.Watch(a.event)
			members := interceptortest.Members(2, 8)
			members = append(members,
				interceptortest.MemberAt(members[0].AddrPort(), 50), // a restart of the first
				interceptortest.MemberAt(members[0].AddrPort(), 51), // and another
				interceptortest.MemberAt(b.Local().AddrPort(), 60))
			for range 150 {
				b.disturb(t, r, members[r.IntN(len(members))])
			}
			heard := b.calm(t, r, members)
			if d := cmp.Diff(heard, addresses(b.View())); d != "" {
				t.Errorf("seed %d: when all is quiet the view differs from who can be reached (-want +got):\n%s", seed, d)
			}
			b.Part(membership.Left, members...)
			b.pass(time.Minute)
			if got := b.remembered(); got != 0 {
				t.Errorf("seed %d: when all have left the detector remembers %d things", seed, got)
			}
			for _, w := range a.wrong {
				t.Errorf("seed %d: %s", seed, w)
			}
		})
		if t.Failed() {
			return
		}
	}
}

// disturb does one random thing to m.
func (b *bench) disturb(t *testing.T, r *rand.Rand, m *membership.Member) {
	t.Helper()
	switch r.IntN(8) {
	case 0, 1:
		b.Join(m)
	case 2:
		b.Part(membership.Failed, m)
	case 3:
		b.Part(membership.Left, m)
	case 4:
		changed, err := m.With(func(a *membership.Attributes) { a.Payload = fmt.Sprint(r.IntN(100)) })
		if err != nil {
			t.Fatal(err)
		}
		b.Event(membership.Event{Kind: membership.Updated, Member: changed, At: time.Now()})
	case 5:
		b.net.set(condition(r.IntN(4)), m)
	case 6:
		b.Fault(m, message.NewID(), syscall.ECONNRESET)
	case 7:
		b.Fault(m, message.NewID(), message.ErrTimeout)
	}
	if r.IntN(3) == 0 {
		b.pass(time.Duration(r.IntN(3000)) * time.Millisecond)
	}
}

// calm lets every address be reached or not, and one member there be heard or
// none; it returns who must be announced when that has lasted for a while.
func (b *bench) calm(t *testing.T, r *rand.Rand, members []*membership.Member) map[netip.AddrPort]string {
	t.Helper()
	want := make(map[netip.AddrPort]string)
	decided := make(map[netip.AddrPort]bool)
	for _, i := range r.Perm(len(members)) {
		m := members[i]
		if decided[m.AddrPort()] || r.IntN(4) == 0 {
			b.Part(membership.Failed, m)
			continue
		}
		decided[m.AddrPort()] = true
		b.net.set(up, m)
		if r.IntN(4) == 0 {
			b.net.set(refused, m)
			b.Join(m)
			b.Fault(m, message.NewID(), syscall.ECONNREFUSED)
			continue
		}
		b.Join(m)
		if m.AddrPort() != b.Local().AddrPort() {
			want[m.AddrPort()] = m.ID().String()
		}
	}
	for _, m := range members {
		if !decided[m.AddrPort()] {
			b.net.set(refused, m)
		}
	}
	b.pass(2 * time.Minute)
	return want
}

// remembered counts what the detector holds.
func (b *bench) remembered() int {
	b.d.mu.Lock()
	defer b.d.mu.Unlock()
	r := b.d.roster
	p := &r.plan
	return len(r.subjects) + len(r.at) + len(r.clashes) + len(p.running) + len(p.waiting) + len(p.urgent) + len(p.others) + p.strangers
}

func addresses(v *membership.View) map[netip.AddrPort]string {
	all := make(map[netip.AddrPort]string)
	for _, m := range v.Members {
		all[m.AddrPort()] = m.ID().String()
	}
	return all
}

// The ages in a view can be compared, also when its members were described at
// different times.
func TestViewHasTheOldestFirst(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBench(t, new(TCPFailureDetector))
		old := agedMember(t, 2, time.Minute)
		b.joined(t, old)
		b.pass(time.Hour)
		young := agedMember(t, 3, 2*time.Minute)
		b.joined(t, young)
		v := b.View()
		if v.Len() != 2 || v.Members[0].Key() != old.Key() {
			t.Fatalf("view = %v, want %s first", v.Members, old)
		}
		if got := v.Members[0].Alive(); got < time.Hour || got > 62*time.Minute {
			t.Errorf("alive time of the oldest = %v, want about 61 minutes", got)
		}
	})
}

func agedMember(t *testing.T, n int, alive time.Duration) *membership.Member {
	t.Helper()
	m, err := interceptortest.Member(n).With(func(a *membership.Attributes) { a.Alive = alive.Milliseconds() })
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestUpdatesPass(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBench(t, new(TCPFailureDetector))
		m, stranger := interceptortest.Member(2), interceptortest.Member(3)
		b.joined(t, m)
		for _, x := range []*membership.Member{m, m, stranger} {
			changed, err := x.With(func(a *membership.Attributes) { a.Payload = "new" })
			if err != nil {
				t.Fatal(err)
			}
			b.Event(membership.Event{Kind: membership.Updated, Member: changed, At: time.Now()})
		}
		b.pass(0)
		b.expect(t, m, "updated")
		b.expect(t, stranger, "")
	})
}

func TestStatusTellsWhatTheDetectorKnows(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBench(t, new(TCPFailureDetector))
		good, closed := interceptortest.Member(2), interceptortest.Member(3)
		b.joined(t, good)
		b.net.set(dark, closed)
		b.Join(closed)
		b.pass(2 * time.Second)
		st := b.d.Stats()
		if st.Candidates != 1 || st.Suspects != 0 || st.Probes != 2 || st.Missed != 1 || len(st.Members) != 2 {
			t.Errorf("Stats() = %+v, want one candidate, two probes, one missed", st)
		}
		if s := b.status(t, good); !s.Announced || !s.Heard || s.Err != nil || s.LastProbe.IsZero() {
			t.Errorf("status of a member that was reached: %+v", s)
		}
		if s := b.status(t, closed); s.Announced || !s.Heard || s.Err == nil || s.Took != time.Second || s.Misses != 1 {
			t.Errorf("status of a member that was not reached in 1 s: %+v", s)
		}
	})
}
