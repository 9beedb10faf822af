package record

import (
	"errors"
	"math"
	"testing"
)

// Both nodes begin a counter at the same time: no Add is lost.
func TestAddsAtTheSameTime(t *testing.T) {
	a, b := on('a', Limits{}), on('b', Limits{})
	add(t, a, "n", 5, 5)
	add(t, b, "n", -2, -2)
	ca, cb := a.Take(start), b.Take(start)
	for range 2 { // twice is once
		merge(t, a, cb)
		merge(t, b, ca)
	}
	wantShow(t, a, "n=#3")
	wantShow(t, b, "n=#3")
	if a.Digest() != b.Digest() {
		t.Error("the digests differ")
	}
}

// Set and then Add: all agree, in whatever order the changes come.
func TestSetThenAdd(t *testing.T) {
	a, b := on('a', Limits{}), on('b', Limits{})
	must(t, a.SetNumber("n", 5))
	set1 := a.Take(start)
	merge(t, b, set1)
	add(t, b, "n", 1, 6)
	addB := b.Take(start)
	add(t, a, "n", 10, 15)
	addA := a.Take(start)
	for _, order := range [][]*Change{{set1, addA, addB}, {addB, addA, set1}, {addA, set1, addB, set1}} {
		c := on('c', Limits{})
		for _, change := range order {
			merge(t, c, change)
		}
		wantShow(t, c, "n=#16")
	}
}

func TestCounterAndValueOfOneName(t *testing.T) {
	tests := []struct {
		name string
		a, b func(s *Session) error // at the same time, after both know n=#5 of a
		want string
	}{
		{"Set replaces an Add it did not know of",
			func(s *Session) error { return s.Set("n", []byte("text")) },
			func(s *Session) error { _, err := s.Add("n", 1); return err }, "n=text"},
		{"SetNumber replaces an Add it did not know of",
			func(s *Session) error { return s.SetNumber("n", 100) },
			func(s *Session) error { _, err := s.Add("n", 1); return err }, "n=#100"},
		{"Delete replaces an Add it did not know of",
			func(s *Session) error { _, err := s.Delete("n"); return err },
			func(s *Session) error { _, err := s.Add("n", 1); return err }, ""},
		{"of two Sets the higher node's wins",
			func(s *Session) error { return s.SetNumber("n", 1) },
			func(s *Session) error { return s.Set("n", []byte("text")) }, "n=text"},
		{"Add after Set of the same node goes with the Set",
			func(s *Session) error { return s.Set("n", []byte("text")) },
			func(s *Session) error {
				err := s.SetNumber("n", 1)
				_, err2 := s.Add("n", 1)
				return errors.Join(err, err2)
			}, "n=#2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, b := on('a', Limits{}), on('b', Limits{})
			must(t, a.SetNumber("n", 5))
			merge(t, b, a.Take(start))
			must(t, tt.a(a), tt.b(b))
			ca, cb := a.Take(start), b.Take(start)
			merge(t, a, cb)
			merge(t, b, ca)
			wantShow(t, a, tt.want)
			wantShow(t, b, tt.want)
			if a.Digest() != b.Digest() {
				t.Error("the digests differ")
			}
		})
	}
}

// An Add to a removed name begins at 0 again, and what was added before stays away.
func TestAddAfterDelete(t *testing.T) {
	a, b := on('a', Limits{}), on('b', Limits{})
	add(t, a, "n", 5, 5)
	old := a.Take(start)
	remove(t, a, "n")
	add(t, a, "n", 0, 0)
	if a.Len() != 0 {
		t.Error("an Add of 0 made an attribute")
	}
	add(t, a, "n", 2, 2)
	merge(t, b, a.Take(start))
	merge(t, b, old)
	wantShow(t, b, "n=#2")
}

func TestCounterWrapsAround(t *testing.T) {
	a, b := on('a', Limits{}), on('b', Limits{})
	must(t, a.SetNumber("n", math.MaxInt64))
	merge(t, b, a.Take(start))
	add(t, a, "n", 1, math.MinInt64)
	add(t, a, "n", math.MaxInt64, -1)
	merge(t, b, a.Take(start))
	wantShow(t, b, "n=#-1")
}

