package nio

import (
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// A goroutine that waits for bytes sleeps until the system wakes it. Where they
// come within microseconds, as answers on a fast network do, falling asleep and
// being woken takes longer than everything else together. So a goroutine may ask
// the system again and again before it sleeps, under three conditions:
//
//   - what it waited for lately came so soon that asking would have met it (habit);
//   - the process has another processor for everything else (pollGate.active);
//   - no thread on the machine waits for one (pollGate.crowded).
//
// An idle connection therefore costs nothing, and a machine that has other work to
// do is left to it.

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
func (h *habit) poll(g *pollGate, try func() bool) bool {
	begin := pollClock()
	if !g.enter(begin) {
		return false
	}
	met, now := false, begin
	for !met && now-begin < int64(h.limit) {
		runtime.Gosched()
		met = try()
		now = pollClock()
	}
	g.leave(now, now-begin)
	h.polled(met)
	return met
}

// pollers is one for the process, because processors are.
var pollers pollGate

var pollEpoch = time.Now().Add(-time.Second) // so that no time is 0

// pollClock is a time in ns.
func pollClock() int64 { return int64(time.Since(pollEpoch)) }

// pollGate says who may poll.
type pollGate struct {
	active   atomic.Int32 // how many do
	offUntil atomic.Int64 // nobody does before that time

	mu      sync.Mutex // guards what follows
	polled  int64      // ns since the last look
	looks   int
	crowded int   // how many threads had no processor to run on, in all looks
	pause   int64 // ns; the last one
}

// A machine has other work to do if threads wait for a processor while there is
// polling. It is looked at after each pollLook of polling. If pollLooks found on
// average more than one thread waiting there is a pause, which doubles as long as
// nothing changes.
const (
	pollLook     = int64(time.Millisecond)
	pollLooks    = 4
	pollPauseMin = int64(50 * time.Millisecond)
	pollPauseMax = int64(5 * time.Second)
)

// enter reports whether polling may begin; then leave must follow.
func (g *pollGate) enter(now int64) bool {
	if now < g.offUntil.Load() {
		return false
	}
	if int(g.active.Add(1)) < runtime.GOMAXPROCS(0) {
		return true
	}
	g.active.Add(-1)
	return false
}

// leave ends a poll that took that many ns.
func (g *pollGate) leave(now, took int64) {
	g.active.Add(-1)
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.polled += took; g.polled >= pollLook {
		g.polled = 0
		g.look(now, threadsWaiting())
	}
}

// look notes how many threads wait for a processor. It is called with mu held.
func (g *pollGate) look(now int64, waiting int) {
	g.crowded += max(waiting, 0)
	if g.looks++; g.looks < pollLooks {
		return
	}
	if g.crowded > pollLooks {
		g.pause = min(max(2*g.pause, pollPauseMin), pollPauseMax)
		g.offUntil.Store(now + g.pause)
	} else {
		g.pause /= 2
	}
	g.looks, g.crowded = 0, 0
}

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
		met := p.try() || p.poll(&pollers, p.try)
		p.into = nil
		if met {
			return p.n, nil
		}
	}
	begin := pollClock()
	n, err := p.conn.Read(b)
	p.slept(time.Duration(pollClock() - begin))
	return n, err
}
