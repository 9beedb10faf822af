package record

import (
	"errors"
	"fmt"
	"slices"
	"testing"
)

// A node sets and is not done yet when a change arrives: its own write stays and is
// sent.
func TestMergeKeepsWhatWasNotTaken(t *testing.T) {
	a, b := on('a', Limits{}), on('b', Limits{})
	set(t, a, "k1", "a")
	set(t, a, "both", "a")
	set(t, b, "k2", "b")
	set(t, b, "x", "b")
	set(t, b, "both", "b")
	merge(t, a, b.Take(start))
	wantShow(t, a, "both=b k1=a k2=b x=b") // b wrote its third time: the higher version
	merge(t, b, a.Take(start))
	wantShow(t, b, "both=b k1=a k2=b x=b")
}

// Two nodes set the same attribute at the same time: they come to the same.
func TestSameAttributeAtTheSameTime(t *testing.T) {
	a, b := on('a', Limits{}), on('b', Limits{})
	set(t, a, "k", "a")
	set(t, b, "k", "b")
	ca, cb := a.Take(start), b.Take(start)
	merge(t, a, cb)
	merge(t, b, ca)
	wantShow(t, a, "k=b")
	wantShow(t, b, "k=b")
	set(t, a, "k", "later") // knows of both
	merge(t, b, a.Take(start))
	wantShow(t, b, "k=later")
}

func TestGaps(t *testing.T) {
	a := on('a', Limits{})
	var c []*Change
	for i := range 4 {
		set(t, a, fmt.Sprint(i), "v")
		c = append(c, a.Take(start))
	}
	tests := []struct {
		name  string
		order []int
		gaps  []bool
	}{
		{"in order", []int{0, 1, 2, 3}, []bool{false, false, false, false}},
		{"repeated", []int{0, 0, 1, 0}, []bool{false, false, false, false}},
		{"the first is missing", []int{1}, []bool{true}},
		{"one is missing", []int{0, 2, 3}, []bool{false, true, true}},
		{"late", []int{0, 2, 1, 2, 3}, []bool{false, true, false, false, false}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := on('b', Limits{})
			for i, n := range tt.order {
				if got := merge(t, b, c[n]).Gap; got != tt.gaps[i] {
					t.Errorf("change %d: Gap = %v, want %v", n, got, tt.gaps[i])
				}
				if v, found := b.Get(fmt.Sprint(n)); !found || string(v.Bytes) != "v" {
					t.Errorf("change %d was not merged", n)
				}
			}
			pull(t, b, a)
			if b.Digest() != a.Digest() || merge(t, b, c[3]).Gap {
				t.Error("a snapshot does not fill the gap")
			}
		})
	}
}

// A change of an empty interval says nothing about what is known.
func TestIntervalOfNothing(t *testing.T) {
	s := on('s', Limits{})
	merge(t, s, &Change{Key: testKey, Origin: node('x')})
	if marks := s.marksInOrder(); len(marks) > 0 {
		t.Errorf("marks %v, want none", marks)
	}
}

// Touches are no writes: they make no gap.
func TestTouchMakesNoGap(t *testing.T) {
	a, b := on('a', Limits{}), on('b', Limits{})
	set(t, a, "x", "1")
	merge(t, b, a.Take(start))
	a.Touch(start)
	if _, ok := a.TakeTouch(start); !ok {
		t.Fatal("no touch")
	}
	set(t, a, "x", "2")
	if merge(t, b, a.Take(start)).Gap {
		t.Error("a touch between two changes is a gap")
	}
}

