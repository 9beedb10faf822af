package nio

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
)

// testBudget has shares of 10, 100 bytes in common and a reserve of 60.
func testBudget() *rxBudget { return &rxBudget{share: 10, common: 100, reserve: 60} }

// testLedger notes when it is resumed.
func testLedger(b *rxBudget, name string, resumed *[]string) *rxLedger {
	return &rxLedger{budget: b, resume: func() { *resumed = append(*resumed, name) }}
}

// get is what a connection does to get n bytes.
func (l *rxLedger) get(n int, partial bool) bool { return l.take(n) || l.ask(n, partial) }

func TestBudgetShares(t *testing.T) {
	tests := []struct {
		name                   string
		max, conns, frame      int
		share, common, reserve int64
	}{
		{"defaults", defaultMemory, defaultConns, 64 << 20, 16 << 10, 96 << 20, 96 << 20},
		{"least", 2 << 20, 16, 1 << 20, 32 << 10, 0, 3 << 19},
		{"many connections", 1 << 20, 4096, 1 << 10, rxSmall, 1<<20 - 1<<18 - rxSmall, rxSmall},
		{"no bound of connections", defaultMemory, unbounded, 1 << 20, 16 << 10, 192<<20 - 3<<19, 3 << 19},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newRxBudget(&ReceiverConfig{MaxFrame: tt.frame, Limits: ReceiverLimits{MaxBytes: tt.max, MaxConns: tt.conns}})
			if b.share != tt.share || b.common != tt.common || b.reserve != tt.reserve {
				t.Errorf("share %d, common %d, reserve %d, want %d, %d, %d", b.share, b.common, b.reserve, tt.share, tt.common, tt.reserve)
			}
		})
	}
}

func TestBudgetUnbounded(t *testing.T) {
	b := newRxBudget(&ReceiverConfig{MaxFrame: 1 << 20, Limits: ReceiverLimits{MaxBytes: unbounded, MaxConns: 1}})
	l := &rxLedger{budget: b}
	if !l.take(1 << 30) {
		t.Error("take(1 GiB) = false without a bound")
	}
}

func TestBudgetLine(t *testing.T) {
	b := testBudget()
	var resumed []string
	hog, first, second := testLedger(b, "hog", &resumed), testLedger(b, "first", &resumed), testLedger(b, "second", &resumed)
	if !hog.get(110, false) {
		t.Fatal("the first 110 bytes were not granted")
	}
	if hog.get(1, false) {
		t.Fatal("more than share and common was granted")
	}
	hog.decline()
	if first.get(30, false) || second.get(20, false) {
		t.Fatal("granted what is not there")
	}
	if second.take(1) {
		t.Fatal("a ledger in line took more")
	}
	hog.give(5)
	if len(resumed) != 0 {
		t.Fatalf("resumed %q for 5 bytes", resumed)
	}
	hog.give(20)
	if want := []string{"first"}; !slices.Equal(resumed, want) {
		t.Fatalf("resumed %q, want %q: 20 bytes beyond its share fit the first alone", resumed, want)
	}
	if !first.get(30, false) || first.held.Load() != 30 {
		t.Fatalf("what was granted cannot be taken; held %d", first.held.Load())
	}
	hog.give(50)
	if want := []string{"first", "second"}; !slices.Equal(resumed, want) {
		t.Fatalf("resumed %q, want %q", resumed, want)
	}
	second.decline()
	if second.held.Load() != 0 {
		t.Errorf("held %d after decline, want 0", second.held.Load())
	}
	wantEmpty(t, b, map[*rxLedger]int{hog: 35, first: 30})
}

// wantEmpty gives everything back and wants nothing left in the books.
func wantEmpty(t *testing.T, b *rxBudget, held map[*rxLedger]int) {
	t.Helper()
	for l, n := range held {
		l.give(n)
		l.close()
		if l.held.Load() != 0 {
			t.Errorf("a ledger has %d bytes left, want 0", l.held.Load())
		}
	}
	if b.used.Load() != 0 || len(b.line) != 0 || b.waiters.Load() != 0 || b.holder != nil {
		t.Errorf("budget has %d in use, %d in line, holder %v, want nothing", b.used.Load(), len(b.line), b.holder)
	}
}

