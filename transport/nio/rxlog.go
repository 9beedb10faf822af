package nio

import (
	"net/netip"
	"sync"
	"time"
)

// noAddr stands for "whatever the source".
var noAddr netip.Addr

const (
	// lineGap is the least time, in nanoseconds, between two log lines of one kind
	// about one source.
	lineGap = int64(10 * time.Second)
	// lineKinds bounds how many kinds and sources are told apart.
	lineKinds = 1024
)

// lineGate lets through one log line of a kind about a source per lineGap, and
// counts the others. It is safe for concurrent use; the zero lineGate is ready.
type lineGate struct {
	mu    sync.Mutex
	last  map[lineKey]*lineCount
	swept int64 // when old entries were looked for
}

type lineKey struct {
	kind string
	from netip.Addr
}

type lineCount struct {
	at     int64
	missed int
}

// allow reports whether a line may be written now, and how many of its kind were
// not since the last one.
func (g *lineGate) allow(kind string, from netip.Addr, now int64) (missed int, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.last == nil {
		g.last = make(map[lineKey]*lineCount)
	}
	c := g.last[lineKey{kind, from}]
	if c == nil {
		c = g.add(lineKey{kind, from}, now)
	}
	if c.at != 0 && now-c.at < lineGap {
		c.missed++
		return 0, false
	}
	missed = c.missed
	c.at, c.missed = now, 0
	return missed, true
}

// add makes a place for k. If there is none, all further sources share one.
func (g *lineGate) add(k lineKey, now int64) *lineCount {
	if len(g.last) >= lineKinds && now-g.swept >= lineGap {
		g.swept = now
		for old, c := range g.last {
			if now-c.at >= lineGap && c.missed == 0 {
				delete(g.last, old)
			}
		}
	}
	if len(g.last) >= lineKinds {
		k.from = noAddr
		if c := g.last[k]; c != nil {
			return c
		}
	}
	c := new(lineCount)
	g.last[k] = c
	return c
}