func TestDifferences(t *testing.T) {
	a, b := on('a', Limits{}), on('b', Limits{})
	must(t, a.Set("v", large(0, "first")))
	merge(t, b, a.Take(start))
	must(t, a.Set("v", large(0, "second")), a.Set("v", large(0, "third")))
	d := asDiffs(t, a.Take(start))
	if d.Attributes[0].Kind != Diff || d.Attributes[0].Base.Version != ver(1, 'a') {
		t.Fatalf("no difference from what b has: %+v", d.Attributes[0])
	}
	tests := []struct {
		name    string
		prepare func(s *Session)
		edit    func(a *Attribute)
		missing bool
	}{
		{"base is there", func(s *Session) { pull(t, s, b) }, nil, false},
		{"nothing is there", func(s *Session) {}, nil, true},
		{"a number is there", func(s *Session) { must(t, s.SetNumber("v", 1)) }, nil, true},
		{"another value is there", func(s *Session) { must(t, s.Set("v", large(0, "other"))) }, nil, true},
		{"it is there already", func(s *Session) { pull(t, s, a) }, nil, false},
		{"something newer is there", func(s *Session) {
			pull(t, s, a)
			must(t, s.Set("v", large(0, "newer")))
		}, nil, false},
		{"wrong sum", func(s *Session) { pull(t, s, b) }, func(a *Attribute) { a.Sum++ }, true},
		{"wrong size", func(s *Session) { pull(t, s, b) }, func(a *Attribute) { a.Size++ }, true},
		{"damaged", func(s *Session) { pull(t, s, b) }, func(a *Attribute) { a.Value = []byte{0} }, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, c := on('s', Limits{}), *d
			tt.prepare(s)
			c.Attributes = slices.Clone(d.Attributes)
			if tt.edit != nil {
				tt.edit(&c.Attributes[0])
			}
			before := show(s)
			r := merge(t, s, &c)
			if missing := slices.Equal(r.Missing, []string{"v"}); missing != tt.missing || len(r.Missing) > 1 {
				t.Errorf("Missing = %v, want %v", r.Missing, tt.missing)
			}
			if tt.missing && (show(s) != before || s.seen(node('a')) >= c.To) {
				t.Error("a difference that cannot be used has changed something")
			}
			pull(t, s, a)
			if tt.missing && s.seen(node('a')) < c.To {
				t.Error("a snapshot does not give what was missing")
			}
		})
	}
}

// The value that others have is kept only where a difference may be worth it.
func TestBases(t *testing.T) {
	a := on('a', Limits{})
	set(t, a, "small", "1")
	must(t, a.Set("large", large(0, "1")), a.Set("number", large(0, "1")), a.Set("new", nil))
	a.Take(start)
	set(t, a, "small", "2")
	must(t, a.Set("large", large(0, "2")), a.SetNumber("number", 1), a.Set("new", large(0, "1")))
	for _, at := range a.Take(start).Attributes {
		if has := at.Base.Value != nil; has != (at.Name == "large") {
			t.Errorf("%s has a base: %v", at.Name, has)
		}
	}
	if a.rare.bases != nil {
		t.Error("old values are kept after Take")
	}
	// What nobody was told is no base, the value before it is.
	must(t, a.Set("fresh", large(0, "1")), a.Set("fresh", large(0, "2")), a.Set("large", large(0, "3")), a.Set("large", large(0, "4")))
	c := a.Take(start)
	if c.Attributes[0].Base.Value != nil || string(c.Attributes[1].Base.Value) != string(large(0, "2")) {
		t.Errorf("bases %+v, %+v", c.Attributes[0].Base, c.Attributes[1].Base)
	}
}

// A name that was removed and forgotten does not come back from a node that has missed
// the removal.
func TestRemovedStaysRemoved(t *testing.T) {
	l := Limits{Removed: 1}
	a, stale := on('a', l), on('s', l)
	set(t, a, "x", "old")
	add(t, a, "n", 5, 5)
	missed := a.Take(start)
	merge(t, stale, missed)
	for _, name := range []string{"x", "n", "y", "z"} {
		set(t, a, name, "v")
		remove(t, a, name)
	}
	a.Take(start)
	if got := len(a.entries); got != 1 {
		t.Fatalf("%d removed names are remembered, want 1", got)
	}
	merge(t, a, missed)
	wantShow(t, a, "")
	pull(t, a, stale)
	wantShow(t, a, "")
	wantShow(t, stale, "n=#5 x=old")
	pull(t, stale, a)
	wantShow(t, stale, "")
	if stale.Digest() != a.Digest() {
		t.Error("the digests differ")
	}
}

