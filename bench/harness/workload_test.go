package harness

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPlan(t *testing.T) {
	got := plan([]int{1, 2}, []int{100, 1024}, []int{1, 8}, []int{1, 3})
	want := []cell{
		{"W1", NoAck, 100, 1, 1},
		{"W1", NoAck, 1024, 1, 1},
		{"W2", Sync, 100, 1, 1}, {"W2", Sync, 100, 8, 1}, {"W2", Sync, 100, 1, 3}, {"W2", Sync, 100, 8, 3},
		{"W2", Sync, 1024, 1, 1}, {"W2", Sync, 1024, 8, 1}, {"W2", Sync, 1024, 1, 3}, {"W2", Sync, 1024, 8, 3},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("plan (-want +got):\n%s", diff)
	}
}

func TestNumbers(t *testing.T) {
	tests := []struct {
		name, list string
		want       []int
		ok         bool
	}{
		{"one", "7", []int{7}, true},
		{"units", "100, 1k,2M", []int{100, 1 << 10, 2 << 20}, true},
		{"zero", "0", nil, false},
		{"negative", "-1", nil, false},
		{"empty", "", nil, false},
		{"hole", "1,,2", nil, false},
		{"words", "many", nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := numbers(tt.list)
			if (err == nil) != tt.ok {
				t.Fatalf("numbers(%q): error %v, want ok %v", tt.list, err, tt.ok)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("numbers(%q) (-want +got):\n%s", tt.list, diff)
			}
		})
	}
}

func TestEvaluateCountsWhereUnitsAreCounted(t *testing.T) {
	before := snapshot{marks: []reply{{T: 1e9, Sent: 10, Recv: 0}, {T: 5e9, Recv: 100}}}
	after := snapshot{marks: []reply{{T: 2e9, Sent: 20, Errs: 1, Alloc: 640}, {T: 7e9, Recv: 1100}}}
	if s := evaluate(cell{Kind: NoAck}, before, after); s.Rate != 500 {
		t.Errorf("one way: rate %v, want 1000 messages in the receiver's 2 s = 500", s.Rate)
	}
	s := evaluate(cell{Kind: Sync}, before, after)
	if s.Rate != 10 || s.Errors != 1 || s.Alloc != 64 {
		t.Errorf("acked: rate %v, errors %d, %v bytes; want 10, 1, 64", s.Rate, s.Errors, s.Alloc)
	}
}

func TestMedian(t *testing.T) {
	of := func(v ...float64) []sample {
		var all []sample
		for _, x := range v {
			all = append(all, sample{Rate: x})
		}
		return all
	}
	tests := []struct {
		name string
		in   []sample
		want float64
	}{
		{"none", nil, 0},
		{"one", of(3), 3},
		{"odd", of(9, 1, 5), 5},
		{"even", of(1, 9, 5, 7), 6},
	}
	for _, tt := range tests {
		if got := median(tt.in, rate); got != tt.want {
			t.Errorf("%s: median = %v, want %v", tt.name, got, tt.want)
		}
	}
}
