package record

import (
	"errors"
	"fmt"
	"testing"
)

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
