package interceptor

import (
	"testing"
	"time"
)

func TestLateness(t *testing.T) {
	const pulse = 100 * time.Millisecond
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	tests := []struct {
		name  string
		ticks []time.Duration // times of ticks after the first, which is at 0
		at    time.Duration   // when it is asked
		lost  time.Duration
		lag   time.Duration
	}{
		{"Punctual", []time.Duration{ms(100), ms(200), ms(300)}, ms(300), 0, 0},
		{"ALittleLate", []time.Duration{ms(190), ms(250)}, ms(250), 0, 0},
		{"Late", []time.Duration{ms(100), ms(1100)}, ms(1100), ms(900), ms(900)},
		{"LateNow", []time.Duration{ms(100)}, ms(1100), ms(900), 0},
		{"LateTwice", []time.Duration{ms(1000), ms(2000)}, ms(2000), ms(1800), ms(1800)},
		{"LateAndCalm", []time.Duration{ms(1000), ms(1100), ms(1200)}, ms(1200), ms(900), ms(860)},
		{"LateForLong", []time.Duration{ms(20000), ms(40000)}, ms(40000), ms(39800), mostLag},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := lateness{pulse: pulse}
			begin := time.Now()
			mark := l.mark(begin)
			l.tick(begin)
			for _, at := range tt.ticks {
				l.tick(begin.Add(at))
			}
			if got := l.since(mark, begin.Add(tt.at)); got != tt.lost {
				t.Errorf("since() = %v, want %v", got, tt.lost)
			}
			if got := l.lately(); got != tt.lag {
				t.Errorf("lately() = %v, want %v", got, tt.lag)
			}
		})
	}
}

func TestLatenessIsMadeUpFor(t *testing.T) {
	l := lateness{pulse: 100 * time.Millisecond}
	now := time.Now()
	l.tick(now)
	now = now.Add(2100 * time.Millisecond)
	l.tick(now)
	for end := now.Add(lagDecay * 2 * time.Second); now.Before(end); {
		if l.lately() == 0 {
			t.Fatalf("nothing is lost lately %v too early", end.Sub(now))
		}
		now = now.Add(l.pulse)
		l.tick(now)
	}
	if got := l.lately(); got != 0 {
		t.Errorf("lately() = %v after %d times as long, want 0", got, lagDecay)
	}
}
