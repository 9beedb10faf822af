package mcast

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/membership"
)

// roundTrip is that of a new ether.
const roundTrip = 2 * time.Millisecond

func TestGroupFormsAtOnce(t *testing.T) {
	for _, c := range []struct {
		n       int
		between time.Duration // from one start to the next
		within  time.Duration // after the last start
		perNode int           // datagrams in all, within the first 400 ms
	}{
		{n: 2, between: 0, within: roundTrip, perNode: 2},
		{n: 2, between: 20 * time.Millisecond, within: roundTrip, perNode: 2},
		{n: 3, between: 0, within: roundTrip, perNode: 3},
		{n: 3, between: 70 * time.Millisecond, within: roundTrip, perNode: 4},
		{n: 8, between: 300 * time.Microsecond, within: roundTrip + extraGap, perNode: 3},
		{n: 300, between: 0, within: roundTrip, perNode: 3},
		{n: 80, between: 500 * time.Microsecond, within: roundTrip + extraGap + maxSpread, perNode: 6},
	} {
		t.Run(fmt.Sprintf("%d members, one each %v", c.n, c.between), func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) { groupForms(t, c.n, c.between, c.within, c.perNode) })
		})
	}
}

func groupForms(t *testing.T, n int, between, within time.Duration, perNode int) {
	e := newEther()
	nodes := make([]*node, n)
	for i := range nodes {
		if i > 0 && between > 0 {
			pass(between)
		}
		nodes[i] = e.join(t, i+1)
	}
	begun := time.Now()
	pass(within)
	for i, x := range nodes {
		if got := x.View().Len(); got != n-1 {
			t.Fatalf("node %d sees %d others %v after the last start, want %d", i, got, within, n-1)
		}
	}
	pass(400*time.Millisecond - time.Since(begun))
	if sent := e.count(); sent > n*perNode {
		t.Errorf("%d members sent %d datagrams, want at most %d", n, sent, n*perNode)
	}
	for _, x := range nodes {
		if got := x.Stats().Rejected; len(got) != 0 {
			t.Fatalf("%s rejected %v, want nothing", x.local, got)
		}
	}
}

// A newcomer does not set off more than one answer of each.
func TestOneAnswerPerNewcomer(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		e := newEther()
		for i := range 20 {
			e.join(t, i+1)
		}
		pass(DefaultFrequency / 2)
		e.count()
		late := e.join(t, 99)
		pass(roundTrip + maxSpread)
		if got := late.View().Len(); got != 20 {
			t.Errorf("the newcomer sees %d members, want 20", got)
		}
		if sent := e.count(); sent > 20+3 {
			t.Errorf("%d datagrams for one newcomer among 20 members, want at most 23", sent)
		}
	})
}

// The answers of a large group do not come all at the same moment.
func TestAnswersAreSpread(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		e := newEther()
		for i := range 100 {
			e.join(t, i+1)
		}
		pass(DefaultFrequency / 2)
		late := e.newNode(t, newMember(t, 999, nil), nil)
		at := make(map[time.Time]int)
		e.setFilter(func(_, to *port, _ []byte) bool {
			if to.addr.Addr() == late.local.Host() {
				at[time.Now()]++ // called by one at a time
			}
			return true
		})
		late.start()
		pass(roundTrip + maxSpread)
		e.setFilter(nil)
		for when, n := range at {
			if n > 10 {
				t.Errorf("%d answers at %v, want fewer at one moment", n, when)
			}
		}
		if got := late.View().Len(); got != 100 {
			t.Errorf("the newcomer sees %d members, want 100", got)
		}
	})
}

func TestHeartbeatsKeepPace(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		e := newEther()
		a := e.join(t, 1)
		e.count()
		pass(10*time.Second + time.Millisecond)
		if got := e.count(); got != 20 {
			t.Errorf("%d heartbeats in 10s, want 20", got)
		}
		if got := a.Stats(); got.Own != 21 || got.Sent != 21 || got.Received != 21 {
			t.Errorf("own, sent, received = %d, %d, %d, want 21 each", got.Own, got.Sent, got.Received)
		}
	})
}

