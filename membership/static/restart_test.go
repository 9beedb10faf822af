package static

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/internal/javaser"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

func TestGoodbyeIsSeenAsLeft(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := newWire(t)
		all := w.group(3, Config{})
		until(t, time.Second, "a whole group", whole(all))
		all[2].stop()
		took := until(t, time.Second, "the goodbye", whole(all[:2]))
		if took > 2*hop {
			t.Errorf("the goodbye took %v, want one way, %v", took, hop)
		}
		time.Sleep(time.Minute)
		for _, e := range all[:2] {
			last := e.lastEvent(all[2].local)
			if last.Kind != membership.Left || !last.Member.Leaving() {
				t.Errorf("%s was told %v; the last about %s has the command %q, want left with the leave command",
					e.local, e.told(), all[2].local, last.Member.Command())
			}
			if len(e.told()) != 3 {
				t.Errorf("%s was told %v, want two joins and the goodbye", e.local, e.told())
			}
		}
	})
}

func TestKillIsSeenAsFailedWithinExpiration(t *testing.T) {
	for _, expiration := range []time.Duration{3 * time.Second, DefaultExpiration, 20 * time.Second} {
		t.Run(expiration.String(), func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				w := newWire(t)
				all := w.group(3, Config{Expiration: expiration})
				until(t, time.Second, "a whole group", whole(all))
				time.Sleep(2*time.Minute + 123*time.Millisecond)
				all[2].kill()
				killed := time.Now()
				until(t, expiration+2*hop, "the failure", whole(all[:2]))
				for _, e := range all[:2] {
					ev := e.lastEvent(all[2].local)
					if took := ev.At.Sub(killed); ev.Kind != membership.Failed || took < expiration-2*DefaultPing {
						t.Errorf("%s was told %v, %v after the kill, want failed after %v or a little less", e.local, ev.Kind, took, expiration)
					}
				}
			})
		})
	}
}

func TestGoodbyeOfAnUnknownMemberIsNothing(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := newWire(t)
		a := w.end(1, Config{Members: list(1, 2)})
		a.start()
		a.receive(notice(t, a.Service, newMember(t, addr(7)), nil, javaser.MemberStop))
		time.Sleep(time.Minute)
		if got := a.told(); len(got) != 0 {
			t.Errorf("told %v, want nothing", got)
		}
	})
}

// notice is a message about one member, in the name of from (nil: of that
// member), for the membership of s.
func notice(t testing.TB, s *Service, about, from *membership.Member, kind int32) *message.Message {
	t.Helper()
	b, err := javaser.Append(nil, said(s.id, about, kind))
	if err != nil {
		t.Fatal(err)
	}
	return object(b, about, from)
}

// question is a remote call about one member, likewise.
func questionFrom(t testing.TB, s *Service, about, from *membership.Member, kind int32, id callID, reply bool) *message.Message {
	t.Helper()
	b, err := javaser.AppendRPC(nil, &javaser.RPC{Reply: reply, UUID: id[:], ID: s.id, Message: said(s.id, about, kind)})
	if err != nil {
		t.Fatal(err)
	}
	return object(b, about, from)
}

func said(id []byte, about *membership.Member, kind int32) *javaser.MemberMessage {
	return &javaser.MemberMessage{Type: kind, MembershipID: id, Member: &javaser.Member{Image: []byte(about.Image())}}
}

func object(payload []byte, about, from *membership.Member) *message.Message {
	if from == nil {
		from = about
	}
	var pool message.Pool
	m := pool.New(len(payload))
	defer m.Release()
	copy(m.Payload(), payload)
	m.ID, m.Source, m.Options = message.NewID(), from, message.Async
	return m.Clone()
}

// The new process is asked, or announces itself, within the time in which its
// predecessor has not failed yet.
func TestRestartLeavesNoGhost(t *testing.T) {
	for _, announces := range []bool{true, false} {
		t.Run(fmt.Sprintf("announces itself %v", announces), func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				w := newWire(t)
				all := w.group(3, Config{})
				until(t, time.Second, "a whole group", whole(all))
				time.Sleep(time.Minute)
				all[2].kill()
				time.Sleep(300 * time.Millisecond)
				cfg := Config{Members: list(9, 9)}
				if announces {
					cfg.Members = list(1, 3)
				}
				again := w.end(3, cfg)
				again.start()
				within := DefaultPing + 4*hop
				if announces {
					within = 4 * hop
				}
				until(t, within, "the successor and no ghost", func() bool {
					return all[0].sees(all[1], again) && all[1].sees(all[0], again)
				})
				time.Sleep(time.Minute)
				for _, e := range all[:2] {
					got := e.told()
					if want := []string{"failed 10.0.0.3:4000", "joined 10.0.0.3:4000"}; len(got) != 4 || !slices.Equal(got[2:], want) {
						t.Errorf("%s was told %v, want two joins and %v", e.local, got, want)
					}
				}
			})
		})
	}
}

