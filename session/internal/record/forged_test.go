package record

import (
	"errors"
	"fmt"
	"slices"
	"testing"
)

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