// A removal that the others have not been told about is not forgotten.
func TestRemovalsAreSentBeforeTheyAreForgotten(t *testing.T) {
	a, b := on('a', Limits{Removed: 2}), on('b', Limits{})
	for i := range 10 {
		set(t, a, fmt.Sprint(i), "v")
	}
	merge(t, b, a.Take(start))
	for i := range 10 {
		remove(t, a, fmt.Sprint(i))
	}
	merge(t, a, func() *Change { set(t, b, "x", "b"); return b.Take(start) }())
	c := a.Take(start)
	if len(c.Attributes) != 10 || len(a.entries) != 3 {
		t.Errorf("%d removals are sent, want 10; %d names are left, want 3", len(c.Attributes), len(a.entries))
	}
	merge(t, b, c)
	wantShow(t, b, "x=b")
	if a.Digest() != b.Digest() {
		t.Error("the digests differ")
	}
}

// An application that makes names without end between two changes is stopped before the
// change gets too large for the others.
func TestNamesWithinOneChange(t *testing.T) {
	l := Limits{Attributes: 2, Removed: 3}
	a, b := on('a', l), on('b', l)
	set(t, b, "x", "b")
	set(t, b, "y", "b")
	var err error
	n := 0
	for ; err == nil && n < 100; n++ {
		if err = a.Set(fmt.Sprint(n), nil); err == nil {
			remove(t, a, fmt.Sprint(n))
		}
	}
	if _, addErr := a.Add("n", 1); n != 8 || !errors.Is(err, ErrTooManyAttributes) || !errors.Is(addErr, ErrTooManyAttributes) {
		t.Errorf("after %d names: %v, %v", n, err, addErr)
	}
	merge(t, b, a.Take(start))
	set(t, a, "again", "")
	merge(t, b, a.Take(start))
	wantShow(t, b, "again= x=b y=b")
}

// What removed names take is bounded, however many an application makes.
func TestRemovedNamesAreBounded(t *testing.T) {
	a, b := on('a', Limits{}), on('b', Limits{})
	for i := range 5000 {
		name := fmt.Sprintf("flash%d", i)
		set(t, a, name, "once")
		merge(t, b, a.Take(start))
		remove(t, a, name)
		merge(t, b, a.Take(start))
	}
	if len(a.entries) > 64 || len(b.entries) > 64 || b.Size() > 64*80 {
		t.Errorf("%d and %d names are remembered, want 64", len(a.entries), len(b.entries))
	}
}

func TestForgedCounters(t *testing.T) {
	forged := func(counter uint64) *Change {
		return &Change{Key: testKey, Origin: node('f'), To: counter, Parts: Parts{
			Attributes: []Attribute{{Name: "x", Version: ver(counter, 'f'), Kind: Bytes, Value: []byte("forged")}}}}
	}
	known := on('a', Limits{})
	set(t, known, "x", "mine")
	known.Take(start)
	fresh := on('b', Limits{})
	for _, counter := range []uint64{1<<64 - 1, MaxCounter + 1, MaxCounter/2 + 1} {
		for _, s := range []*Session{known, fresh} {
			if _, err := s.Merge(forged(counter), start); !errors.Is(err, ErrCounter) {
				t.Errorf("Merge of counter %d: %v", counter, err)
			}
			if _, err := s.ApplyTouch(Touch{ver(counter, 'f'), 1}, start); !errors.Is(err, ErrCounter) {
				t.Errorf("ApplyTouch of counter %d: %v", counter, err)
			}
			sn := &Snapshot{Key: testKey, Marks: []Mark{{node('f'), counter}}}
			if _, err := s.MergeSnapshot(sn, start); !errors.Is(err, ErrCounter) {
				t.Errorf("MergeSnapshot of counter %d: %v", counter, err)
			}
		}
	}
	if _, err := known.Merge(forged(1+MaxStep+1), start); !errors.Is(err, ErrCounter) {
		t.Errorf("a step that is too large: %v", err)
	}
	wantShow(t, known, "x=mine")
	// The largest that is taken leaves room for writes that win.
	for s, counter := range map[*Session]uint64{known: 1 + MaxStep, fresh: MaxCounter / 2} {
		merge(t, s, forged(counter))
		wantShow(t, s, "x=forged")
		set(t, s, "x", "again")
		merge(t, s, forged(counter))
		wantShow(t, s, "x=again")
	}
}

