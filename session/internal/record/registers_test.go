package record

import (
	"errors"
	"slices"
	"testing"
	"time"
)

// Two nodes give the session a new id at the same time: one is the current one on all,
// and both lead to the session, also on a node that has it from a snapshot.
func TestTwoNewIDsAtTheSameTime(t *testing.T) {
	a, b, c := on('a', Limits{}), on('b', Limits{}), on('c', Limits{})
	must(t, a.SetID("old"))
	merge(t, b, a.Take(start))
	must(t, a.SetID("fromA"), b.SetID("fromB"))
	ca, cb := a.Take(start), b.Take(start)
	merge(t, a, cb)
	merge(t, b, ca)
	pull(t, c, a)
	for _, s := range []*Session{a, b, c} {
		if got, want := s.IDs(), []string{"fromB", "fromA", "old"}; !slices.Equal(got, want) || s.ID() != "fromB" {
			t.Errorf("on %.2s: ids %v, want %v", s.site.node, got, want)
		}
	}
	if a.Digest() != b.Digest() || a.Digest() != c.Digest() {
		t.Error("the digests differ")
	}
}

// The newest ids are kept, in whatever order they come; an id that is given again is
// the newest.
func TestIDsAreBounded(t *testing.T) {
	ids := []ID{{ver(1, 'a'), "one"}, {ver(2, 'a'), "two"}, {ver(3, 'b'), "three"}, {ver(3, 'c'), "four"}, {ver(5, 'a'), "one"}}
	want := []string{"one", "four", "three"}
	for _, order := range [][]int{{0, 1, 2, 3, 4}, {4, 3, 2, 1, 0}, {2, 4, 1, 3, 0, 0}} {
		s := on('s', Limits{})
		for _, i := range order {
			merge(t, s, &Change{Key: testKey, Origin: node('x'), To: 1, Parts: Parts{IDs: ids[i : i+1]}})
		}
		if got := s.IDs(); !slices.Equal(got, want) {
			t.Errorf("in order %v: ids %v, want %v", order, got, want)
		}
	}
	s := on('s', Limits{})
	for i, events := range []int{1, 1, 1, 2, 2} { // the fourth drops the first, which then drops the second
		if r := merge(t, s, &Change{Key: testKey, Origin: node('x'), To: 1, Parts: Parts{IDs: ids[i : i+1]}}); len(r.Events) != events {
			t.Errorf("id %d: events %v, want %d", i, r.Events, events)
		}
	}
	merge(t, s, &Change{Key: testKey, Origin: node('x'), To: 1, Parts: Parts{IDs: []ID{{ver(9, 'a'), "three"}}}})
	if r := merge(t, s, &Change{Key: testKey, Origin: node('x'), To: 1, Parts: Parts{IDs: []ID{{ver(10, 'a'), "four"}}}}); len(r.Events) != 0 || s.ID() != "four" {
		t.Errorf("an id that is known is told as new: %v", r.Events)
	}
	if got := on('s', Limits{}).IDs(); got != nil {
		t.Errorf("ids of an empty session: %v", got)
	}
}

// No clock of another node is used: what travels is how long is left.
func TestTouchesAndClocks(t *testing.T) {
	const nowA, nowB = 5 * time.Second, -300 * time.Hour // the clocks have nothing in common
	a, b := on('a', Limits{}), on('b', Limits{})
	if a.Remaining(nowA) != Never {
		t.Error("a session without a timeout expires")
	}
	must(t, a.SetTimeout(10*time.Second, nowA))
	if _, err := b.Merge(a.Take(nowA+time.Second), nowB); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		s    *Session
		now  time.Duration
		left time.Duration
	}{
		{"at once", a, nowA, 10 * time.Second},
		{"before", a, nowA + 9999*time.Millisecond, time.Millisecond},
		{"then", a, nowA + 10*time.Second, 0},
		{"after", a, nowA + time.Hour, 0},
		{"elsewhere", b, nowB, 9 * time.Second},
		{"elsewhere, then", b, nowB + 9*time.Second, 0},
	}
	for _, tt := range tests {
		if got := tt.s.Remaining(tt.now); got != tt.left {
			t.Errorf("%s: %v left, want %v", tt.name, got, tt.left)
		}
	}
}

