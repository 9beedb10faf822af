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