func TestFailedAtTheDropTime(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		e := newEther()
		a, b := e.join(t, 1), e.join(t, 2)
		pass(10*time.Second + 123*time.Millisecond)
		a.wantTold("joined 10.0.0.2")
		heard, _ := a.table.LastHeard(b.local.Key())
		b.kill()
		pass(time.Until(heard.Add(DefaultDropTime)))
		a.wantTold()
		pass(time.Nanosecond)
		ev := a.last()
		a.wantTold("failed 10.0.0.2")
		if want := heard.Add(DefaultDropTime + 1); !ev.At.Equal(want) {
			t.Errorf("failed at %v, want %v", ev.At, want)
		}
		if got := a.View().Len(); got != 0 {
			t.Errorf("%d members, want none", got)
		}
	})
}

func TestLostHeartbeats(t *testing.T) {
	for _, c := range []struct {
		lost int
		want []string
	}{
		{5, nil},
		{6, []string{"failed 10.0.0.2", "joined 10.0.0.2"}},
	} {
		t.Run(fmt.Sprint(c.lost), func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				e := newEther()
				a, b := e.join(t, 1), e.join(t, 2)
				pass(time.Second + 100*time.Millisecond)
				a.wantTold("joined 10.0.0.2")
				e.setFilter(func(from, _ *port, _ []byte) bool { return from.addr.Addr() != b.local.Host() })
				pass(time.Duration(c.lost) * DefaultFrequency)
				e.setFilter(nil)
				pass(5 * time.Second)
				a.wantTold(c.want...)
			})
		})
	}
}

func TestOneWayCut(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		e := newEther()
		a, b := e.join(t, 1), e.join(t, 2)
		pass(time.Second)
		a.told()
		b.told()
		e.setFilter(func(from, to *port, _ []byte) bool {
			return from.addr.Addr() != a.local.Host() || to.addr.Addr() != b.local.Host()
		})
		pass(time.Minute)
		a.wantTold()
		b.wantTold("failed 10.0.0.1")
		e.setFilter(nil)
		pass(time.Second)
		b.wantTold("joined 10.0.0.1")
	})
}

func TestStopSaysGoodbye(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		e := newEther()
		a, b := e.join(t, 1), e.join(t, 2)
		pass(time.Second + 100*time.Millisecond)
		a.told()
		e.count()
		b.stop()
		if got := e.count(); got != 2 {
			t.Errorf("%d goodbyes, want 2", got)
		}
		pass(roundTrip / 2)
		ev := a.last()
		a.wantTold("left 10.0.0.2")
		if !ev.Member.Leaving() {
			t.Error("the event has not the goodbye's description")
		}
		pass(time.Minute)
		a.wantTold()
		if got := a.Stats(); got.Goodbyes != 1 || len(got.Rejected) != 0 {
			t.Errorf("goodbyes, rejected = %d, %v, want 1, none", got.Goodbyes, got.Rejected)
		}
	})
}

// A heartbeat that is being sent when the stop begins leaves before the goodbye.
func TestNoHeartbeatAfterGoodbye(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		e := newEther()
		n := e.join(t, 1)
		e.open(host(9)) // somebody has to hear it
		pass(DefaultFrequency / 2)
		var heard []string
		e.setFilter(func(_, to *port, b []byte) bool {
			if m, _, err := membership.Decode(b); err == nil && to.addr.Addr() == host(9) {
				heard = append(heard, m.Command())
			}
			return true
		})
		release := n.lastPort().holdWrite()
		pass(DefaultFrequency)
		time.AfterFunc(time.Second, release)
		n.stop()
		pass(time.Second)
		e.setFilter(nil)
		if want := []string{"", membership.LeaveCommand, membership.LeaveCommand}; !slices.Equal(heard, want) {
			t.Errorf("commands %q, want %q", heard, want)
		}
	})
}

// A write that hangs does not keep Stop beyond its context, nor does it look like
// a process that is not running.
func TestHangingWrite(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		e := newEther()
		a := e.newNode(t, newMember(t, 1, nil), nil)
		if err := a.Start(t.Context(), a.env()); err != nil {
			t.Fatal(err)
		}
		b := e.join(t, 2)
		pass(time.Second)
		a.wantTold("joined 10.0.0.2")
		a.lastPort().holdWrite()
		b.kill()
		pass(DefaultDropTime + roundTrip)
		a.wantTold("failed 10.0.0.2")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin := time.Now()
		if err := a.Stop(ctx); err != nil {
			t.Errorf("Stop() = %v, want nil", err)
		}
		if took := time.Since(begin); took > time.Second {
			t.Errorf("Stop took %v, want at most 1s", took)
		}
	})
}

