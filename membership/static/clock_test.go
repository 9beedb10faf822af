package static

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/membership"
)

func TestClockStandsStillWhileTheProcessDoes(t *testing.T) {
	const slack = 500 * time.Millisecond
	for _, test := range []struct {
		name  string
		looks []time.Duration // when it was looked at, each expected after slack
		want  time.Duration   // what the clock lost
	}{
		{"on time", []time.Duration{slack, 2 * slack, 3 * slack}, 0},
		{"a little late", []time.Duration{slack + slack, 3 * slack, 5 * slack}, 0},
		{"early", []time.Duration{slack / 2, slack}, 0},
		{"stopped once", []time.Duration{slack, 10 * time.Second}, 10*time.Second - 2*slack},
		{"starved", []time.Duration{2 * time.Second, 4 * time.Second, 6 * time.Second}, 3 * (2*time.Second - slack)},
	} {
		t.Run(test.name, func(t *testing.T) {
			var c clock
			begin := time.Now()
			c.expect(begin.Add(slack))
			for _, at := range test.looks {
				now := begin.Add(at)
				c.look(now, slack)
				c.expect(now.Add(slack))
			}
			if got := time.Duration(c.lost.Load()); got != test.want {
				t.Errorf("lost %v, want %v", got, test.want)
			}
		})
	}
}

// idle is a service that has heard n members and is not running: the test gives
// it the time.
func idle(t *testing.T, w *wire, n int) (*end, time.Time) {
	e := w.end(1, Config{Members: list(2, 2)})
	now := time.Now()
	e.Service.env, e.Service.local, e.running, e.started = e.env(true, true), e.local, true, now
	e.clock.expect(now)
	for i := range n {
		if _, _, err := e.table.Heard(newMember(t, addr(i+2)), now); err != nil {
			t.Fatal(err)
		}
	}
	return e, now
}

// A process that is starved, with gaps of 2 s in which it does not run, accuses
// nobody; nor does one that was stopped for an hour and goes on.
func TestStarvedProcessAccusesNobody(t *testing.T) {
	for _, gap := range []time.Duration{2 * time.Second, time.Minute, time.Hour} {
		t.Run(gap.String(), func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				w := newWire(t)
				e, now := idle(t, w, 3)
				e.tick(now)
				for range 2 {
					now = now.Add(gap)
					e.tick(now)
					// It runs, and hears nobody yet.
					now = now.Add(DefaultPing / 2)
					e.tick(now)
				}
				if got := e.View().Len(); got != 3 {
					t.Errorf("%d members left after gaps of %v, want 3", got, gap)
				}
				if log := e.log(); strings.Count(log, "did not run") != 1 {
					t.Errorf("log = %s, want one line", log)
				}
				// From here on it runs; their time goes on.
				end := now.Add(DefaultExpiration)
				for now.Before(end) {
					now = now.Add(e.tick(now))
				}
				e.tick(now)
				if got := e.View().Len(); got != 0 {
					t.Errorf("%d members that are silent while the process runs, want 0", got)
				}
			})
		})
	}
}

// An event has the time at which it was noticed, whatever the clock has lost.
func TestEventTimesAreReal(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := newWire(t)
		all := w.group(2, Config{})
		all[0].clock.lost.Store(int64(time.Hour))
		until(t, time.Second, "a whole group", whole(all))
		all[1].kill()
		until(t, 2*DefaultExpiration, "the failure", func() bool { return all[0].sees() })
		synctest.Wait()
		ev := all[0].lastEvent(all[1].local)
		if since := time.Since(ev.At); ev.Kind != membership.Failed || since > time.Second {
			t.Errorf("the event %v was %v ago, want failed just now", ev.Kind, since)
		}
	})
}

// step moves the wall clock of a time and not its monotonic one, as an operator
// or a time server does.
func step(t *testing.T, now time.Time, by time.Duration) time.Time {
	t.Helper()
	stepped := now
	parts := (*struct{ wall uint64 })(unsafe.Pointer(&stepped)) // seconds above the lowest 30 bits
	parts.wall = uint64(int64(parts.wall) + int64(by/time.Second)<<30)
	if wall, mono := stepped.Round(0).Sub(now.Round(0)), stepped.Sub(now); wall != by || mono != 0 {
		t.Fatalf("the step moved the wall clock by %v and the monotonic one by %v, want %v and 0", wall, mono, by)
	}
	return stepped
}

// It runs outside of a bubble, where times have a monotonic reading.
func TestWallClockPlaysNoRole(t *testing.T) {
	for _, by := range []time.Duration{time.Hour, -time.Hour, 24 * 365 * time.Hour} {
		t.Run(fmt.Sprint(by), func(t *testing.T) {
			w := newWire(t)
			e, now := idle(t, w, 3)
			e.tick(now)
			for range 8 { // 4 s
				now = now.Add(DefaultPing / 2)
				e.tick(step(t, now, by))
			}
			if got := e.View().Len(); got != 3 || e.clock.lost.Load() != 0 {
				t.Errorf("%d members after a step of the wall clock, want 3; %v lost, want 0", got, time.Duration(e.clock.lost.Load()))
			}
			for range 3 {
				now = now.Add(DefaultPing / 2)
				e.tick(step(t, now, by))
			}
			if got := e.View().Len(); got != 0 {
				t.Errorf("%d members are kept by a step of the wall clock, want 0", got)
			}
		})
	}
}
