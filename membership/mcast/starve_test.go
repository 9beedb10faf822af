package mcast

import (
	"testing"
	"time"

	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/membership"
)

// A listener that was kept from running for long reads what waits, and gives
// those of whom nothing waits any more the time to be heard.
func TestStarvedListenerAccusesNobody(t *testing.T) {
	for _, c := range []struct {
		name string
		room int // datagrams that wait in a socket
		stop time.Duration
	}{
		{"short", portRoom, 500 * time.Millisecond},
		{"all waits in the socket", portRoom, 20 * time.Second},
		{"most was lost", 3, 20 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				e := newEther()
				a := e.join(t, 1)
				for i := range 6 {
					e.join(t, 2+i)
					pass(30 * time.Millisecond)
				}
				dead := e.join(t, 20)
				pass(10*time.Second + 100*time.Millisecond)
				if got := len(a.told()); got != 7 {
					t.Fatalf("%d joined, want 7", got)
				}
				dead.kill()
				e.setRoom(c.room)
				a.setHook(func(ev membership.Event) {
					if ev.Member.Payload() == "wait" {
						time.Sleep(c.stop) // the listener stands still
					}
				})
				sick := a.View().At(newMember(t, 2, nil).AddrPort())[0]
				e.inject(host(2), []byte(with(t, sick, func(at *membership.Attributes) { at.Payload = "wait" }).Image()))
				pass(c.stop + 10*time.Second)
				a.wantTold("updated 10.0.0.2", "updated 10.0.0.2", "failed 10.0.0.20")
				if got := a.Stats().Starved; (got == 1) != (c.stop > DefaultDropTime) {
					t.Errorf("starved %d times by %v", got, c.stop)
				}
			})
		})
	}
}

// A listener that comes a little late reads what waits before it takes anybody
// for failed.
func TestLateListenerReadsFirst(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		e := newEther()
		a, p := settled(t, e, nil), e.puppet(t, 2)
		other := e.puppet(t, 3)
		p.beat(0)
		a.setHook(func(membership.Event) { time.Sleep(DefaultDropTime / 4) })
		pass(DefaultDropTime - 500*time.Millisecond)
		other.beat(0) // its event holds up the listener
		p.beat(0)     // so this waits
		pass(time.Second)
		a.wantTold("joined 10.0.0.2", "joined 10.0.0.3")
		if got := a.Stats().Starved; got != 0 {
			t.Errorf("starved %d times, want never", got)
		}
	})
}

func TestPulse(t *testing.T) {
	var p pulse
	p.start(3 * time.Second)
	at := func(ms int) time.Time { return p.base.Add(time.Duration(ms) * time.Millisecond) }
	grace := func(ms int) int { return int(p.graceAt(at(ms)).Sub(p.base).Milliseconds()) }
	p.expect(at(500))
	p.felt(at(500))
	if got := grace(600); got != 0 {
		t.Errorf("grace of a steady pulse until %dms, want none", got)
	}
	p.expect(at(1000))
	if got := grace(2000); got != 0 {
		t.Errorf("grace of a pulse late by 1s until %dms, want none", got)
	}
	if got := grace(2001); got != 3501 {
		t.Errorf("grace of a pulse late by more than 1s until %dms, want 3501", got)
	}
	p.felt(at(2002))
	p.expect(at(2500))
	if got := grace(2600); got != 3502 {
		t.Errorf("grace afterwards until %dms, want 3502", got)
	}
	p.pause()
	if got := grace(60_000); got != 3502 {
		t.Errorf("grace while a heartbeat is being sent until %dms, want 3502", got)
	}
	if got := p.n.Load(); got != 1 {
		t.Errorf("grace was given %d times, want 1", got)
	}
}