// A session without numbers left tells so, and can still be ended.
func TestCountersUsedUp(t *testing.T) {
	a, b := on('a', Limits{}), on('b', Limits{})
	set(t, a, "x", "1")
	merge(t, b, a.Take(start))
	a.clock = MaxCounter
	a.Touch(start)
	if err := a.Set("x", nil); !errors.Is(err, ErrCounter) {
		t.Errorf("Set: %v", err)
	}
	if _, err := a.Add("n", 1); !errors.Is(err, ErrCounter) {
		t.Errorf("Add: %v", err)
	}
	if err := errors.Join(a.SetID("i"), a.SetPrincipal(nil), a.SetTimeout(1, start)); !errors.Is(err, ErrCounter) {
		t.Errorf("registers: %v", err)
	}
	if _, err := a.Delete("x"); !errors.Is(err, ErrCounter) {
		t.Errorf("Delete: %v", err)
	}
	if _, ok := a.TakeTouch(start); ok {
		t.Error("a touch without a number")
	}
	must(t, a.End(Invalidated))
	if c := a.Take(start); c == nil || c.End.Version.IsZero() {
		t.Errorf("Take after End = %+v", c)
	}
}

// Two contents for one version: nobody honest makes them, and all come to the same.
func TestForgedVersions(t *testing.T) {
	contents := []Attribute{
		{Name: "x", Version: ver(1, 'f'), Kind: Bytes, Value: []byte("one")},
		{Name: "x", Version: ver(1, 'f'), Kind: Bytes, Value: []byte("two")},
		{Name: "x", Version: ver(1, 'f'), Kind: Number, Start: 5, Shares: []Share{{node('f'), 2, 1}}},
		{Name: "x", Version: ver(1, 'f'), Kind: Number, Start: 5, Shares: []Share{{node('f'), 2, 2}}},
		{Name: "x", Version: ver(1, 'f'), Kind: Removed},
	}
	var digests []uint64
	for _, order := range [][]int{{0, 1, 2, 3, 4}, {4, 3, 2, 1, 0}, {2, 4, 0, 3, 1}, {3, 3, 1, 0, 4, 2}} {
		s := on('s', Limits{})
		for _, i := range order {
			// From no mark on, so that each counts as not known yet.
			merge(t, s, &Change{Key: testKey, Origin: node('f'), From: 10, To: 11, Parts: Parts{Attributes: contents[i : i+1]}})
		}
		digests = append(digests, s.Digest())
		wantShow(t, s, "x=#7")
	}
	if slices.Min(digests) != slices.Max(digests) {
		t.Errorf("digests %x", digests)
	}
}

