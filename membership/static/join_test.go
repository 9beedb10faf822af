package static

import (
	"fmt"
	"testing"
	"time"

	"github.com/gotribes/tribes/internal/bubble"
)

// group starts n members, numbered from 1, with one list of all of them, in one
// instant.
func (w *wire) group(n int, cfg Config) []*end {
	cfg.Members = append(cfg.Members, list(1, n)...)
	all := make([]*end, n)
	for i := range all {
		all[i] = w.end(i+1, cfg)
	}
	for _, e := range all {
		e.start()
	}
	return all
}

// whole reports whether each of all sees exactly the others.
func whole(all []*end) func() bool {
	return func() bool {
		for i, e := range all {
			others := append(append([]*end(nil), all[:i]...), all[i+1:]...)
			if !e.sees(others...) {
				return false
			}
		}
		return true
	}
}

// All start in the same instant with the local address on the list, and are one
// group after two round trips: START, its answer, and room for one more.
func TestGroupFormsInAFewRoundTrips(t *testing.T) {
	for _, n := range []int{2, 3, 20} {
		t.Run(fmt.Sprintf("%d members", n), func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				w := newWire(t)
				all := w.group(n, Config{})
				if took := until(t, time.Second, "a whole group", whole(all)); took > 4*hop {
					t.Errorf("the group was whole after %v, want two round trips, %v", took, 4*hop)
				}
				time.Sleep(2 * DefaultExpiration)
				for _, e := range all {
					if got := e.told(); len(got) != n-1 {
						t.Errorf("%s was told %v in a quiet time, want %d joins", e.local, got, n-1)
					}
					if got := e.drops(); len(got) != 0 {
						t.Errorf("%s dropped %v, want nothing", e.local, got)
					}
				}
				if !whole(all)() {
					t.Error("the group is not whole any more")
				}
			})
		})
	}
}

func TestLoneMemberStartsAtOnce(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := newWire(t)
		begin := time.Now()
		e := w.end(1, Config{Members: list(1, 5)})
		e.start()
		if took := time.Since(begin); took != 0 {
			t.Errorf("Start took %v, want no time", took)
		}
		time.Sleep(time.Minute)
		if got := e.told(); len(got) != 0 {
			t.Errorf("a lone member was told %v, want nothing", got)
		}
		if got := w.parcels(addr(1)); len(got) != 0 {
			t.Errorf("%d messages to the own address, want none", len(got))
		}
	})
}

// The local address may be on the list in a form that does not look like it,
// such as the address of a host that translates addresses.
func TestOwnAddressByAnotherName(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := newWire(t)
		e := w.end(1, Config{Members: list(1, 2)})
		w.route(addr(2), e.receive)
		e.start()
		time.Sleep(time.Minute)
		if got := e.told(); len(got) != 0 {
			t.Errorf("a member that dials itself was told %v, want nothing", got)
		}
		if got, want := len(w.parcels(addr(2))), 7; got > want {
			t.Errorf("%d questions to itself in a minute, want at most %d: one each MaxPause", got, want)
		}
	})
}

func TestAddressesThatDoNotAnswerDelayNobody(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := newWire(t)
		for i := 100; i < 150; i++ {
			w.swallow(addr(i), true)
		}
		cfg := Config{Members: append(list(100, 200), Peer{Addr: "[2001:db8::1]:4000"})}
		all := w.group(3, cfg)
		if took := until(t, time.Second, "a whole group", whole(all)); took > 4*hop {
			t.Errorf("the group was whole after %v, want %v", took, 4*hop)
		}
		time.Sleep(time.Minute)
		for _, e := range all {
			if got := e.told(); len(got) != 2 {
				t.Errorf("%s was told %v, want two joins", e.local, got)
			}
		}
	})
}

// pauses are the times between the messages to an address.
func (w *wire) pauses(i int) (all []time.Duration) {
	sent := w.parcels(addr(i))
	for k := 1; k < len(sent); k++ {
		all = append(all, sent[k].at.Sub(sent[k-1].at))
	}
	return all
}

