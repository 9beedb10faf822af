package interceptor

import (
	"sync"
	"time"
)

const (
	mostStretch = 8               // the largest factor on the time limits of probes
	calmTime    = 5 * time.Second // without lateness after which the factor halves
)

// lateness measures how late this process is at its own work, by a timer that
// should fire each pulse. A process that gets no CPU time, or is stopped, finds
// everybody silent; it must not conclude that they are gone.
type lateness struct {
	pulse time.Duration // set once

	mu     sync.Mutex
	last   time.Time     // tick
	lost   time.Duration // sum of all that ticks came late
	factor time.Duration // on time limits; 0 is 1
	calm   time.Time     // since when the factor has not changed
}

// tick notes that the timer has fired.
func (l *lateness) tick(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if late := l.overdue(now); late > 0 {
		l.lost += late
		l.slower(now)
	} else if l.factor > 1 && now.Sub(l.calm) >= calmTime {
		l.factor /= 2
		l.calm = now
	}
	l.last = now
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

// slower doubles the factor. It is called with mu held.
func (l *lateness) slower(now time.Time) {
	l.factor = min(max(l.factor, 1)*2, mostStretch)
	l.calm = now
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

// starved notes that lateness has spoilt a probe.
func (l *lateness) starved(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.slower(now)
}

// stretch is the factor on time limits.
func (l *lateness) stretch() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return max(l.factor, 1)
}