func TestMergeRefuses(t *testing.T) {
	l := Limits{Attributes: 2, Removed: 1, Name: 4, Value: 10, Bytes: 200, ID: 5, Nodes: 2}
	attribute := func(name string, size int) Attribute {
		return Attribute{Name: name, Version: ver(9, 'b'), Kind: Bytes, Value: make([]byte, size)}
	}
	var many []Attribute
	for i := range 10 {
		many = append(many, attribute(fmt.Sprint(i), 0))
	}
	tests := []struct {
		name string
		p    Parts
		want error
	}{
		{"name", Parts{Attributes: []Attribute{attribute("fiver", 0)}}, ErrNameTooLong},
		{"no name", Parts{Attributes: []Attribute{attribute("", 0)}}, ErrEmpty},
		{"value", Parts{Attributes: []Attribute{attribute("a", 11)}}, ErrValueTooLarge},
		{"difference", Parts{Attributes: []Attribute{{Name: "a", Version: ver(9, 'b'), Kind: Diff, Size: 11}}}, ErrValueTooLarge},
		{"principal", Parts{Principal: Principal{ver(9, 'b'), make([]byte, 11)}}, ErrValueTooLarge},
		{"id", Parts{IDs: []ID{{ver(9, 'b'), "sixsix"}}}, ErrIDTooLong},
		{"attributes", Parts{Attributes: many}, ErrTooManyAttributes},
		{"bytes", Parts{Attributes: append(slices.Clone(many), many...)}, ErrSessionTooLarge},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := on('a', l)
			set(t, s, "a", "1")
			before := s.Digest()
			if _, err := s.Merge(&Change{Key: testKey, Origin: node('b'), To: 9, Parts: tt.p}, start); !errors.Is(err, tt.want) {
				t.Errorf("Merge: %v, want %v", err, tt.want)
			}
			if _, err := s.MergeSnapshot(&Snapshot{Key: testKey, Parts: tt.p}, start); !errors.Is(err, tt.want) {
				t.Errorf("MergeSnapshot: %v, want %v", err, tt.want)
			}
			if s.Digest() != before || s.seen(node('b')) != 0 || s.clock != 1 {
				t.Error("a change that was refused has left something")
			}
		})
	}
	s := on('a', l)
	marks := []Mark{{node('a'), 1}, {node('b'), 1}, {node('c'), 1}}
	if _, err := s.MergeSnapshot(&Snapshot{Key: testKey, Marks: marks}, start); !errors.Is(err, ErrTooManyNodes) {
		t.Errorf("MergeSnapshot with too many marks: %v", err)
	}
	if _, err := s.Merge(&Change{}, start); !errors.Is(err, ErrOtherSession) {
		t.Errorf("Merge of another session: %v", err)
	}
	if _, err := s.MergeSnapshot(&Snapshot{}, start); !errors.Is(err, ErrOtherSession) {
		t.Errorf("MergeSnapshot of another session: %v", err)
	}
}

// Changes that are small each cannot make a session large without end.
func TestManyChanges(t *testing.T) {
	l := Limits{Attributes: 5, Removed: 1, Bytes: 5 * 80}
	s := on('s', l)
	for i := range 100 {
		o := on(byte(i+1), l)
		set(t, o, fmt.Sprint("name", i), "value")
		_, err := s.Merge(o.Take(start), start)
		if want := i >= 21; (err != nil) != want {
			t.Fatalf("change %d: %v", i, err)
		}
		if err != nil && !errors.Is(err, ErrTooManyAttributes) && !errors.Is(err, ErrSessionTooLarge) {
			t.Fatalf("change %d: %v", i, err)
		}
	}
	if s.Len() != 21 || s.Size() > excess*l.Bytes {
		t.Errorf("%d attributes of %d bytes", s.Len(), s.Size())
	}
	big := on('s', l)
	for i := range 100 {
		o := on(byte(i+1), Limits{})
		must(t, o.Set("x", make([]byte, 300)), o.SetNumber(fmt.Sprint(i), 0))
		if _, err := big.Merge(o.Take(start), start); err != nil && !errors.Is(err, ErrSessionTooLarge) {
			t.Fatal(err)
		}
	}
	if big.Size() > excess*l.Bytes {
		t.Errorf("%d bytes", big.Size())
	}
}

// What several nodes write at the same time is taken although it adds up to more than
// one may write, and can be merged again.
func TestMergeAboveTheLimits(t *testing.T) {
	l := Limits{Attributes: 3, Bytes: 3 * 80}
	all := on('z', l)
	for _, n := range []byte("abcd") {
		s := on(n, l)
		for i := range 3 {
			set(t, s, fmt.Sprintf("%c%d", n, i), "v")
		}
		merge(t, all, s.Take(start))
	}
	if all.Len() != 12 {
		t.Fatalf("Len() = %d, want 12", all.Len())
	}
	pull(t, all, all)
	other := on('y', l)
	pull(t, other, all)
	if err := all.Set("more", nil); !errors.Is(err, ErrTooManyAttributes) {
		t.Errorf("Set: %v", err)
	}
	set(t, all, "a0", "")
	remove(t, all, "a1")
}

