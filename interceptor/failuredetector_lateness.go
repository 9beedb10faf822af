package interceptor

import (
	"sync"
	"time"
)

const (
	mostLag  = 10 * time.Second // the most by which time limits of probes grow
	lagDecay = 5                // so much longer than the lag itself it takes to make up for it
)

// lateness measures how late this process is at its own work, by a timer that
// should fire each pulse. A process that gets no CPU time, or is stopped, finds
// everybody silent; it must not conclude that they are gone.
type lateness struct {
	pulse time.Duration // set once

	mu   sync.Mutex
	last time.Time     // tick
	lost time.Duration // sum of all that ticks came late
	lag  time.Duration // what was lost lately
}

// tick notes that the timer has fired, and returns how late that was, if it was
// more than a pulse.
func (l *lateness) tick(now time.Time) (late time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if late = l.overdue(now); late > 0 {
		l.lost += late
		l.lag = min(l.lag+late, mostLag)
	} else {
		l.lag = max(l.lag-l.pulse/lagDecay, 0)
	}
	l.last = now
	return late
}

// overdue is how much later than it should the next tick comes, if that is
// more than a pulse. It is called with mu held.
func (l *lateness) overdue(now time.Time) time.Duration {
	if l.last.IsZero() {
		return 0
	}
	if late := now.Sub(l.last) - l.pulse; late > l.pulse {
		return late
	}
	return 0
}

// mark begins a measurement; see since.
func (l *lateness) mark(now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lost + l.overdue(now)
}

// since returns how much time was lost since mark.
func (l *lateness) since(mark time.Duration, now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lost + l.overdue(now) - mark
}

// lately returns how much time was lost in the last seconds. Time limits grow by
// as much.
func (l *lateness) lately() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lag
}