func TestPausesGrowUpToMaxPause(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := newWire(t)
		const most = 4 * time.Second
		w.end(1, Config{Members: list(2, 3), MaxPause: most}).start()
		time.Sleep(2 * time.Hour)
		got := w.pauses(2)
		if len(got) < 1800 {
			t.Fatalf("%d tries in two hours, want one each %v for ever", len(got), most)
		}
		different := make(map[time.Duration]bool)
		for i, p := range got {
			want := min(firstPause<<min(i, 20), most)
			if p < want*9/10 || p > want+hop {
				t.Fatalf("pause %d is %v, want %v less up to a tenth", i, p, want)
			}
			different[p] = true
		}
		if len(different) < 500 {
			t.Errorf("%d different pauses of %d, want jitter", len(different), len(got))
		}
	})
}

// Nobody tells of the newcomer: its own list is empty but for an address that
// is dead.
func TestLateMemberIsFoundWithinMaxPause(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := newWire(t)
		a := w.end(1, Config{Members: list(1, 2)})
		a.start()
		time.Sleep(time.Hour)
		b := w.end(2, Config{Members: list(9, 9)})
		b.start()
		both := whole([]*end{a, b})
		until(t, DefaultMaxPause+4*hop, "both see each other", both)
		time.Sleep(time.Minute)
		if !both() || len(a.told()) != 1 || len(b.told()) != 1 {
			t.Errorf("told %v and %v, want one join each", a.told(), b.told())
		}
	})
}

func TestLateMemberThatAnnouncesItselfIsTakenAtOnce(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := newWire(t)
		a := w.end(1, Config{Members: list(1, 2)})
		a.start()
		time.Sleep(time.Hour)
		b := w.end(2, Config{Members: list(1, 2)})
		b.start()
		if took := until(t, time.Second, "both see each other", whole([]*end{a, b})); took > 4*hop {
			t.Errorf("both saw each other after %v, want %v", took, 4*hop)
		}
		// From now on it is asked in the rhythm of members, and not of the dead.
		before := len(w.parcels(addr(2)))
		time.Sleep(10 * time.Second)
		if got := len(w.parcels(addr(2))) - before; got < 18 {
			t.Errorf("%d messages to the newcomer in 10 s, want about 20: a question and an answer each second", got)
		}
	})
}

// One that is on nobody's list is taken as it announces itself, and stays
// although it asks more seldom than members expire, as Java nodes may.
func TestMemberThatIsOnNoListIsAsked(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := newWire(t)
		a := w.end(1, Config{Members: list(1, 1)})
		b := w.end(2, Config{Members: list(1, 1), Ping: 10 * time.Second, Expiration: time.Minute})
		a.start()
		b.start()
		until(t, time.Second, "both see each other", whole([]*end{a, b}))
		time.Sleep(time.Hour)
		if got := a.told(); len(got) != 1 {
			t.Errorf("told %v, want one join", got)
		}
		b.kill()
		until(t, DefaultExpiration+2*hop, "the end of the member", func() bool { return a.sees() })
		time.Sleep(time.Minute)
		before := len(w.parcels(addr(2)))
		time.Sleep(time.Minute)
		if got := len(w.parcels(addr(2))) - before; got != 0 {
			t.Errorf("%d messages in a minute to a member that was on no list and has failed, want none", got)
		}
	})
}

func TestFixedID(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := newWire(t)
		b, c := w.end(2, Config{Members: list(1, 1)}), w.end(3, Config{Members: list(1, 1)})
		a := w.end(1, Config{Members: []Peer{
			{Addr: addr(2).String(), ID: b.local.ID()},
			{Addr: addr(3).String(), ID: b.local.ID()}, // not its own
		}})
		a.start()
		b.start()
		c.start()
		until(t, time.Second, "the member with the right id", func() bool { return a.sees(b) })
		time.Sleep(time.Minute)
		if !a.sees(b) || len(a.told()) != 1 {
			t.Errorf("told %v, view %v; want %s alone", a.told(), a.View().Members, b.local)
		}
	})
}