func TestTooManyNodesInACounter(t *testing.T) {
	a := on('a', Limits{Nodes: 2})
	for _, n := range []byte("bc") {
		o := on(n, Limits{})
		add(t, o, "n", 1, 1)
		merge(t, a, o.Take(start))
	}
	if _, err := a.Add("n", 1); !errors.Is(err, ErrTooManyNodes) {
		t.Errorf("Add of a third node: %v", err)
	}
	must(t, a.SetNumber("n", 2)) // begins anew
	add(t, a, "n", 1, 3)
}

// known makes a session know writes that it does not have, as after a removal that it
// has forgotten.
func known(t *testing.T, s *Session, marks ...Mark) {
	t.Helper()
	if _, err := s.MergeSnapshot(&Snapshot{Key: testKey, Marks: marks}, start); err != nil {
		t.Fatal(err)
	}
}

// What was added before a removal does not come back, neither with an entry that lives
// for another reason nor from a node that still has it.
func TestForgottenShares(t *testing.T) {
	x, y, z := Share{node('x'), 1, 10}, Share{node('y'), 1, 20}, Share{node('z'), 1, 30}
	adds := func(shares ...Share) []Attribute { return []Attribute{{Name: "n", Shares: shares}} }
	tests := []struct {
		name   string
		ours   []Share
		known  []Mark
		theirs []Share
		marks  []Mark
		want   string
	}{
		{"all live", []Share{x}, nil, []Share{y, z}, nil, "n=#60"},
		{"ours is dead", []Share{x}, nil, []Share{y}, []Mark{{node('x'), 1}}, "n=#20"},
		{"one of ours is dead", []Share{x, y}, nil, []Share{z}, []Mark{{node('x'), 1}}, "n=#50"},
		{"theirs is dead", []Share{x}, []Mark{{node('y'), 1}}, []Share{y}, nil, "n=#10"},
		{"one of theirs is dead", []Share{x}, []Mark{{node('y'), 1}}, []Share{y, z}, nil, "n=#40"},
		{"both are dead", []Share{x}, []Mark{{node('y'), 1}}, []Share{y}, []Mark{{node('x'), 1}}, ""},
		{"we have nothing, one of theirs lives", nil, []Mark{{node('y'), 1}}, []Share{y, z}, nil, "n=#30"},
		{"they have nothing, ours is dead", []Share{x}, nil, nil, []Mark{{node('x'), 1}}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := on('s', Limits{})
			known(t, s, tt.known...)
			if tt.ours != nil {
				// From no mark on, so that the shares are there without being known.
				merge(t, s, &Change{Key: testKey, Origin: node('o'), From: 5, To: 6, Parts: Parts{Attributes: adds(tt.ours...)}})
			}
			sn := &Snapshot{Key: testKey, Marks: tt.marks}
			if tt.theirs != nil {
				sn.Attributes = adds(tt.theirs...)
			}
			if _, err := s.MergeSnapshot(sn, start); err != nil {
				t.Fatal(err)
			}
			checkBooks(t, s)
			wantShow(t, s, tt.want)
		})
	}
}

// An Add of this node that another has seen, removed and forgotten before it was taken
// leaves nothing to send.
func TestTakeSaysNothingOfWhatWasRemoved(t *testing.T) {
	a, c := on('a', Limits{}), on('c', Limits{})
	add(t, a, "n", 1, 1)
	add(t, c, "n", 2, 2)
	merge(t, a, c.Take(start))
	sn := &Snapshot{Key: testKey, Marks: []Mark{{node('a'), 1}}, Parts: Parts{
		Attributes: []Attribute{{Name: "n", Shares: []Share{{node('c'), 1, 2}}}}}}
	if _, err := a.MergeSnapshot(sn, start); err != nil {
		t.Fatal(err)
	}
	wantShow(t, a, "n=#2")
	if c := a.Take(start); len(c.Attributes) != 0 || c.To != 1 {
		t.Errorf("Take = %+v", c)
	}
}