func TestTouchOrder(t *testing.T) {
	a, b := on('a', Limits{}), on('b', Limits{})
	must(t, a.SetTimeout(10*time.Second, 0))
	if _, err := b.Merge(a.Take(0), 0); err != nil {
		t.Fatal(err)
	}
	a.Touch(time.Second)
	if a.Pending() || !a.Touched() || a.Take(0) != nil {
		t.Error("a touch alone is no change")
	}
	first, ok := a.TakeTouch(time.Second)
	if _, again := a.TakeTouch(time.Second); !ok || again || a.Touched() {
		t.Error("a touch is taken once")
	}
	a.Touch(2 * time.Second)
	second, _ := a.TakeTouch(2 * time.Second)
	apply := func(s *Session, touch Touch, now time.Duration, news bool, left time.Duration) {
		t.Helper()
		got, err := s.ApplyTouch(touch, now)
		if err != nil || got != news || s.Remaining(now) != left {
			t.Errorf("ApplyTouch = %v, %v, %v left, want %v, %v", got, err, s.Remaining(now), news, left)
		}
	}
	apply(b, second, 100*time.Second, true, 10*time.Second)
	apply(b, first, 101*time.Second, false, 9*time.Second) // late
	apply(b, second, 101*time.Second, false, 9*time.Second)
	// Used here and not told yet: newer than what the other tells.
	b.Touch(105 * time.Second)
	apply(b, Touch{ver(50, 'a'), time.Second}, 105*time.Second, true, 10*time.Second)
	told, _ := b.TakeTouch(106 * time.Second)
	if told.Version.Compare(ver(50, 'a')) <= 0 || told.Remaining != 9*time.Second {
		t.Errorf("the touch that is told is %v", told)
	}
	// A shorter timeout takes effect on the others too.
	must(t, b.SetTimeout(time.Second, 106*time.Second))
	if _, err := a.Merge(b.Take(106*time.Second), 7*time.Second); err != nil || a.Remaining(7*time.Second) != time.Second {
		t.Errorf("%v left, %v", a.Remaining(7*time.Second), err)
	}
	// And so does none.
	must(t, b.SetTimeout(0, 106*time.Second))
	if _, err := a.Merge(b.Take(106*time.Second), 7*time.Second); err != nil || a.Remaining(1<<62) != Never {
		t.Errorf("%v left, %v", a.Remaining(1<<62), err)
	}
	apply(a, Touch{ver(500, 'a'), Never - 1}, 7*time.Second, true, Never)
}

// The rest of a session's life comes with a snapshot.
func TestSnapshotCarriesTheTouch(t *testing.T) {
	a, b := on('a', Limits{}), on('b', Limits{})
	must(t, a.SetTimeout(10*time.Second, 0))
	a.Take(0)
	for range 2 { // the second tells nothing new
		if _, err := b.MergeSnapshot(a.Snapshot(4*time.Second), time.Hour); err != nil || b.Remaining(time.Hour) != 6*time.Second {
			t.Errorf("%v left, %v", b.Remaining(time.Hour), err)
		}
	}
	if _, err := b.MergeSnapshot(a.Snapshot(4*time.Second), 2*time.Hour); err != nil || b.Remaining(2*time.Hour) != 0 {
		t.Errorf("an old touch has made the session live longer, %v", err)
	}
}

// An end wins over everything that is written at the same time, before and after.
func TestEndWins(t *testing.T) {
	a, b, c := on('a', Limits{}), on('b', Limits{}), on('c', Limits{})
	set(t, a, "x", "1")
	must(t, a.SetID("i"))
	first := a.Take(start)
	merge(t, b, first)
	for range 5 {
		set(t, b, "x", "2") // a higher version than the end
	}
	must(t, a.End(Invalidated))
	end := a.Take(start)
	if len(end.Attributes) > 0 || end.From != first.To || end.To != end.End.Version.Counter {
		t.Errorf("the change is %+v", end)
	}
	if r := merge(t, b, end); !r.Ended || !r.Changed || b.Pending() || b.Take(start) != nil {
		t.Errorf("Merge of an end = %+v", r)
	}
	merge(t, c, end)
	other := on('e', Limits{}) // its own mark is not the first one
	merge(t, other, first)
	must(t, other.End(Expired))
	if c := other.Take(start); c.From != 0 || c.To != first.To+1 {
		t.Errorf("the other end is %+v", c)
	}
	for _, late := range []*Change{first, {Key: testKey, Origin: node('z'), From: 5, To: 99, Parts: Parts{
		Attributes: []Attribute{{Name: "x", Version: ver(99, 'z'), Kind: Bytes}}}}} {
		if r := merge(t, c, late); !r.Ended || r.Changed || r.Gap {
			t.Errorf("Merge after the end = %+v", r)
		}
	}
	for _, s := range []*Session{a, b, c} {
		wantShow(t, s, "invalidated")
		if s.Digest() != a.Digest() || s.Size() != 0 || s.ID() != "" || s.IDs() != nil {
			t.Errorf("on %.2s something is left", s.site.node)
		}
	}
	d := on('d', Limits{})
	set(t, d, "x", "3")
	pull(t, d, c)
	wantShow(t, d, "invalidated")
	pull(t, c, d)
	wantShow(t, c, "invalidated")
}