// A process that comes back under its old id, before anybody has missed it, is
// the same member. After a goodbye it joins anew.
func TestRestartWithTheSameID(t *testing.T) {
	for _, goodbye := range []bool{true, false} {
		t.Run(fmt.Sprintf("after a goodbye %v", goodbye), func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				w := newWire(t)
				cfg := Config{Members: list(1, 2)}
				a, b := w.end(1, cfg), w.end(2, cfg)
				a.start()
				b.start()
				until(t, time.Second, "a whole group", whole([]*end{a, b}))
				want := []string{"joined 10.0.0.2:4000"}
				if goodbye {
					b.stop()
					want = append(want, "left 10.0.0.2:4000", "joined 10.0.0.2:4000")
				} else {
					b.kill()
				}
				time.Sleep(hop) // for the goodbye
				w.dead = make(map[membership.Key]bool)
				b = w.endOf(b.local, cfg)
				b.start()
				until(t, time.Second, "a whole group again", whole([]*end{a, b}))
				time.Sleep(time.Minute)
				if got := a.told(); !slices.Equal(got, want) {
					t.Errorf("told %v, want %v", got, want)
				}
			})
		})
	}
}

// The address of every member changes, one after the other: each is known by
// those who are there.
func TestAllAddressesChange(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := newWire(t)
		all := w.group(3, Config{})
		until(t, time.Second, "a whole group", whole(all))
		for i := range all {
			next := w.end(11+i, Config{Members: append(list(1, 3), list(11, 13)...)})
			next.start()
			all = append(all, next)
			until(t, time.Second, "the newcomer", whole(all))
			all[0].stop()
			all = all[1:]
			until(t, time.Second, "the goodbye", whole(all))
		}
		time.Sleep(time.Minute)
		if !whole(all)() {
			t.Error("the group is not whole after a minute")
		}
	})
}

// Somebody announces a successor of a member that is alive: nobody is evicted
// and nobody joins. The member itself is what answers there.
func TestForgedStartEvictsNobody(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := newWire(t)
		all := w.group(2, Config{})
		until(t, time.Second, "a whole group", whole(all))
		forged := newMember(t, all[1].local.AddrPort())
		for range 20 {
			for _, kind := range []int32{javaser.MemberStart, javaser.MemberPing} {
				all[0].receive(questionFrom(t, all[0].Service, forged, nil, kind, callID{1}, false))
				all[0].receive(questionFrom(t, all[0].Service, forged, nil, kind, callID{2}, true))
				all[0].receive(notice(t, all[0].Service, forged, nil, kind))
			}
			all[0].receive(notice(t, all[0].Service, forged, nil, javaser.MemberStop))
			time.Sleep(time.Second)
		}
		if got := all[0].told(); len(got) != 1 || !whole(all)() {
			t.Errorf("told %v, view %v; want one join and the member", got, all[0].View().Members)
		}
	})
}

// What is said in the name of somebody else does not count, whatever it is.
func TestThirdPartiesSayNothing(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := newWire(t)
		all := w.group(3, Config{})
		until(t, time.Second, "a whole group", whole(all))
		a, victim, liar := all[0], all[1].local, all[2].local
		stranger := newMember(t, addr(9))
		a.receive(notice(t, a.Service, victim, liar, javaser.MemberStop))
		a.receive(notice(t, a.Service, stranger, liar, javaser.MemberStart))
		a.receive(questionFrom(t, a.Service, stranger, liar, javaser.MemberStart, callID{1}, false))
		a.receive(questionFrom(t, a.Service, stranger, liar, javaser.MemberStart, callID{1}, true))
		time.Sleep(time.Minute)
		if got := a.told(); len(got) != 2 || !whole(all)() {
			t.Errorf("told %v, want two joins", got)
		}
		want := []string{dropThird, dropThird, dropThird, dropThird}
		if got := a.drops(); !slices.Equal(got, want) {
			t.Errorf("dropped %v, want %v", got, want)
		}
		if got := w.parcels(addr(9)); len(got) != 0 {
			t.Errorf("%d messages to whom a third party named, want none", len(got))
		}
	})
}

