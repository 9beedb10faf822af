package nio

import (
	"net"
	"runtime"
	"sync/atomic"
	"time"
)

// A goroutine that waits for bytes sleeps until the system wakes it. Where they
// come within microseconds, as answers on a fast network do, falling asleep and
// being woken takes longer than everything else together. So if it is asked to, a
// goroutine asks the system again and again before it sleeps, while
//
//   - what it waited for lately came so soon that asking would have met it (habit);
//   - the process has another processor for everything else (pollers).
//
// An idle connection therefore costs nothing.

// habit is what one goroutine that waits for bytes has learnt about them. It
// belongs to that goroutine.
type habit struct {
	limit time.Duration // how long to ask before sleeping
	score int
}

// A short wait raises the score by one, up to habitFull; asking in vain costs
// habitVain. Asking begins at habitOn. So in the long run at most one wait in five is
// polled in vain, whatever the times between messages are.
const (
	habitOn   = 2
	habitFull = 8
	habitVain = 4
)

func (h *habit) wants() bool { return h.score >= habitOn }

// slept learns from a wait that was slept through. Being woken takes time too, so
// twice the limit still counts as short.
func (h *habit) slept(d time.Duration) {
	if d < 2*h.limit {
		h.score = min(h.score+1, habitFull)
	} else {
		h.score = min(h.score, 0)
	}
}

// polled learns from a wait that was polled.
func (h *habit) polled(met bool) {
	if met {
		h.score = min(h.score+1, habitFull)
	} else {
		h.score = max(h.score-habitVain, -habitVain)
	}
}

// poll calls try, which must not block, until it returns true or the time is over,
// and reports whether it did. Goroutines that are ready run between two tries.
func (h *habit) poll(try func() bool) bool {
	defer pollers.Add(-1)
	if int(pollers.Add(1)) >= runtime.GOMAXPROCS(0) {
		return false
	}
	met := false
	for begin := pollClock(); !met && pollClock()-begin < h.limit; {
		runtime.Gosched()
		met = try()
	}
	h.polled(met)
	return met
}

// pollers is how many goroutines poll. It is one for the process, because
// processors are.
var pollers atomic.Int32

var pollEpoch = time.Now()

func pollClock() time.Duration { return time.Since(pollEpoch) }

// pollReader reads a connection, and polls where that pays. It belongs to the
// goroutine that reads.
type pollReader struct {
	habit
	conn net.Conn
	now  func(b []byte) int // reads without waiting; nil if that cannot be done
	into []byte
	n    int
	try  func() bool
}

func newPollReader(c net.Conn, limit time.Duration) *pollReader {
	p := &pollReader{habit: habit{limit: limit}, conn: c}
	if limit > 0 {
		p.now = readNow(c)
	}
	p.try = func() bool {
		p.n = p.now(p.into)
		return p.n > 0
	}
	return p
}

// Read is conn.Read.
func (p *pollReader) Read(b []byte) (int, error) {
	if p.now == nil {
		return p.conn.Read(b)
	}
	if p.wants() {
		p.into = b
		met := p.try() || p.poll(p.try)
		p.into = nil
		if met {
			return p.n, nil
		}
	}
	begin := pollClock()
	n, err := p.conn.Read(b)
	p.slept(pollClock() - begin)
	return n, err
}
