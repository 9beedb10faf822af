package table

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/session/internal/record"
)

var (
	here  = record.NewSite(membership.ID{1}, record.Limits{}, false)
	there = record.NewSite(membership.ID{2}, record.Limits{}, false)
)

func must(t testing.TB, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func key(n int) (k record.Key) {
	k[0], k[1], k[2] = byte(n), byte(n>>8), byte(n>>16)
	return k
}

// entry is a session with an id and a minute to live.
func entry(t testing.TB, now time.Duration, n int, id string) *Entry {
	t.Helper()
	e := &Entry{Rec: record.New(here, key(n))}
	must(t, e.Begin(id, time.Minute, now))
	return e
}

// remove is Remove with its lock.
func remove(tab *Table, e *Entry, ids ...string) {
	e.Mu.Lock()
	defer e.Mu.Unlock()
	tab.Remove(e, ids...)
}

func TestIDsAndKeys(t *testing.T) {
	for _, keyed := range []bool{true, false} {
		tab := New(Config{Max: 10, Every: time.Hour, Keyed: keyed})
		e, other := entry(t, 0, 1, "abc.a"), entry(t, 0, 2, "abc.b")
		must(t, tab.Add(e))
		if err := tab.Add(other); !errors.Is(err, ErrTaken) || tab.Count() != 1 {
			t.Errorf("an id again: %v, %d sessions", err, tab.Count())
		}
		for _, id := range []string{"abc", "abc.a", "abc.x.y", "abc."} {
			if tab.Find(id) != e {
				t.Errorf("%q leads nowhere", id)
			}
		}
		for _, id := range []string{"", "ab", "abcd", ".abc", "a.bc", "abc/a"} {
			if tab.Find(id) != nil {
				t.Errorf("%q leads somewhere", id)
			}
		}
		if got := tab.Get(key(1)); (got == e) != keyed {
			t.Errorf("keyed %v: key leads to %v", keyed, got)
		}
		must(t, tab.Name("more.a", e), tab.Name("more", e))
		tab.Unname("more", other)
		if tab.Find("more") != e || tab.Count() != 1 {
			t.Error("an id was taken from who has it")
		}
		tab.Unname("more", e)
		for range 2 {
			remove(tab, e, e.ID())
		}
		if tab.Find("abc") != nil || tab.Find("more") != nil || tab.Get(key(1)) != nil || tab.Count() != 0 || !e.Gone() {
			t.Errorf("something is left, %d sessions", tab.Count())
		}
		must(t, tab.Add(other))
		remove(tab, e, "abc") // it is gone already
		if tab.Find("abc") != other {
			t.Error("who is gone has taken an id of another one")
		}
		tab.Close()
	}
}

// Of this node's own sessions there are as many as the limit says; of others twice as
// many are taken, and those count too.
func TestMostSessions(t *testing.T) {
	for _, limit := range []int{0, 1, 5} {
		tab := New(Config{Max: limit, Every: time.Hour, Keyed: true})
		for i := range limit {
			must(t, tab.Add(entry(t, 0, i, fmt.Sprint("id", i))))
		}
		var le *record.LimitError
		if err := tab.Add(entry(t, 0, 100, "more")); !errors.Is(err, ErrTooManySessions) || !errors.As(err, &le) || le.Max != limit {
			t.Errorf("limit %d: Add: %v", limit, err)
		}
		for i := range 2 * limit {
			if _, isNew, err := tab.Receive(key(i), func() *Entry { return entry(t, 0, i, "x") }); err != nil || isNew != (i >= limit) {
				t.Errorf("limit %d: Receive %d: %v, %v", limit, i, isNew, err)
			}
		}
		_, _, err := tab.Receive(key(200), func() *Entry { t.Error("made"); return nil })
		if !errors.Is(err, ErrTooManySessions) || !errors.As(err, &le) || le.Max != 2*limit || tab.Count() != 2*limit {
			t.Errorf("limit %d: Receive: %v, %d sessions", limit, err, tab.Count())
		}
		tab.Close()
	}
	tab := New(Config{Max: -1, Every: time.Hour, Keyed: true})
	defer tab.Close()
	for i := range 1000 {
		must(t, tab.Add(entry(t, 0, i, fmt.Sprint("id", i))))
	}
	if keys := tab.Keys(key(999)); tab.Count() != 1000 || slices.ContainsFunc(keys, func(k record.Key) bool { return k.Compare(key(999)) < 0 }) || !slices.Contains(keys, key(999)) {
		t.Errorf("%d sessions, %d keys", tab.Count(), len(keys))
	}
}

// A closed table takes nothing and has nothing, also if that happens at the same time.
func TestCloseBesideAddAndRemove(t *testing.T) {
	for round := range 50 {
		tab := New(Config{Max: -1, Every: time.Hour, Keyed: true})
		var all sync.WaitGroup
		for g := range 4 {
			all.Go(func() {
				for i := range 100 {
					n := 100*g + i
					e := entry(t, 0, n, fmt.Sprint("id", n))
					if err := tab.Add(e); err != nil && !errors.Is(err, ErrClosed) {
						t.Error(err)
					}
					if i%2 == 0 {
						remove(tab, e, e.ID())
					}
				}
			})
		}
		tab.Close()
		all.Wait()
		if n := len(slices.Collect(tab.All())); n+tab.Count()+len(tab.Keys(record.Key{})) != 0 {
			t.Fatalf("round %d: %d sessions, %d counted", round, n, tab.Count())
		}
		if err := tab.Add(entry(t, 0, 1, "x")); !errors.Is(err, ErrClosed) {
			t.Errorf("Add: %v", err)
		}
		if _, _, err := tab.Receive(key(1), func() *Entry { return nil }); !errors.Is(err, ErrClosed) {
			t.Errorf("Receive: %v", err)
		}
		tab.Close()
	}
}

// The sweep tells of what has expired, no earlier, and of entries that no id leads to as
// well; without sessions it rests.
func TestSweep(t *testing.T) {
	for _, keyed := range []bool{true, false} {
		bubble.Test(t, func(t *testing.T) {
			var tab *Table
			var told atomic.Int32
			tab = New(Config{Max: -1, Every: 10 * time.Second, Keyed: keyed, Expire: func(e *Entry) {
				told.Add(1)
				remove(tab, e, e.ID())
			}})
			defer tab.Close()
			must(t, tab.Add(entry(t, tab.Now(), 1, "one")))
			want := int32(1)
			if keyed {
				want++
				_, _, err := tab.Receive(key(2), func() *Entry { return entry(t, tab.Now(), 2, "nobody-finds-it") })
				must(t, err)
			}
			time.Sleep(time.Minute - time.Second)
			if told.Load() != 0 {
				t.Errorf("keyed %v: told too early", keyed)
			}
			time.Sleep(12 * time.Second)
			if told.Load() != want || tab.Count() != 0 {
				t.Errorf("keyed %v: told %d times, %d sessions", keyed, told.Load(), tab.Count())
			}
			tab.mu.Lock()
			resting := tab.timer == nil
			tab.mu.Unlock()
			if !resting {
				t.Error("the timer runs without sessions")
			}
		})
	}
}

// Close waits for a sweep that runs.
func TestCloseWaitsForTheSweep(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		inside, leave := make(chan bool), make(chan bool)
		var swept atomic.Bool
		tab := New(Config{Max: 1, Every: time.Second, Expire: func(*Entry) { close(inside); <-leave; swept.Store(true) }})
		e := entry(t, tab.Now(), 1, "a")
		must(t, e.Rec.SetTimeout(time.Millisecond, tab.Now()))
		e.Arm(tab.Now(), 0)
		must(t, tab.Add(e))
		<-inside
		go func() { leave <- true }()
		tab.Close()
		if !swept.Load() {
			t.Error("the sweep still runs")
		}
	})
}