// Where an address answers for several members in turn, those that cannot be
// reached at the address that they announce are not taken, and those that can
// do not evict each other.
func TestOneAddressForSeveralMembers(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := newWire(t)
		a := w.end(1, Config{Members: list(5, 5), MaxPause: time.Second})
		b, c := w.end(2, Config{Members: list(9, 9)}), w.end(3, Config{Members: list(9, 9)})
		var n atomic.Int32
		w.route(addr(5), func(m *message.Message) { // a load balancer
			if n.Add(1)%2 == 0 {
				b.receive(m)
			} else {
				c.receive(m)
			}
		})
		for _, e := range []*end{a, b, c} {
			e.start()
		}
		until(t, time.Minute, "both members", func() bool { return a.sees(b, c) })
		time.Sleep(5 * time.Minute)
		if got := a.told(); len(got) != 2 {
			t.Errorf("told %v, want two joins", got)
		}
	})
}

// An answer that the goodbye has overtaken does not bring the member back.
func TestGoodbyeOvertakesTheAnswer(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := newWire(t)
		a := w.end(1, Config{Members: list(2, 2)})
		b := newMember(t, addr(2))
		var asked atomic.Bool
		w.route(addr(2), func(m *message.Message) {
			if asked.Swap(true) {
				return // it has stopped
			}
			call, err := javaser.DecodeRPC(m.Payload(), javaser.Limits{})
			if err != nil {
				t.Error(err)
				return
			}
			a.receive(notice(t, a.Service, b, nil, javaser.MemberStop))
			time.Sleep(hop)
			a.receive(questionFrom(t, a.Service, b, nil, javaser.MemberStart, callID(call.UUID), true))
		})
		a.start()
		time.Sleep(time.Minute)
		if got := a.told(); len(got) != 0 {
			t.Errorf("told %v, want nothing of a member that has left before it was known", got)
		}
	})
}

// A question that is on its way while the member says goodbye, and comes later,
// does not bring it back either.
func TestGoodbyeOvertakesAQuestion(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := newWire(t)
		all := w.group(2, Config{})
		until(t, time.Second, "a whole group", whole(all))
		late := questionFrom(t, all[0].Service, all[1].local, nil, javaser.MemberPing, callID{1}, false)
		all[1].stop()
		until(t, time.Second, "the goodbye", whole(all[:1]))
		all[0].receive(late)
		time.Sleep(time.Minute)
		if got := all[0].told(); len(got) != 2 {
			t.Errorf("told %v, want join and goodbye", got)
		}
	})
}

// A goodbye that is forged in the member's own name cannot be told from a true
// one. The member is back after the next question.
func TestForgedGoodbyeIsUndone(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := newWire(t)
		all := w.group(2, Config{})
		until(t, time.Second, "a whole group", whole(all))
		all[0].receive(notice(t, all[0].Service, all[1].local, nil, javaser.MemberStop))
		synctest.Wait()
		if ev := all[0].lastEvent(all[1].local); ev.Kind != membership.Left {
			t.Errorf("told %v, want left", all[0].told())
		}
		until(t, DefaultPing+2*hop, "the member again", whole(all))
	})
}

// The answer of a process that was replaced meanwhile comes late: it does not
// bring the old one back.
func TestLateAnswerOfThePredecessor(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := newWire(t)
		a := w.end(1, Config{Members: list(9, 9)})
		a.start()
		before := time.Now()
		time.Sleep(time.Second)
		old, successor := newMember(t, addr(2)), newMember(t, addr(2))
		if err := a.prove(answer{member: successor, asked: time.Now()}, nil); err != nil {
			t.Fatalf("prove the successor = %v, want nil", err)
		}
		if err := a.prove(answer{member: old, asked: before}, nil); err != errReplaced {
			t.Errorf("prove the predecessor = %v, want %v", err, errReplaced)
		}
		synctest.Wait()
		if got := a.told(); !slices.Equal(got, []string{"joined 10.0.0.2:4000"}) {
			t.Errorf("told %v, want one join", got)
		}
	})
}
