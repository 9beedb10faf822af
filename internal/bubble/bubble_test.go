package bubble

import (
	"runtime"
	"sync"
	"testing"
	"time"
)

// TestTimersOfEqualTimes crashes the runtime of the race detector within a second when
// the bubble has two processors.
func TestTimersOfEqualTimes(t *testing.T) {
	before := runtime.GOMAXPROCS(max(2, runtime.GOMAXPROCS(0)))
	defer runtime.GOMAXPROCS(before)
	Test(t, func(*testing.T) {
		var all sync.WaitGroup
		defer all.Wait()
		for range 64 {
			all.Go(expire)
		}
	})
}

func expire() {
	for range 1000 {
		a, b := time.NewTimer(time.Millisecond), time.NewTimer(time.Millisecond)
		f := time.AfterFunc(time.Millisecond, func() {})
		<-a.C
		select {
		case <-b.C:
		default:
		}
		b.Stop()
		f.Stop()
	}
}

// TestProcessors shows that bubbles that overlap leave the processors as they were.
func TestProcessors(t *testing.T) {
	before := runtime.GOMAXPROCS(0)
	first, second := alone(), alone()
	first()
	second()
	if n := runtime.GOMAXPROCS(0); n != before {
		t.Errorf("%d processors after the bubbles, %d before", n, before)
	}
}