// The marks of nodes that are gone are forgotten when there are too many; the node
// itself is not.
func TestMarksAreBounded(t *testing.T) {
	a := on('a', Limits{Nodes: 3})
	set(t, a, "own", "v")
	a.Take(start)
	for i := range byte(20) {
		o := on('b'+i, Limits{})
		for range 2 + i {
			set(t, o, "x", "v")
		}
		merge(t, a, o.Take(start))
	}
	marks := a.marksInOrder()
	if len(marks) != 3 || a.seen(node('a')) != 1 || a.seen(node('b'+19)) != 21 {
		t.Errorf("marks %v, want 3, with that of the node and the newest", marks)
	}
	one := on('a', Limits{Nodes: 1})
	set(t, one, "x", "v")
	merge(t, one, func() *Change { o := on('b', Limits{}); set(t, o, "y", "v"); return o.Take(start) }())
	if got := len(one.marksInOrder()); got != 1 {
		t.Errorf("%d marks, want 1", got)
	}
}

func TestEvents(t *testing.T) {
	a, b := on('a', Limits{}), on('b', Limits{IDs: 1})
	quiet := New(NewSite(nodeID('q'), Limits{}, false), testKey)
	steps := []struct {
		name  string
		write func()
		want  string
		quiet string
	}{
		{"made", func() { set(t, a, "x", "1"); must(t, a.SetID("i1")) },
			"[{1 x {0 [] 0} {1 [49] 0}} {3 i1 {0 [] 0} {0 [] 0}}]", "[{3 i1 {0 [] 0} {0 [] 0}}]"},
		{"replaced", func() { set(t, a, "x", "2"); add(t, a, "n", 1, 1) },
			"[{1 n {0 [] 0} {2 [] 1}} {1 x {1 [49] 0} {1 [50] 0}}]", "[]"},
		{"removed", func() { remove(t, a, "x"); add(t, a, "n", 1, 2) },
			"[{1 n {2 [] 1} {2 [] 2}} {2 x {1 [50] 0} {0 [] 0}}]", "[]"},
		{"renamed", func() { must(t, a.SetID("i2")) },
			"[{3 i2 {0 [] 0} {0 [] 0}} {4 i1 {0 [] 0} {0 [] 0}}]", "[{3 i2 {0 [] 0} {0 [] 0}}]"},
		{"ended", func() { must(t, a.End(Expired)) },
			"[{4 i2 {0 [] 0} {0 [] 0}} {5  {0 [] 0} {0 [] 0}}]", "[{4 i2 {0 [] 0} {0 [] 0}} {4 i1 {0 [] 0} {0 [] 0}} {5  {0 [] 0} {0 [] 0}}]"},
	}
	for _, st := range steps {
		t.Run(st.name, func(t *testing.T) {
			st.write()
			c := a.Take(start)
			if r := merge(t, b, c); fmt.Sprint(r.Events) != st.want || !r.Changed {
				t.Errorf("events %v, want %v", r.Events, st.want)
			}
			if r := merge(t, quiet, c); fmt.Sprint(r.Events) != st.quiet {
				t.Errorf("without attributes: events %v, want %v", r.Events, st.quiet)
			}
			if r := merge(t, b, c); len(r.Events) > 0 || r.Changed {
				t.Errorf("the same again: %+v", r)
			}
		})
	}
}

// A removal by snapshot is told like any other.
func TestEventOfRemovalBySnapshot(t *testing.T) {
	l := Limits{Removed: 1}
	a, b := on('a', l), on('b', l)
	set(t, a, "x", "1")
	merge(t, b, a.Take(start))
	remove(t, a, "x")
	set(t, a, "y", "1")
	remove(t, a, "y")
	a.Take(start)
	r := pull(t, b, a)
	if got, want := fmt.Sprint(r.Events), "[{2 x {1 [49] 0} {0 [] 0}}]"; got != want {
		t.Errorf("events %v, want %v", got, want)
	}
}
