package static

import (
	"runtime"
	"testing"
	"time"

	"github.com/gotribes/tribes/internal/bubble"
)

// A list of 293 addresses of which 3 are members: two goroutines at most for
// each address, dial rates that fall to one each MaxPause, and no harm to those
// that are there.
func TestLongListOfDeadAddresses(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		const dead = 290
		before := runtime.NumGoroutine()
		w := newWire(t)
		for i := 100; i < 100+dead/2; i++ {
			w.swallow(addr(i), true)
		}
		all := w.group(3, Config{Members: list(100, 100+dead-1)})
		until(t, time.Second, "a whole group", whole(all))
		perMember := (runtime.NumGoroutine() - before) / len(all)
		if most := 2 * (dead + 3); perMember > most {
			t.Errorf("%d goroutines for each member, want at most %d", perMember, most)
		}
		time.Sleep(20 * time.Second)
		count := func() (n int) {
			for i := 100; i < 100+dead; i++ {
				n += len(w.parcels(addr(i)))
			}
			return n
		}
		n := count()
		time.Sleep(30 * time.Second)
		tries := (count() - n) / len(all)
		if least, most := dead*2, dead*4; tries < least || tries > most {
			t.Errorf("%d tries of %d dead addresses in 30 s, want between %d and %d", tries, dead, least, most)
		}
		for _, e := range all {
			if got := e.told(); len(got) != 2 {
				t.Errorf("%s was told %v, want 2 joins", e.local, got)
			}
		}
	})
}

// BenchmarkQuestion is a question to a member and its answer, both sides.
func BenchmarkQuestion(b *testing.B) {
	w := newWire(b)
	w.delay = 0
	e, peer := w.end(1, Config{Members: list(9, 9)}), w.end(2, Config{Members: list(9, 9)})
	e.start()
	peer.start()
	q := e.ping(peer.local, 0)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := e.call(b.Context(), q); err != nil {
			b.Fatal(err)
		}
	}
}
