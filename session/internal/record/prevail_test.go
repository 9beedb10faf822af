package record

import (
	"testing"
	"time"
)

// What two nodes have written without knowing of each other ends up as who stores last has
// written it, whichever node that is: values, numbers, removals, the timeout and who is
// logged in.
func TestStoredLaterWins(t *testing.T) {
	for _, names := range []string{"ab", "ba"} {
		first, second := on(names[0], Limits{}), on(names[1], Limits{})
		set(t, first, "value", "old")
		set(t, first, "gone", "old")
		set(t, first, "back", "old")
		must(t, first.SetID("id"), first.SetNumber("n", 1))
		pull(t, second, first)
		set(t, first, "value", "first")
		set(t, first, "gone", "first")
		set(t, first, "only", "first")
		remove(t, first, "back")
		must(t, first.SetNumber("n", 10), first.SetPrincipal([]byte("first")), first.SetTimeout(time.Minute, start))
		set(t, second, "value", "second")
		set(t, second, "back", "second")
		remove(t, second, "gone")
		must(t, second.SetNumber("n", 20), second.SetPrincipal([]byte("second")), second.SetTimeout(time.Hour, start))
		add(t, second, "n", 2, 22)
		for range 2 {
			if _, err := second.MergeStored(first.Snapshot(start), start, 0); err != nil {
				t.Fatal(err)
			}
			checkBooks(t, second)
			wantShow(t, second, "back=second n=#22 only=first value=second ids=id user=second timeout=1h0m0s")
		}
		pull(t, first, second)
		wantShow(t, first, show(second))
		if first.Digest() != second.Digest() {
			t.Error("the nodes differ")
		}
	}
}

// What is stored replaces what was written here if it knew of that, and what was only read.
func TestStoredKnows(t *testing.T) {
	a, b := on('a', Limits{}), on('b', Limits{})
	set(t, a, "k", "1")
	set(t, a, "read", "1")
	pull(t, b, a)
	set(t, b, "k", "2")
	set(t, b, "read", "2")
	if _, err := a.MergeStored(b.Snapshot(start), start, 0); err != nil {
		t.Fatal(err)
	}
	checkBooks(t, a)
	wantShow(t, a, "k=2 read=2")
}
