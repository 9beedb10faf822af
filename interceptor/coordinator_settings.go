package interceptor

import (
	"cmp"
	"errors"
	"fmt"
	"time"
)

// The defaults of a NonBlockingCoordinator.
const (
	defaultElectionTimeout = 15 * time.Second
	defaultElectionRetry   = time.Second
	defaultAlone           = 2 * time.Second
	defaultMaxMembers      = 1024

	leastRetry    = 10 * time.Millisecond
	mostTokens    = 32 // that wait for probes, or are on their way to the next member
	mostProbes    = 64 // that run at a time
	mostPasses    = 16 // of one election, in passMemory
	passMemory    = 10 * time.Second
	goodbyeMemory = time.Minute // who has said goodbye is not believed to be there
	mostAbsent    = 4096        // members remembered as absent
	slowest       = 8           // times Retry: the longest pause between two asks
	mostRounds    = 8           // of one election without a pause
)

// coordinatorSettings are the checked settings, with defaults.
type coordinatorSettings struct {
	timeout, retry, connect, alone time.Duration
	quorum, most                   int
}

func (c *NonBlockingCoordinator) settings() (coordinatorSettings, error) {
	s := coordinatorSettings{
		timeout: cmp.Or(c.Timeout, defaultElectionTimeout),
		retry:   cmp.Or(c.Retry, defaultElectionRetry),
		connect: cmp.Or(c.ConnectTimeout, defaultConnectTimeout),
		alone:   cmp.Or(c.Alone, defaultAlone),
		quorum:  c.Quorum,
		most:    cmp.Or(c.MaxMembers, defaultMaxMembers),
	}
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("tribes: coordinator: "+format, args...))
	}
	if s.retry < leastRetry {
		bad("Retry %v: want at least %v", s.retry, leastRetry)
	}
	if s.timeout < s.retry {
		bad("Timeout %v: want at least Retry, %v", s.timeout, s.retry)
	}
	if s.connect < 0 {
		bad("ConnectTimeout %v: want a positive duration", s.connect)
	}
	if s.alone < 0 {
		s.alone = 0
	}
	if s.quorum < 0 {
		bad("Quorum %d: want the number of members that a view needs, or 0", s.quorum)
	}
	if s.most < 0 || s.quorum > s.most {
		bad("MaxMembers %d: want at least 1 and at least Quorum, %d", s.most, s.quorum)
	}
	return s, errors.Join(errs...)
}
