package interceptor

import "sync/atomic"

// CompressStats says what a [Compress] has done.
type CompressStats struct {
	Sent     GzipTraffic // once for each kind of destinations, however many there are
	Received GzipTraffic // without what was dropped
	Split    uint64      // sent messages that went out in both forms
	Dropped  uint64      // received messages that could not be expanded, or too far
}

type compressCounts struct {
	sent, received gzipMeter
	split, dropped atomic.Uint64
}

// Stats returns the counts so far. Each is exact; they are not of one instant.
func (c *Compress) Stats() CompressStats {
	return CompressStats{
		Sent:     c.counts.sent.traffic(),
		Received: c.counts.received.traffic(),
		Split:    c.counts.split.Load(),
		Dropped:  c.counts.dropped.Load(),
	}
}
