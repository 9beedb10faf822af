package interceptor

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/message"
)

// ReadTest says which probes must be answered by the member itself. Such a
// probe is a frame with UseAck; others are satisfied by what the kernel of the
// member does, also while its process hangs.
//
// Every probe that writes sends the 64 bytes of Tribes' detector. A Java node
// with a TcpFailureDetector swallows them; without one its application sees a
// byte message of 64 bytes, with or without the read test.
type ReadTest int8

// The read tests.
const (
	// ReadWhenInDoubt: probes of members whose heartbeats are missing, or of which
	// sends timed out (Faults), and of those that failed such a probe. A process
	// that hangs is found, at the price that one which pauses for longer than the
	// drop time and ReadTimeout leaves and joins again.
	ReadWhenInDoubt ReadTest = 0
	// ReadAlways: all probes, as with performReadTest in Tribes.
	ReadAlways ReadTest = 1
	// ReadNever: none, which is Tribes' default. A process that hangs stays a
	// member for as long as its kernel accepts connections.
	ReadNever ReadTest = -1
)

// The defaults of a TCPFailureDetector.
const (
	defaultConnectTimeout = time.Second
	defaultReadTimeout    = 5 * time.Second
	defaultSuspectTimeout = 5 * time.Minute
	defaultCheckPeriod    = time.Second
	defaultMaxProbes      = 256
	defaultFaults         = 3
	defaultFlaps          = 5
	defaultFlapWindow     = time.Minute

	leastCheckPeriod = 10 * time.Millisecond
	mostPulse        = 100 * time.Millisecond
	leastWithin      = 200 * time.Millisecond
)

// detectorSettings are the checked settings of a detector, with defaults.
type detectorSettings struct {
	connect, read  time.Duration
	shallow        channel.ProbeKind // of probes without read test
	readTest       ReadTest
	suspectTimeout time.Duration // negative: never
	flag           message.Options
	period         time.Duration
	maxProbes      int
	faults         int           // negative: never
	watchdog       time.Duration // 0: off
	flaps          int           // negative: never
	flapWindow     time.Duration
	within         time.Duration // 0: no promise
	pulse          time.Duration // between looks at the clock
}

// settings checks the fields of d and fills in the defaults.
func (d *TCPFailureDetector) settings() (detectorSettings, error) {
	w := d.DetectWithin
	s := detectorSettings{
		connect:        cmp.Or(d.ConnectTimeout, w/8, defaultConnectTimeout),
		read:           cmp.Or(d.ReadTimeout, 3*w/8, defaultReadTimeout),
		shallow:        channel.ProbeWrite,
		readTest:       d.ReadTest,
		suspectTimeout: cmp.Or(d.SuspectTimeout, defaultSuspectTimeout),
		flag:           d.OptionFlag,
		period:         cmp.Or(d.CheckPeriod, w/16, defaultCheckPeriod),
		maxProbes:      cmp.Or(d.MaxProbes, defaultMaxProbes),
		faults:         cmp.Or(d.Faults, defaultFaults),
		watchdog:       max(cmp.Or(d.Watchdog, w/4), 0),
		flaps:          cmp.Or(d.Flaps, defaultFlaps),
		flapWindow:     cmp.Or(d.FlapWindow, defaultFlapWindow),
		within:         w,
	}
	if d.NoSendTest {
		s.shallow = channel.ProbeConnect
	}
	if w > 0 && s.readTest == ReadWhenInDoubt {
		s.readTest = ReadAlways
	}
	s.pulse = min(max(s.period/10, leastCheckPeriod), mostPulse)
	return s, s.check()
}

// check returns everything that is wrong.
func (s *detectorSettings) check() error {
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("tribes: failure detector: "+format, args...))
	}
	if s.connect < 0 {
		bad("ConnectTimeout %v: want a positive duration", s.connect)
	}
	if s.read < 0 {
		bad("ReadTimeout %v: want a positive duration", s.read)
	}
	if s.readTest < ReadNever || s.readTest > ReadAlways {
		bad("ReadTest %d: want ReadNever, ReadWhenInDoubt or ReadAlways", s.readTest)
	}
	if s.flag&(message.UseAck|message.SyncAck|message.UDP|message.Multicast|message.NumberedAcks) != 0 {
		bad("OptionFlag %s: want no bits that say how a message travels", s.flag)
	}
	if s.period < leastCheckPeriod {
		bad("CheckPeriod %v: want at least %v", s.period, leastCheckPeriod)
	}
	if s.maxProbes < 0 {
		bad("MaxProbes %d: want at least 1", s.maxProbes)
	}
	if s.watchdog > 0 && s.watchdog < s.period {
		bad("Watchdog %v: want at least CheckPeriod, %v", s.watchdog, s.period)
	}
	if s.suspectTimeout > 0 && s.suspectTimeout < s.period {
		bad("SuspectTimeout %v: want at least CheckPeriod, %v, or nobody is ever a suspect", s.suspectTimeout, s.period)
	}
	if s.flapWindow < s.period {
		bad("FlapWindow %v: want at least CheckPeriod, %v", s.flapWindow, s.period)
	}
	s.checkWithin(bad)
	return errors.Join(errs...)
}

// checkWithin looks whether the promise of DetectWithin can be kept.
func (s *detectorSettings) checkWithin(bad func(format string, args ...any)) {
	switch takes := s.takes(); {
	case s.within == 0:
	case s.within < leastWithin:
		bad("DetectWithin %v: want at least %v", s.within, leastWithin)
	case s.watchdog == 0:
		bad("Watchdog: DetectWithin %v needs regular probes", s.within)
	case takes > s.within:
		bad("DetectWithin %v: Watchdog, ReadTimeout and twice ConnectTimeout are %v together; make them shorter, or leave them out", s.within, takes)
	}
}

// takes is how long it takes at most to find a member that does not answer.
func (s *detectorSettings) takes() time.Duration { return s.watchdog + 2*s.connect + s.read + s.pulse }