func TestBudgetOwnShareIsSure(t *testing.T) {
	b := testBudget()
	var resumed []string
	hog, waiting, small := testLedger(b, "hog", &resumed), testLedger(b, "waiting", &resumed), testLedger(b, "small", &resumed)
	hog.get(110, false)
	waiting.get(50, false)
	if !small.get(10, false) {
		t.Error("a ledger did not get its own share")
	}
	if small.get(1, false) {
		t.Error("a ledger got more than its share when there was no more")
	}
	small.give(5)
	if want := []string{"small"}; !slices.Equal(resumed, want) {
		t.Errorf("resumed %q, want %q: it has room in its share again", resumed, want)
	}
	if !small.get(1, false) {
		t.Error("a ledger could not take what was granted")
	}
	wantEmpty(t, b, map[*rxLedger]int{hog: 110, waiting: 0, small: 6})
}

// TestBudgetReserve has three partial frames that use up everything and need
// more: they can go on one after the other.
func TestBudgetReserve(t *testing.T) {
	b := testBudget()
	var resumed []string
	var all []*rxLedger
	for _, name := range []string{"a", "b", "c"} {
		l := testLedger(b, name, &resumed)
		if !l.get(43, true) {
			t.Fatal("43 bytes each were not granted")
		}
		all = append(all, l)
	}
	idle := testLedger(b, "idle", &resumed)
	if idle.get(20, false) {
		t.Fatal("a ledger between frames got the reserve")
	}
	if !all[0].get(40, true) {
		t.Fatal("the first in the middle of a frame did not get the reserve")
	}
	if all[1].get(40, true) || all[2].get(40, true) {
		t.Fatal("two had the reserve at once")
	}
	all[0].give(43)
	if !all[0].get(20, true) {
		t.Fatal("the holder of the reserve could not go on")
	}
	if len(resumed) != 0 {
		t.Fatalf("resumed %q while another has the reserve", resumed)
	}
	all[0].complete()
	if want := []string{"b"}; !slices.Equal(resumed, want) {
		t.Fatalf("resumed %q, want %q", resumed, want)
	}
	if !all[1].get(40, true) {
		t.Fatal("b could not take what was granted")
	}
	wantEmpty(t, b, map[*rxLedger]int{all[0]: 60, all[1]: 83, all[2]: 43, idle: 0})
}

// TestBudgetAsksAgain changes what is asked for while it waits, before and after
// it was granted.
func TestBudgetAsksAgain(t *testing.T) {
	b := testBudget()
	var resumed []string
	hog, l := testLedger(b, "hog", &resumed), testLedger(b, "l", &resumed)
	hog.get(110, false)
	l.get(50, false)
	l.ask(30, false)
	hog.give(20)
	if want := []string{"l"}; !slices.Equal(resumed, want) {
		t.Fatalf("resumed %q, want %q", resumed, want)
	}
	if l.ask(90, false) {
		t.Fatal("a larger amount than was granted was granted")
	}
	if l.held.Load() != 0 {
		t.Fatalf("held %d while it waits, want 0", l.held.Load())
	}
	hog.give(90)
	if !l.ask(90, false) || l.held.Load() != 90 {
		t.Fatalf("held %d, want 90", l.held.Load())
	}
	wantEmpty(t, b, map[*rxLedger]int{hog: 0, l: 90})
}