// A goodbye is said even if there is no time left for the stop, and a heartbeat is just
// being sent.
func TestGoodbyeWithoutTime(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		e := newEther()
		a, b := e.join(t, 1), e.join(t, 2)
		pass(time.Second + DefaultFrequency/2)
		b.wantTold("joined 10.0.0.1")
		release := a.lastPort().holdWrite()
		pass(DefaultFrequency)
		time.AfterFunc(10*time.Millisecond, release)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := a.Stop(ctx); err != nil {
			t.Errorf("Stop() = %v, want nil", err)
		}
		pass(roundTrip)
		b.wantTold("left 10.0.0.1")
	})
}

// A goodbye is said even if the description leaves no room for it.
func TestGoodbyeOfLargeMember(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		e := newEther()
		a := e.join(t, 1)
		b := e.newNode(t, newMember(t, 2, func(at *membership.Attributes) {
			at.Payload = string(make([]byte, membership.MaxPart))
			at.Domain = string(make([]byte, membership.MaxImage-membership.MaxPart-membership.MinImage-4))
		}), nil)
		b.start()
		pass(time.Second)
		b.stop()
		pass(time.Second)
		a.wantTold("joined 10.0.0.2", "left 10.0.0.2")
	})
}

func TestUpdateIsAnnouncedAtOnce(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		e := newEther()
		a, b := e.join(t, 1), e.join(t, 2)
		pass(time.Second + 100*time.Millisecond)
		a.told()
		e.count()
		next := with(t, b.local, func(at *membership.Attributes) { at.Payload = "p"; at.Domain = "d"; at.UDPPort = 7 })
		b.Update(next)
		pass(roundTrip / 2)
		ev := a.last()
		a.wantTold("updated 10.0.0.2")
		if m := ev.Member; m.Payload() != "p" || m.Domain() != "d" || m.UDPPort() != 7 {
			t.Errorf("updated to %+v", m.Attributes())
		}
		for range 1000 {
			b.Update(next)
		}
		pass(extraGap)
		if got := e.count(); got > 3 {
			t.Errorf("%d datagrams for a thousand updates, want at most 3", got)
		}
		b.Update(newMember(t, 3, nil))
		pass(time.Second)
		a.wantTold()
		if b.log.Lines("cannot be announced") != 1 {
			t.Errorf("no log line of the refused update:\n%s", b.log)
		}
		if got, want := a.Stats().Domains, map[string]int{"d": 1}; fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("domains %v, want %v", got, want)
		}
	})
}

// Alive times rise with each datagram, however soon it follows.
func TestAliveTimesRise(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		e := newEther()
		var alive []int64
		e.setFilter(func(_, _ *port, b []byte) bool {
			if m, _, err := membership.Decode(b); err == nil {
				alive = append(alive, m.Attributes().Alive)
			}
			return true
		})
		n := e.newNode(t, newMember(t, 1, func(a *membership.Attributes) { a.Alive = 7000 }), nil)
		n.start()
		pass(2*time.Second + time.Millisecond)
		n.stop()
		e.open(host(9)) // somebody has to hear the goodbyes
		pass(time.Second)
		if want := []int64{7000, 7500, 8000, 8500, 9000, 9001, 9002}; !slices.Equal(alive, want) {
			t.Errorf("alive times %v, want %v", alive, want)
		}
	})
}

// Who only listens is not seen; who only announces is, and sees nobody.
func TestHalfServices(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		e := newEther()
		a := e.join(t, 1)
		ear, mouth := e.newNode(t, newMember(t, 2, nil), nil), e.newNode(t, newMember(t, 3, nil), nil)
		for _, c := range []struct {
			n                *node
			listen, announce bool
		}{{ear, true, false}, {mouth, false, true}} {
			env := c.n.env()
			env.Listen, env.Announce = c.listen, c.announce
			if err := c.n.Start(t.Context(), env); err != nil {
				t.Fatal(err)
			}
		}
		pass(time.Minute)
		ear.stop()
		mouth.stop()
		pass(time.Second)
		a.wantTold("joined 10.0.0.3", "left 10.0.0.3")
		if got := ear.told(); len(got) != 2 || ear.View().Len() != 2 {
			t.Errorf("the ear was told %q, want that two joined", got)
		}
		mouth.wantTold()
	})
}
