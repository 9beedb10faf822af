//go:build replay

package bubble

import (
	crand "crypto/rand"
	"fmt"
	"hash/maphash"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Each kind of chance comes from the seed and from nothing else: not from what ran before,
// nor from what other goroutines do meanwhile.
func TestChance(t *testing.T) {
	defer disturb()()
	kinds := []struct {
		name  string
		draw  func() int
		same  bool // for all seeds
		times int
	}{
		{"math/rand/v2", func() int { return rand.IntN(1000) }, false, 20},
		{"crypto/rand", func() int {
			var b [1]byte
			crand.Read(b[:])
			return int(b[0])
		}, false, 20},
		{"hash/maphash", func() int { return int(maphash.String(maphash.MakeSeed(), "x") % 1000) }, false, 20},
		{"select", fromSelect, false, 20},
		{"timers", fromTimers, false, 20},
		{"small map", func() int { return firstOf(8) }, false, 20},
		{"large map", func() int { return firstOf(200) }, false, 20},
		{"many goroutines", fromGoroutines, !raced, 20},
		{"preemption", fromPreemption, !raced, 1},
		{"mutex", fromMutex, !raced, 3},
	}
	for _, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			first := draw(t, 1, kind.times, kind.draw)
			for range 5 {
				for range rand.IntN(100) { // some of what a seed must not know
					_ = firstOf(20)
					_ = fromSelect()
				}
				if again := draw(t, 1, kind.times, kind.draw); !slices.Equal(again, first) {
					t.Fatalf("the same seed:\n%v\n%v", first, again)
				}
			}
			if other := draw(t, 2, kind.times, kind.draw); slices.Equal(other, first) && !kind.same {
				t.Errorf("another seed: %v", other)
			}
		})
	}
}

func draw(t *testing.T, seed uint64, times int, from func() int) (all []int) {
	t.Helper()
	Seeded(t, "", seed, func(*testing.T) {
		for range times {
			all = append(all, from())
		}
	})
	return all
}

// disturb keeps a goroutine busy that belongs to no bubble, until its result is called.
func disturb() func() {
	stop := make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		for tick := time.NewTicker(50 * time.Microsecond); ; {
			select {
			case <-stop:
				tick.Stop()
				return
			case <-tick.C:
				_ = firstOf(rand.IntN(20) + 1)
			}
		}
	})
	return func() {
		close(stop)
		all.Wait()
	}
}

func fromSelect() int {
	a, b, c := make(chan int, 1), make(chan int, 1), make(chan int, 1)
	a <- 1
	b <- 2
	c <- 3
	select {
	case x := <-a:
		return x
	case x := <-b:
		return x
	case x := <-c:
		return x
	}
}

// fromTimers returns which of the timers of one time is first.
func fromTimers() int {
	var all sync.WaitGroup
	first := make(chan int, 20)
	all.Add(cap(first))
	for i := range cap(first) {
		time.AfterFunc(time.Second, func() {
			first <- i
			all.Done()
		})
	}
	all.Wait()
	return <-first
}

// firstOf returns what the iteration of a map begins with.
func firstOf(size int) int {
	m := make(map[string]int)
	for i := range size {
		m[fmt.Sprint(i)] = i
	}
	for _, i := range m {
		return i
	}
	return -1
}

// fromGoroutines returns who is the last of more goroutines than a processor's queue
// usually takes.
func fromGoroutines() int {
	var last atomic.Int64
	var all sync.WaitGroup
	for i := range 300 {
		all.Go(func() { last.Store(int64(i)) })
	}
	all.Wait()
	return int(last.Load())
}

// fromPreemption returns a hash of the order in which goroutines run that do not rest for
// more than the 10 ms after which the scheduler usually lets others run.
func fromPreemption() (sum int) {
	var all sync.WaitGroup
	var mu sync.Mutex
	for i := range 3 {
		all.Go(func() {
			for range 3 {
				spin(2_000_000)
				mu.Lock()
				sum = (sum*31 + i) % 1_000_003
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return sum
}

// fromMutex returns how often somebody has a mutex before somebody else, who waits for
// about the millisecond after which it is usually handed over.
func fromMutex() (times int) {
	var mu sync.Mutex
	var all sync.WaitGroup
	done := false
	mu.Lock()
	all.Go(func() {
		mu.Lock()
		done = true
		mu.Unlock()
	})
	for ; !done && times < 20; times++ {
		runtime.Gosched() // who waits tries again, or begins to wait
		spin(100_000)
		mu.Unlock()
		mu.Lock()
	}
	mu.Unlock()
	all.Wait()
	return times
}

// spin takes time. It calls something, so that it can be preempted.
func spin(rounds int) {
	for range rounds {
		idle()
	}
}

//go:noinline
func idle() {}