func TestArm(t *testing.T) {
	const now = 1000 * time.Second
	e := &Entry{Rec: record.New(there, key(1))}
	if e.Expired(now) {
		t.Error("expired before anything is known of it")
	}
	e.Arm(now, time.Second)
	if e.Expired(1 << 62) {
		t.Error("a session without a timeout expires")
	}
	must(t, e.Begin("a", time.Minute, now))
	for _, tt := range []struct {
		slack, at time.Duration
		want      bool
	}{
		{0, now + time.Minute - 1, false}, {0, now + time.Minute, true},
		{10 * time.Second, now + time.Minute, false}, {10 * time.Second, now + 70*time.Second - 1, false},
		{10 * time.Second, now + 70*time.Second, true}, {1<<63 - 1, 1<<63 - 2, false},
	} {
		e.Arm(now, tt.slack)
		if e.Expired(tt.at) != tt.want {
			t.Errorf("slack %v: expired at %v is not %v", tt.slack, tt.at, tt.want)
		}
	}
	must(t, e.Rec.SetTimeout(1<<63-1, now))
	e.Arm(now, time.Hour)
	if e.Expired(1<<63 - 2) {
		t.Error("a timeout as long as can be has overflowed")
	}
}

// The others are told at most once in the interval.
func TestDue(t *testing.T) {
	e := &Entry{Rec: record.New(here, key(1))}
	for _, tt := range []struct {
		now  time.Duration
		want bool
	}{{0, true}, {1, false}, {10 * time.Second, false}, {10*time.Second + 1, true}, {15 * time.Second, false}, {21 * time.Second, true}} {
		if e.Due(tt.now, 10*time.Second) != tt.want {
			t.Errorf("at %v: due is not %v", tt.now, tt.want)
		}
	}
}

// There are many entries: one fits in 96 bytes, a size that the allocator has.
func TestEntryIsSmall(t *testing.T) {
	if size := unsafe.Sizeof(Entry{}); size > 96 {
		t.Errorf("%d bytes", size)
	}
}

// Who waits for the rest of a session waits no longer when it is gone.
func TestDropWakesWhoWaits(t *testing.T) {
	e := &Entry{Rec: record.New(here, key(1)), Whole: make(chan struct{})}
	whole := e.Whole
	if !e.Drop() || e.Drop() || !e.Gone() || e.Whole != nil {
		t.Error("not gone, or twice")
	}
	<-whole
	if e.Due(time.Hour, 0) || !e.Gone() {
		t.Error("the others are told of what is gone, or it is back")
	}
	e.Complete() // of what is complete does nothing
}