func TestNothingIsWrittenAfterTheEnd(t *testing.T) {
	s := on('a', Limits{})
	must(t, s.End(Expired))
	_, addErr := s.Add("n", 0)
	_, deleteErr := s.Delete("x")
	for i, err := range []error{s.Set("x", nil), s.SetNumber("x", 1), addErr, deleteErr, s.SetID("i"), s.SetPrincipal(nil),
		s.SetTimeout(1, start), s.End(Expired)} {
		if !errors.Is(err, ErrEnded) {
			t.Errorf("write %d: %v", i, err)
		}
	}
	s.Touch(start)
	if s.Touched() || s.Remaining(1<<62) == 0 {
		t.Error("an ended session was touched")
	}
	if news, err := s.ApplyTouch(Touch{ver(9, 'b'), 1}, start); news || err != nil {
		t.Errorf("ApplyTouch = %v, %v", news, err)
	}
}

// The end can come alone, also for a session that is not known.
func TestApplyEnd(t *testing.T) {
	known, fresh := on('a', Limits{}), on('b', Limits{})
	set(t, known, "x", "1")
	must(t, known.SetID("i"))
	e := End{ver(9, 'z'), Expired}
	for _, s := range []*Session{known, fresh} {
		r, err := s.ApplyEnd(e)
		if err != nil || !r.Ended || !r.Changed || r.Gap || r.Events[len(r.Events)-1].Kind != SessionEnded {
			t.Errorf("ApplyEnd = %+v, %v", r, err)
		}
		if r, err := s.ApplyEnd(e); err != nil || !r.Ended || r.Changed || len(r.Events) > 0 {
			t.Errorf("ApplyEnd again = %+v, %v", r, err)
		}
		wantShow(t, s, "expired")
		checkBooks(t, s)
		if s.seen(node('z')) != 0 || s.Digest() != known.Digest() {
			t.Error("the end is not the same on both, or says more than it knows")
		}
	}
	if _, err := on('c', Limits{}).ApplyEnd(End{ver(1<<63, 'z'), Expired}); !errors.Is(err, ErrCounter) {
		t.Errorf("ApplyEnd of a forged counter: %v", err)
	}
}

// Of two ends at the same time the newer one counts; the digests are equal before.
func TestTwoEnds(t *testing.T) {
	a, b := on('a', Limits{}), on('b', Limits{})
	must(t, a.End(Expired), b.End(Invalidated))
	if a.Digest() != b.Digest() {
		t.Error("the digests differ")
	}
	ca, cb := a.Take(start), b.Take(start)
	merge(t, a, cb)
	merge(t, b, ca)
	wantShow(t, a, "invalidated")
	wantShow(t, b, "invalidated")
	if e, _ := a.Ended(); e.Version != ver(1, 'b') {
		t.Errorf("ended by %v", e.Version)
	}
	for r, want := range map[Reason]string{Invalidated: "invalidated", Expired: "expired", 9: "unknown"} {
		if r.String() != want {
			t.Errorf("Reason(%d) is %q, want %q", r, r, want)
		}
	}
}

// Two contents of one version come out the same everywhere, as with attributes.
func TestForgedRegisters(t *testing.T) {
	v := ver(1, 'f')
	contents := []Parts{
		{Timeout: Timeout{v, 5 * time.Second}, Principal: Principal{v, []byte("one")}, IDs: []ID{{v, "i1"}}},
		{Timeout: Timeout{v, 9 * time.Second}, Principal: Principal{v, []byte("two")}, IDs: []ID{{v, "i2"}}},
		{Timeout: Timeout{v, 7 * time.Second}, Principal: Principal{v, []byte("s")}, IDs: []ID{{v, "i3"}}},
		{Timeout: Timeout{v, 0}, Principal: Principal{v, nil}, IDs: []ID{{v, "i0"}}},
	}
	for _, order := range [][]int{{0, 1, 2, 3}, {3, 2, 1, 0}, {1, 0, 3, 2}} {
		s := on('s', Limits{})
		for _, i := range order {
			merge(t, s, &Change{Key: testKey, Origin: node('f'), To: 1, Parts: contents[i]})
		}
		wantShow(t, s, "ids=i3,i2,i1 user=two timeout=9s")
	}
}

// A session that was in use here, which nobody was told, and later elsewhere lives for as
// long as the later access says.
func TestTouchLaterElsewhere(t *testing.T) {
	for _, c := range []struct{ at, left, want time.Duration }{
		{10 * time.Second, 30 * time.Second, 40 * time.Second},
		{10 * time.Second, 10 * time.Second, 30 * time.Second},
	} {
		a, b := on('a', Limits{}), on('b', Limits{})
		must(t, a.SetTimeout(30*time.Second, 0))
		a.Take(0)
		a.Touch(0)
		_, err := a.ApplyTouch(Touch{Version{9, b.site.node}, c.left}, c.at)
		must(t, err)
		if got := c.at + a.Remaining(c.at); got != c.want {
			t.Errorf("touched at 0 for 30s and at %v for %v: ends at %v, want %v", c.at, c.left, got, c.want)
		}
	}
}
