//go:build faults && linux

package faults

import (
	"sync"
	"testing"
	"time"
)

// machine measures for how long this process did not run, by which every time
// limit of a test grows: a machine that is busy with other things breaks no
// promise of the members.
var machine gauge

// gauge is a timer that notes how late it is called.
type gauge struct {
	quit chan struct{}
	done sync.WaitGroup

	mu     sync.Mutex
	stalls []stall
}

// stall is a time in which nothing ran here.
type stall struct {
	end  time.Time
	long time.Duration
}

const gaugePulse = 5 * time.Millisecond

func (g *gauge) start() {
	g.quit = make(chan struct{})
	g.done.Go(func() { // ends with stop
		ticker := time.NewTicker(gaugePulse)
		defer ticker.Stop()
		last := time.Now()
		for {
			select {
			case <-ticker.C:
				now := time.Now()
				if late := now.Sub(last) - gaugePulse; late > gaugePulse {
					g.note(stall{now, late})
				}
				last = now
			case <-g.quit:
				return
			}
		}
	})
}

func (g *gauge) stop() {
	close(g.quit)
	g.done.Wait()
}

func (g *gauge) note(s stall) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.stalls = append(g.stalls, s)
}

// stalled returns for how long nothing ran between two times.
func (g *gauge) stalled(from, to time.Time) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	var sum time.Duration
	for _, s := range g.stalls {
		begin, end := s.end.Add(-s.long), s.end
		if begin.Before(from) {
			begin = from
		}
		if end.After(to) {
			end = to
		}
		sum += max(end.Sub(begin), 0)
	}
	return sum
}

// inTime fails the test unless what happened at end came within limit of begin.
// What it takes at least two members for can be late by two stalls.
func inTime(t *testing.T, what string, begin, end time.Time, limit time.Duration) {
	t.Helper()
	took, stalled := end.Sub(begin), 2*machine.stalled(begin, end)
	if races {
		limit *= 3 // the members are as much slower, and more
	}
	if took > limit+stalled {
		t.Errorf("%s took %v, want at most %v (and %v because the machine stalled)", what, took, limit, stalled)
		return
	}
	t.Logf("%s: %v", what, took.Round(time.Millisecond))
}
