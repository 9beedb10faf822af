package interceptor

import "sync/atomic"

// GzipStats says what a [Gzip] has done.
type GzipStats struct {
	Sent     GzipTraffic
	Received GzipTraffic // without what was dropped
	Dropped  uint64      // received messages that could not be inflated, or too far
}

// GzipTraffic is what has passed a [Gzip] in one direction.
type GzipTraffic struct {
	Compressed uint64 // messages that travelled compressed
	Plain      uint64 // messages that did not
	Bytes      uint64 // payload bytes of both, above the layer
	WireBytes  uint64 // payload bytes of both, below the layer
}

// Ratio is how many bytes above the layer one byte below it stands for; 1 if
// there was nothing.
func (t GzipTraffic) Ratio() float64 {
	if t.WireBytes == 0 {
		return 1
	}
	return float64(t.Bytes) / float64(t.WireBytes)
}

type gzipCounts struct {
	sent, received gzipMeter
	dropped        atomic.Uint64
}

type gzipMeter struct {
	compressed, plain, bytes, wireBytes atomic.Uint64
}

func (m *gzipMeter) note(compressed bool, bytes, wireBytes int) {
	if compressed {
		m.compressed.Add(1)
	} else {
		m.plain.Add(1)
	}
	m.bytes.Add(uint64(bytes))
	m.wireBytes.Add(uint64(wireBytes))
}

func (m *gzipMeter) traffic() GzipTraffic {
	return GzipTraffic{
		Compressed: m.compressed.Load(),
		Plain:      m.plain.Load(),
		Bytes:      m.bytes.Load(),
		WireBytes:  m.wireBytes.Load(),
	}
}

// Stats returns the counts so far. Each is exact; they are not of one instant.
func (g *Gzip) Stats() GzipStats {
	return GzipStats{
		Sent:     g.counts.sent.traffic(),
		Received: g.counts.received.traffic(),
		Dropped:  g.counts.dropped.Load(),
	}
}
