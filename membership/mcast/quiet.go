package mcast

import (
	"net/netip"
	"sync"
	"time"
)

const (
	quietTime    = time.Minute
	quietSources = 4 // sources that get a line of their own, per kind
)

// quiet decides what is worth a log line: of each kind one per source and
// minute, for the first few sources. The zero quiet is ready and safe for
// concurrent use.
type quiet struct {
	mu    sync.Mutex
	kinds map[string]*quietKind
}

type quietKind struct {
	since   time.Time // beginning of the present minute
	sources [quietSources]netip.Addr
	n       int    // sources in use
	silent  uint64 // what was not logged since the last line
}

// may reports whether to write a line of that kind about from now, and how many
// of the kind were left out since the last one.
func (q *quiet) may(kind string, from netip.Addr) (leftOut uint64, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	k := q.kinds[kind]
	if k == nil {
		if q.kinds == nil {
			q.kinds = make(map[string]*quietKind)
		}
		k = &quietKind{}
		q.kinds[kind] = k
	}
	if now := time.Now(); now.Sub(k.since) >= quietTime {
		k.since, k.n = now, 0
	}
	for _, known := range k.sources[:k.n] {
		if known == from {
			k.silent++
			return 0, false
		}
	}
	if k.n == quietSources {
		k.silent++
		return 0, false
	}
	k.sources[k.n] = from
	k.n++
	leftOut, k.silent = k.silent, 0
	return leftOut, true
}
