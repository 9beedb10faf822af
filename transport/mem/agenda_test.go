package mem

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// An agenda gives back what was put in the order of time, and in the order of
// put within one time, as a sorted list would.
func TestAgenda(t *testing.T) {
	type thing struct{ At, N int }
	base := time.Now()
	rnd := rand.New(rand.NewPCG(1, 2))
	var a agenda[thing]
	var model, got, want []thing
	now, put := 0, 0
	for range 3000 {
		if rnd.IntN(3) > 0 {
			v := thing{now + rnd.IntN(50), put}
			put++
			a.put(base.Add(time.Duration(v.At)), v)
			model = append(model, v)
			continue
		}
		now += rnd.IntN(10)
		for v, ok := a.take(base.Add(time.Duration(now))); ok; v, ok = a.take(base.Add(time.Duration(now))) {
			got = append(got, v)
		}
		slices.SortStableFunc(model, func(x, y thing) int { return x.At - y.At })
		due := slices.IndexFunc(model, func(x thing) bool { return x.At > now })
		if due < 0 {
			due = len(model)
		}
		want = append(want, model[:due]...)
		model = slices.Delete(model, 0, due)
		if at, ok := a.next(); ok != (len(model) > 0) || ok && !at.Equal(base.Add(time.Duration(model[0].At))) {
			t.Fatalf("next() = %v, %v with %d left", at, ok, len(model))
		}
	}
	if diff := cmp.Diff(want, got); diff != "" || len(got) < 1000 {
		t.Errorf("%d things taken (-want +got):\n%s", len(got), diff)
	}
}

func TestQueue(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	var q queue[int]
	in, out := 0, 0
	for range 10000 {
		if rnd.IntN(2) == 0 {
			q.put(in)
			in++
		}
		if q.len() != in-out {
			t.Fatalf("len() = %d, want %d", q.len(), in-out)
		}
		if q.len() > 20 || q.len() > 0 && rnd.IntN(2) == 0 {
			if first := *q.first(); first != out {
				t.Fatalf("first() = %d, want %d", first, out)
			}
			if v := q.take(); v != out {
				t.Fatalf("take() = %d, want %d", v, out)
			}
			out++
		}
	}
	if cap(q.items) > 128 {
		t.Errorf("a queue that never had more than 21 items has room for %d", cap(q.items))
	}
}
