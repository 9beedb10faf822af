package interceptor

import (
	"testing"
	"time"

	"github.com/gotribes/tribes/interceptor/interceptortest"
	"github.com/gotribes/tribes/internal/bubble"
)

// A member whose heartbeats go on, and that hangs or cannot be reached any more, has
// failed within the time, whatever the moment at which that begins.
func TestDetectWithin(t *testing.T) {
	for _, within := range []time.Duration{200 * time.Millisecond, time.Second, 10 * time.Second} {
		for name, c := range map[string]condition{"refused": refused, "dark": dark, "hung": hung} {
			t.Run(within.String()+" "+name, func(t *testing.T) {
				for step := range 20 {
					bubble.Test(t, func(t *testing.T) {
						b := newBench(t, &TCPFailureDetector{DetectWithin: within})
						m, other := interceptortest.Member(2), interceptortest.Member(3)
						b.joined(t, m, other)
						time.Sleep(time.Duration(step) * within / 40)
						b.net.set(c, m)
						begin := time.Now()
						for b.View().Find(m.Key()) != nil && time.Since(begin) <= 2*within {
							b.pass(0)
						}
						if took := time.Since(begin); took > within {
							t.Errorf("it failed after %v, want %v at most", took, within)
						}
						b.expect(t, other, "")
					})
				}
			})
		}
	}
}

func TestDetectWithinDerivesTheRest(t *testing.T) {
	tests := []struct {
		name  string
		d     *TCPFailureDetector
		want  detectorSettings // connect, read, period, watchdog, readTest
		wrong []string
	}{
		{"nothing asked", new(TCPFailureDetector),
			detectorSettings{connect: time.Second, read: 5 * time.Second, period: time.Second, readTest: ReadWhenInDoubt}, nil},
		{"eight seconds", &TCPFailureDetector{DetectWithin: 8 * time.Second},
			detectorSettings{connect: time.Second, read: 3 * time.Second, period: 500 * time.Millisecond, watchdog: 2 * time.Second, readTest: ReadAlways}, nil},
		{"the least", &TCPFailureDetector{DetectWithin: 200 * time.Millisecond},
			detectorSettings{connect: 25 * time.Millisecond, read: 75 * time.Millisecond, period: 12500 * time.Microsecond, watchdog: 50 * time.Millisecond, readTest: ReadAlways}, nil},
		{"given is given", &TCPFailureDetector{DetectWithin: 8 * time.Second, ReadTimeout: time.Second, ReadTest: ReadNever, CheckPeriod: time.Second},
			detectorSettings{connect: time.Second, read: time.Second, period: time.Second, watchdog: 2 * time.Second, readTest: ReadNever}, nil},
		{"too short", &TCPFailureDetector{DetectWithin: 100 * time.Millisecond}, detectorSettings{}, []string{"DetectWithin 100ms: want at least 200ms"}},
		{"negative", &TCPFailureDetector{DetectWithin: -1}, detectorSettings{}, []string{"DetectWithin -1ns"}},
		{"cannot be kept", &TCPFailureDetector{DetectWithin: time.Second, ReadTimeout: time.Second}, detectorSettings{},
			[]string{"DetectWithin 1s: Watchdog, ReadTimeout and twice ConnectTimeout are 1.51s together"}},
		{"no probes", &TCPFailureDetector{DetectWithin: time.Second, Watchdog: -1}, detectorSettings{}, []string{"Watchdog: DetectWithin 1s needs"}},
		{"suspects for less than a look", &TCPFailureDetector{SuspectTimeout: 500 * time.Millisecond}, detectorSettings{}, []string{"SuspectTimeout 500ms"}},
		{"flaps for less than a look", &TCPFailureDetector{FlapWindow: 500 * time.Millisecond}, detectorSettings{}, []string{"FlapWindow 500ms"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := tt.d.settings()
			checkNames(t, err, tt.wrong)
			if err != nil {
				return
			}
			got := detectorSettings{connect: s.connect, read: s.read, period: s.period, watchdog: s.watchdog, readTest: s.readTest}
			if got != tt.want {
				t.Errorf("settings() = %+v, want %+v", got, tt.want)
			}
			if s.within > 0 && s.takes() > s.within {
				t.Errorf("it takes %v, want at most %v", s.takes(), s.within)
			}
		})
	}
}

// A process that was starved tells so, and judges nobody by that time.
func TestStarvedProcessIsPatient(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBench(t, &TCPFailureDetector{DetectWithin: time.Second})
		m := interceptortest.Member(2)
		b.joined(t, m)
		b.Freeze()
		time.Sleep(5 * time.Second)
		b.net.set(dark, m) // it cannot be reached while this process is behind
		b.Thaw()
		b.pass(2 * time.Second)
		b.expect(t, m, "")
		b.net.set(up, m)
		b.pass(10 * time.Second)
		b.expect(t, m, "")
		st := b.d.Stats()
		if st.Stretched == 0 {
			t.Errorf("Stats() = %+v, want probes with more time", st)
		}
		if got := b.log.Lines("this process gets too little time"); got != 1 {
			t.Errorf("the log has %d lines about it, want one", got)
		}
		b.pass(time.Minute)
		if got := b.d.Stats().Lag; got != 0 {
			t.Errorf("a minute later the lag is %v, want none", got)
		}
		b.net.set(dark, m)
		b.pass(time.Second)
		b.expect(t, m, "failed")
	})
}
