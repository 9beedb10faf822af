package message

import (
	"fmt"
	"sync/atomic"
)

// liveBuffers and liveMessages count what is out of the pools, in debug builds.
var liveBuffers, liveMessages counter

type counter struct{ n atomic.Int64 }

func (c *counter) add(n int64) {
	if debug {
		c.n.Add(n)
	}
}

// CheckLive returns an error if buffers or messages were taken from any pool of
// the process and not released. It knows only in builds with the race detector
// or the tag tribesdebug, and returns nil in others. Tests call it when all
// channels are stopped.
func CheckLive() error {
	if b, m := liveBuffers.n.Load(), liveMessages.n.Load(); b != 0 || m != 0 {
		return fmt.Errorf("tribes: message: %d buffers and %d messages were never released", b, m)
	}
	return nil
}
