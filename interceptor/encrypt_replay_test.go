package interceptor

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func ivOf(n int) iv { return iv{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)} }

func TestReplayWindow(t *testing.T) {
	const now, span = 1_000_000, 10_000
	type step struct {
		iv      int
		at, now int64
		want    novelty
	}
	tests := []struct {
		name  string
		limit int
		steps []step
	}{
		{"each once", 10, []step{
			{1, now, now, fresh}, {1, now, now, replayed}, {2, now, now, fresh}, {2, now, now + 5, replayed},
		}},
		{"the ends of the window", 10, []step{
			{1, now - span, now, forgotten}, // sealed when it could not have been received
			{2, now - span + 1, now, fresh}, {3, now + span, now, fresh},
			{4, now - span - 1, now, tooOld}, {5, now + span + 1, now, tooNew},
		}},
		{"the ends of the window, later", 10, []step{
			{1, now, now + span, fresh}, {2, now - 1, now + span, tooOld}, {1, now, now + span, replayed}, {1, now, now + span + 1, tooOld},
		}},
		{"reordered", 10, []step{
			{1, now + 3, now, fresh}, {2, now - 3, now, fresh}, {3, now, now, fresh}, {2, now - 3, now, replayed}, {1, now + 3, now, replayed},
		}},
		{"the oldest is forgotten, and all that is as old", 2, []step{
			{1, now + 2, now, fresh}, {2, now + 1, now, fresh}, {3, now + 3, now, fresh}, // the second is forgotten
			{2, now + 1, now, forgotten}, {4, now + 1, now, forgotten}, {5, now, now, forgotten}, {1, now + 2, now, replayed},
		}},
		{"a message that is the oldest is delivered and forgotten", 1, []step{
			{1, now + 2, now, fresh}, {2, now + 1, now, fresh}, {2, now + 1, now, forgotten}, {1, now + 2, now, replayed},
		}},
		{"time makes room", 2, []step{
			{1, now, now, fresh}, {2, now + 1, now, fresh},
			{3, now + span + 5, now + span + 5, fresh}, {4, now + span + 4, now + span + 5, fresh}, {4, now + span + 4, now + span + 5, replayed},
		}},
		{"a clock that is set back opens nothing", 10, []step{
			{1, now, now, fresh}, {2, now + 2*span, now + 2*span, fresh}, {1, now, now, forgotten}, {2, now + 2*span, now + 2*span, replayed},
		}},
		{"stamps at the ends of time", 10, []step{
			{1, -1 << 63, now, tooOld}, {2, 1<<63 - 1, now, tooNew},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newReplayWindow(span, tt.limit, now)
			for i, s := range tt.steps {
				if got := w.admit(ivOf(s.iv), s.at, s.now); got != s.want {
					t.Errorf("step %d: message %d sealed at %d, now %d: %d, want %d", i, s.iv, s.at-now, s.now-now, got, s.want)
				}
			}
			if w.len() > tt.limit || len(w.seen) != w.len() {
				t.Errorf("%d messages in the queue and %d in the map, want the same and at most %d", w.len(), len(w.seen), tt.limit)
			}
		})
	}
}

func TestReplayWindowWithoutStamps(t *testing.T) {
	w := newReplayWindow(0, 3, 0)
	for i, want := range []novelty{fresh, fresh, fresh} {
		if got := w.once(ivOf(i)); got != want {
			t.Errorf("message %d: %d, want %d", i, got, want)
		}
	}
	for i := range 3 {
		if got := w.once(ivOf(i)); got != replayed {
			t.Errorf("message %d again: %d, want %d", i, got, replayed)
		}
	}
	if w.once(ivOf(3)) != fresh || w.once(ivOf(1)) != replayed || w.once(ivOf(0)) != fresh {
		t.Error("of three messages that are remembered not the oldest one was forgotten")
	}
	if w.len() != 3 || len(w.seen) != 3 {
		t.Errorf("%d messages are remembered, want 3", w.len())
	}
}

// tribesWindow is the rule as it is written down, without thought of time or memory:
// it forgets by the limit alone.
type tribesWindow struct {
	span, floor int64
	limit       int
	all         []stamped
}

func (w *tribesWindow) admit(v iv, at, now int64) bool {
	if at < now-w.span || at > now+w.span || at <= w.floor ||
		slices.ContainsFunc(w.all, func(s stamped) bool { return s.iv == v }) {
		return false
	}
	w.all = append(w.all, stamped{at, v})
	if len(w.all) > w.limit {
		oldest := 0
		for i, s := range w.all {
			if s.at < w.all[oldest].at {
				oldest = i
			}
		}
		w.floor = max(w.floor, w.all[oldest].at)
		w.all = slices.Delete(w.all, oldest, oldest+1)
	}
	return true
}

// Whatever comes in whatever order: nothing is delivered twice, and what is delivered
// is what the rules of Tribes deliver, as long as these have room.
func TestReplayWindowProperty(t *testing.T) {
	for seed := range uint64(10) {
		r := rand.New(rand.NewPCG(seed, 1))
		span := int64(1 + r.IntN(200))
		limit := 1 + r.IntN(40)
		now := int64(1_000_000)
		w := newReplayWindow(span, limit, now)
		strict := &tribesWindow{span: span, limit: limit, floor: now - span}
		wide := &tribesWindow{span: span, limit: 1 << 30, floor: now - span}
		stamps := make(map[int]int64)
		delivered := make(map[int]bool)
		for i := range 2000 {
			now += int64(r.IntN(4))
			if r.IntN(500) == 0 {
				now += span * int64(r.IntN(5)-2)
			}
			n := max(0, i-r.IntN(1+r.IntN(60))) // an old one or the next
			at, known := stamps[n]
			if !known {
				at = now + int64(r.IntN(int(span)))*3/2 - span*3/4
				stamps[n] = at
			}
			got := w.admit(ivOf(n), at, now) == fresh
			if got && delivered[n] {
				t.Fatalf("seed %d, step %d: message %d was delivered twice", seed, i, n)
			}
			delivered[n] = delivered[n] || got
			inWide := wide.admit(ivOf(n), at, now)
			if inStrict := strict.admit(ivOf(n), at, now); inStrict && !got && inWide && at > w.floor {
				t.Fatalf("seed %d, step %d: message %d was dropped, and the rules of Tribes deliver it", seed, i, n)
			}
			if got && !inWide {
				t.Fatalf("seed %d, step %d: message %d was delivered against the rules of Tribes", seed, i, n)
			}
			if w.len() > limit || len(w.seen) != w.len() {
				t.Fatalf("seed %d, step %d: %d and %d messages are remembered, want at most %d", seed, i, w.len(), len(w.seen), limit)
			}
		}
	}
}