// TestBudgetGiveBehindFirstTry gives back between the moment when the first in
// line has tried in vain and the moment when it has gone to wait: it is resumed.
func TestBudgetGiveBehindFirstTry(t *testing.T) {
	tests := []struct {
		name   string
		before func(hog, l *rxLedger)
	}{
		{"asks", func(_, _ *rxLedger) {}},
		{"asks for more than was granted", func(hog, l *rxLedger) {
			l.ask(20, true)
			hog.give(10)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := testBudget()
			b.reserve = 0
			var resumed []string
			hog, l := testLedger(b, "hog", &resumed), testLedger(b, "l", &resumed)
			hog.get(110, false)
			tt.before(hog, l)
			resumed = nil
			b.mu.Lock()
			l.join(50, true) // the first half of ask
			b.mu.Unlock()
			if l.try(50, b.common) {
				t.Fatal("granted what is not there")
			}
			hog.give(100)
			if want := []string{"l"}; !slices.Equal(resumed, want) || l.held.Load() != 50 {
				t.Fatalf("resumed %q with %d bytes, want %q with 50", resumed, l.held.Load(), want)
			}
		})
	}
}

// TestBudgetGiveDuringVainTry gives back while another connection tries to take
// too much, whose bytes are in the books until it has failed: who is in line and
// saw them there is resumed then, as nobody else may ever give.
func TestBudgetGiveDuringVainTry(t *testing.T) {
	b := testBudget()
	var resumed []string
	hog, l, greedy := testLedger(b, "hog", &resumed), testLedger(b, "l", &resumed), testLedger(b, "greedy", &resumed)
	hog.get(110, false)
	if l.ask(50, false) {
		t.Fatal("granted what is not there")
	}
	greedy.change(120) // the first half of the vain try
	hog.give(60)
	if len(resumed) != 0 {
		t.Fatalf("resumed %q, want nobody while 160 bytes are in the books", resumed)
	}
	greedy.change(-120) // its second half
	if greedy.attempt(120) {
		t.Fatal("more than is there was granted")
	}
	if want := []string{"l"}; !slices.Equal(resumed, want) {
		t.Fatalf("resumed %q, want %q", resumed, want)
	}
	wantEmpty(t, b, map[*rxLedger]int{hog: 50, l: 0, greedy: 0})
}

// TestBudgetConcurrent has connections that read and others that deliver take
// and give at once: the bound holds, all finish, and nothing is left.
func TestBudgetConcurrent(t *testing.T) {
	b := testBudget()
	const conns = 8
	var wg sync.WaitGroup
	for i := range conns {
		wake := make(chan struct{}, 1)
		l := &rxLedger{budget: b, resume: func() { wake <- struct{}{} }}
		out := make(chan int, 100)
		wg.Go(func() { // ends when out is closed
			for n := range out {
				l.give(n)
			}
			l.close()
		})
		wg.Go(func() { // ends after a fixed number of frames
			defer close(out)
			rnd := rand.New(rand.NewPCG(uint64(i), 2))
			for range 3000 {
				have := 0
				for want := 1 + rnd.IntN(40); have < want; {
					n := min(want, max(4, 2*have))
					for !l.get(n, have > 0) {
						<-wake
					}
					if used := b.used.Load(); used > b.common+b.reserve+conns*40 {
						t.Errorf("%d bytes in use", used)
					}
					if have > 0 {
						l.give(have)
					}
					have = n
				}
				l.complete()
				out <- have
			}
		})
	}
	wg.Wait()
	wantEmpty(t, b, nil)
}

func TestPassed(t *testing.T) {
	b := testBudget()
	l := &rxLedger{budget: b}
	p := &rxPassed{ledger: l}
	held := func(want int64) {
		t.Helper()
		if got := l.held.Load(); got != want {
			t.Errorf("held %d, want %d", got, want)
		}
	}
	l.take(50)
	p.owe(10) // nothing was parsed from it
	held(40)
	p.parsed = 3
	p.owe(15) // three messages are in it
	p.parsed = 4
	p.owe(5)
	held(40)
	p.pass()
	p.pass()
	held(40)
	p.pass()
	held(25)
	p.pass()
	held(20)
	p.owe(20)
	held(0)
}
