package membership

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"
)

// clock is a time that the test moves.
type clock struct{ time.Time }

func newClock() *clock { return &clock{time.Now()} }

func (c *clock) pass(d time.Duration) time.Time {
	c.Time = c.Add(d)
	return c.Time
}

// stepWall moves the wall clock and not the monotonic one, as an operator or a
// time daemon does.
func (c *clock) stepWall(t *testing.T, by time.Duration) {
	t.Helper()
	before := c.Time
	parts := (*struct {
		wall uint64 // seconds in the bits above the lowest 30
		ext  int64  // monotonic
		loc  *time.Location
	})(unsafe.Pointer(&c.Time))
	parts.wall = uint64(int64(parts.wall) + int64(by/time.Second)<<30)
	if wall, mono := c.Round(0).Sub(before.Round(0)), c.Sub(before); wall != by || mono != 0 {
		t.Fatalf("the step moved the wall clock by %v and the monotonic one by %v, want %v and 0", wall, mono, by)
	}
}

func aged(t testing.TB, n byte, alive time.Duration) *Member {
	t.Helper()
	return newMember(t, n, func(a *Attributes) { a.Alive = alive.Milliseconds() })
}

// names lists the members of a view by the last byte of their host.
func names(v *View) string {
	s := ""
	for _, m := range v.Members {
		s += fmt.Sprint(m.Host().As4()[3])
	}
	return s
}

func wantEvent(t *testing.T, what string, ev Event, changed bool, want Event) {
	t.Helper()
	if ev != want || changed != (want.Kind != 0) {
		t.Errorf("%s = %v %v at %v, %v; want %v %v at %v", what, ev.Kind, ev.Member, ev.At, changed, want.Kind, want.Member, want.At)
	}
}

func TestTableLife(t *testing.T) {
	var table Table
	c := newClock()
	if v := table.View(); v == nil || v.Len() != 0 || v.Seq != 0 {
		t.Fatalf("View() of the zero Table = %+v, want an empty one", v)
	}
	m := aged(t, 1, time.Second)
	ev, changed, err := table.Heard(m, c.Time)
	wantEvent(t, "Heard(new)", ev, changed, Event{Joined, m, c.Time})
	if err != nil || names(table.View()) != "1" || table.View().Seq != 1 {
		t.Errorf("after the join: %v, view %v, want member 1 with Seq 1", err, table.View())
	}

	older := aged(t, 1, 2*time.Second)
	ev, changed, _ = table.Heard(older, c.pass(time.Second))
	wantEvent(t, "Heard(older)", ev, changed, Event{})
	if got := table.View().Seq; got != 1 {
		t.Errorf("Seq after a mere heartbeat = %d, want 1", got)
	}

	for _, change := range []func(a *Attributes){
		func(a *Attributes) { a.Payload = "payload" },
		func(a *Attributes) { a.Domain = "domain" },
		func(a *Attributes) { a.Command = "command" },
		func(a *Attributes) { a.SecurePort = 1 },
		func(a *Attributes) { a.UDPPort = 2 },
	} {
		next := newMember(t, 1, change)
		ev, changed, _ = table.Heard(next, c.pass(time.Second))
		wantEvent(t, "Heard(changed)", ev, changed, Event{Updated, next, c.Time})
		if got := table.View().Members[0]; !sameButAlive(got, next) {
			t.Errorf("the view has %+v, want %+v", got.Attributes(), next.Attributes())
		}
	}

	bye := newMember(t, 1, func(a *Attributes) { a.Command = LeaveCommand })
	ev, changed = table.Remove(Left, bye, c.pass(time.Second))
	wantEvent(t, "Remove(Left)", ev, changed, Event{Left, bye, c.Time})
	ev, changed = table.Remove(Left, bye, c.pass(time.Second))
	wantEvent(t, "Remove(Left) again", ev, changed, Event{})
	if v := table.View(); v.Len() != 0 || v.Seq != 7 {
		t.Errorf("View() at the end = %+v, want an empty one with Seq 7", v)
	}
}

