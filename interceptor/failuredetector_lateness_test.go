package interceptor

import (
	"testing"
	"time"
)

func TestLateness(t *testing.T) {
	const pulse = 100 * time.Millisecond
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	tests := []struct {
		name    string
		ticks   []time.Duration // times of ticks after the first, which is at 0
		at      time.Duration   // when it is asked
		lost    time.Duration
		stretch time.Duration
	}{
		{"Punctual", []time.Duration{ms(100), ms(200), ms(300)}, ms(300), 0, 1},
		{"ALittleLate", []time.Duration{ms(190), ms(250)}, ms(250), 0, 1},
		{"Late", []time.Duration{ms(100), ms(1100)}, ms(1100), ms(900), 2},
		{"LateNow", []time.Duration{ms(100)}, ms(1100), ms(900), 1},
		{"LateTwice", []time.Duration{ms(1000), ms(2000)}, ms(2000), ms(1800), 4},
		{"LateOften", []time.Duration{ms(1000), ms(2000), ms(3000), ms(4000), ms(5000)}, ms(5000), ms(4500), mostStretch},
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
			if got := l.stretch(); got != tt.stretch {
				t.Errorf("stretch() = %d, want %d", got, tt.stretch)
			}
		})
	}
}

func TestLatenessCalmsDown(t *testing.T) {
	l := lateness{pulse: 100 * time.Millisecond}
	now := time.Now()
	l.tick(now)
	for range 5 {
		now = now.Add(time.Second)
		l.tick(now)
	}
	for _, want := range []time.Duration{8, 4, 2, 1, 1} {
		if got := l.stretch(); got != want {
			t.Fatalf("stretch() = %d, want %d", got, want)
		}
		for end := now.Add(calmTime); now.Before(end); {
			now = now.Add(l.pulse)
			l.tick(now)
		}
	}
}