func TestTableExpire(t *testing.T) {
	const drop = 3 * time.Second
	var table Table
	c := newClock()
	begin := c.Time
	for n := byte(4); n >= 1; n-- { // the last one heard at begin is not the first in order
		table.Heard(aged(t, n, 0), c.Time)
	}
	table.Heard(aged(t, 3, 0), c.pass(time.Second))
	if heard, ok := table.Oldest(); !ok || !heard.Equal(begin) {
		t.Errorf("Oldest() = %v, %v, want %v", heard, ok, begin)
	}
	if evs := table.Expire(begin.Add(drop), drop); evs != nil {
		t.Errorf("Expire when the drop time has just passed = %v, want nothing", evs)
	}
	now := begin.Add(drop + 1)
	evs := table.Expire(now, drop)
	want := []Event{{Failed, aged(t, 1, 0), now}, {Failed, aged(t, 2, 0), now}, {Failed, aged(t, 4, 0), now}}
	if diff := cmp.Diff(want, evs, cmp.Comparer(sameEvent)); diff != "" {
		t.Errorf("Expire() differs (-want +got):\n%s", diff)
	}
	if got := names(table.View()); got != "3" {
		t.Errorf("members left = %s, want 3", got)
	}
	if heard, ok := table.Oldest(); !ok || !heard.Equal(begin.Add(time.Second)) {
		t.Errorf("Oldest() = %v, %v, want a second after the begin", heard, ok)
	}
	table.Expire(now.Add(time.Hour), drop)
	if _, ok := table.Oldest(); ok {
		t.Error("Oldest() of an empty table = true")
	}
}

func sameEvent(a, b Event) bool {
	return a.Kind == b.Kind && a.Member.Key() == b.Member.Key() && a.At.Equal(b.At)
}

// A member that is heard again after it failed has joined anew.
func TestTableRejoin(t *testing.T) {
	var table Table
	c := newClock()
	m := aged(t, 1, 0)
	table.Heard(m, c.Time)
	table.Expire(c.pass(time.Minute), time.Second)
	ev, changed, _ := table.Heard(m, c.Time)
	wantEvent(t, "Heard after the failure", ev, changed, Event{Joined, m, c.Time})
}

func TestTableAliveKeepsAMember(t *testing.T) {
	const drop = 3 * time.Second
	var table Table
	c := newClock()
	m := aged(t, 1, time.Second)
	if table.Alive(m.Key(), c.Time) {
		t.Error("Alive of an unknown member = true")
	}
	table.Heard(m, c.Time)
	for range 5 {
		if !table.Alive(m.Key(), c.pass(2*time.Second)) {
			t.Fatal("Alive of a known member = false")
		}
		if evs := table.Expire(c.Time, drop); evs != nil {
			t.Fatalf("Expire() = %v, want nothing", evs)
		}
	}
	if heard, ok := table.LastHeard(m.Key()); !ok || heard != c.Time {
		t.Errorf("LastHeard() = %v, %v, want %v", heard, ok, c.Time)
	}
	if _, ok := table.LastHeard(aged(t, 2, 0).Key()); ok {
		t.Error("LastHeard of an unknown member = true")
	}
	// The signs of life count for the age.
	table.Heard(aged(t, 2, 12*time.Second), c.Time)
	if got := names(table.View()); got != "21" {
		t.Errorf("order = %s, want member 2 with 12 s before member 1 with 11 s", got)
	}
}

func TestTableOrderOfAge(t *testing.T) {
	var table Table
	c := newClock()
	table.Heard(aged(t, 1, 10*time.Second), c.Time)
	// Heard later with a smaller alive time, and yet older: 12 s at that time
	// would be younger than member 1, which has 110 s by then.
	table.Heard(aged(t, 2, 12*time.Second), c.pass(100*time.Second))
	table.Heard(aged(t, 3, 200*time.Second), c.Time)
	if got := names(table.View()); got != "312" {
		t.Errorf("order = %s, want 312", got)
	}
	var alive []time.Duration
	for _, m := range table.View().Members {
		alive = append(alive, m.Alive())
	}
	if want := []time.Duration{200 * time.Second, 110 * time.Second, 12 * time.Second}; !slices.Equal(alive, want) {
		t.Errorf("alive times = %v, want those of one moment, %v", alive, want)
	}
	// A heartbeat corrects the age; it shows with the next change.
	table.Heard(aged(t, 2, time.Hour), c.pass(time.Second))
	table.Heard(aged(t, 4, 0), c.Time)
	if got := names(table.View()); got != "2314" {
		t.Errorf("order = %s, want 2314", got)
	}
}

func TestTableSurvivesExtremeAges(t *testing.T) {
	var table Table
	c := newClock()
	table.Heard(newMember(t, 1, func(a *Attributes) { a.Alive = math.MaxInt64 }), c.Time)
	table.Heard(newMember(t, 2, func(a *Attributes) { a.Alive = math.MinInt64 }), c.Time)
	table.Alive(aged(t, 1, 0).Key(), c.pass(time.Hour))
	table.Heard(aged(t, 3, 0), c.pass(time.Hour))
	table.Heard(newMember(t, 2, func(a *Attributes) { a.Alive = math.MinInt64 }), c.pass(time.Hour))
	table.Remove(Left, aged(t, 3, 0), c.Time)
	if got := names(table.View()); got != "12" {
		t.Errorf("order = %s, want 12", got)
	}
	table.Heard(aged(t, 3, 0), c.Time.Add(-time.Hour)) // a clock reading that came late
	if got := names(table.View()); got != "132" {
		t.Errorf("order = %s, want 132", got)
	}
}

func TestTableIgnoresTheWallClock(t *testing.T) {
	const drop = 3 * time.Second
	for _, step := range []time.Duration{time.Hour, -time.Hour, 10 * 365 * 24 * time.Hour} {
		t.Run(step.String(), func(t *testing.T) {
			var table Table
			c := newClock()
			table.Heard(aged(t, 1, time.Second), c.Time)
			table.Heard(aged(t, 2, 3*time.Second), c.Time)
			c.stepWall(t, step)
			if evs := table.Expire(c.pass(2*time.Second), drop); evs != nil {
				t.Errorf("Expire after the step = %v, want nothing", evs)
			}
			table.Heard(aged(t, 3, 4*time.Second), c.Time)
			if got := names(table.View()); got != "231" {
				t.Errorf("order after the step = %s, want 231", got)
			}
			evs := table.Expire(c.pass(2*time.Second), drop)
			if len(evs) != 2 {
				t.Errorf("Expire 4 s after the members were heard = %v, want two events", evs)
			}
		})
	}
}

func TestTableLimit(t *testing.T) {
	table := Table{Limit: 2}
	c := newClock()
	table.Heard(aged(t, 1, 0), c.Time)
	table.Heard(aged(t, 2, 0), c.Time)
	ev, changed, err := table.Heard(aged(t, 3, 0), c.Time)
	wantEvent(t, "Heard above the limit", ev, changed, Event{})
	if !errors.Is(err, ErrTableFull) || names(table.View()) != "12" {
		t.Errorf("Heard above the limit = %v with the view %s, want %v and 12", err, names(table.View()), ErrTableFull)
	}
	if _, _, err := table.Heard(aged(t, 2, time.Second), c.Time); err != nil {
		t.Errorf("Heard of a known member of a full table = %v, want nil", err)
	}
	table.Remove(Left, aged(t, 1, 0), c.Time)
	if _, changed, err := table.Heard(aged(t, 3, 0), c.Time); !changed || err != nil {
		t.Errorf("Heard after there was room again = %v, %v, want a join", changed, err)
	}
	if got := new(Table).limit(); got != DefaultTableLimit {
		t.Errorf("limit of the zero Table = %d, want %d", got, DefaultTableLimit)
	}
}

// A view stays what it was, and the same one is given out until the next change.
func TestTableViewsAreSnapshots(t *testing.T) {
	var table Table
	c := newClock()
	table.Heard(aged(t, 1, 0), c.Time)
	before := table.View()
	if table.View() != before {
		t.Error("View() made two views without a change between them")
	}
	table.Heard(aged(t, 2, time.Hour), c.Time)
	after := table.View()
	if names(before) != "1" || names(after) != "21" || after.Seq <= before.Seq {
		t.Errorf("views = %s and %s with Seq %d and %d, want 1 and 21 with rising Seq", names(before), names(after), before.Seq, after.Seq)
	}
}

func TestTableConcurrentUse(t *testing.T) {
	var table Table
	c := newClock()
	var wg sync.WaitGroup
	for n := byte(1); n <= 4; n++ {
		m := aged(t, n, 0)
		wg.Go(func() { // ends by itself
			for i := range 200 {
				now := c.Add(time.Duration(i) * time.Millisecond)
				table.Heard(m, now)
				table.Alive(m.Key(), now)
				if v := table.View(); v.Find(m.Key()) == nil {
					t.Errorf("member %d is missing in the view after it was heard", n)
				}
				table.Oldest()
				table.Remove(Left, m, now)
				table.Expire(now, time.Second)
			}
		})
	}
	wg.Wait()
	if v := table.View(); v.Len() != 0 || v.Seq != 1600 {
		t.Errorf("View() at the end = %d members, Seq %d, want none and 1600", v.Len(), v.Seq)
	}
}
