package nio

import (
	"sync"
	"sync/atomic"
	"time"
)

// rxProgress is what the watch of a receiver knows of the progress of one
// connection. The goroutine that reads writes it.
type rxProgress struct {
	bytes   atomic.Uint64 // read so far
	frames  atomic.Uint64 // whole frames so far
	partial atomic.Bool   // a frame has begun
	since   atomic.Int64  // when the present time limit began to run

	// of the watch
	markBytes, markFrames uint64 // what was there at that time
	seen                  uint64 // what was there at the last call of idle
}

func (p *rxProgress) begin(now int64) { p.since.Store(now) }

// read notes what a read has brought and reports whether a frame has begun.
func (p *rxProgress) read(n int, frames int, partial bool) bool {
	p.bytes.Store(p.bytes.Load() + uint64(n))
	if frames > 0 {
		p.frames.Store(p.frames.Load() + uint64(frames))
	}
	if p.partial.Load() == partial {
		return false
	}
	p.partial.Store(partial)
	return partial
}

// touch lets the time limit begin now: a frame has begun, or the connection could
// not be read until now.
func (p *rxProgress) touch(now int64) { p.since.Store(now) }

// leastProgress is how many bytes of a frame must come in each time limit.
const leastProgress = 32 << 10

// overdue reports whether a frame takes longer than it may, and why.
func (p *rxProgress) overdue(now int64, limits *ReceiverLimits) (reason string, yes bool) {
	bytes, frames := p.bytes.Load(), p.frames.Load()
	limit, reason := limits.PartialTimeout, reasonPartial
	switch {
	case frames == 0:
		limit, reason = limits.FirstFrameTimeout, reasonFirstFrame
	case frames != p.markFrames || !p.partial.Load():
		p.mark(now, bytes, frames)
		return "", false
	}
	if now-p.since.Load() < int64(limit) {
		return "", false
	}
	if bytes-p.markBytes < leastProgress {
		return reason, true
	}
	p.mark(now, bytes, frames)
	return "", false
}

func (p *rxProgress) mark(now int64, bytes, frames uint64) {
	p.markBytes, p.markFrames = bytes, frames
	p.since.Store(now)
}

// idle reports whether nothing has come since the last call, and no frame has
// begun.
func (p *rxProgress) idle() bool {
	bytes := p.bytes.Load()
	same := bytes == p.seen
	p.seen = bytes
	return same && !p.partial.Load()
}

// rxSlow has the connections that are delivering and may be waited for: by
// answers that are to be written together, or by what is to be read next. When a
// delivery takes long the watch writes those answers, and has another goroutine
// read.
type rxSlow struct {
	wake chan struct{} // has room for one

	mu    sync.Mutex
	first *rxConn // linked by slowNext and slowPrev
	awake bool
}

// slowLook is how often the watch looks at them.
const slowLook = time.Millisecond

func (s *rxSlow) add(c *rxConn) {
	s.mu.Lock()
	c.slowNext, c.slowPrev = s.first, nil
	if s.first != nil {
		s.first.slowPrev = c
	}
	s.first = c
	wake := !s.awake
	s.awake = true
	s.mu.Unlock()
	if wake {
		s.wake <- struct{}{} // there is room: the watch took the last one before it fell asleep
	}
}

func (s *rxSlow) remove(c *rxConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.slowPrev != nil {
		c.slowPrev.slowNext = c.slowNext
	} else {
		s.first = c.slowNext
	}
	if c.slowNext != nil {
		c.slowNext.slowPrev = c.slowPrev
	}
	c.slowNext, c.slowPrev = nil, nil
}

// late returns the connections that are waited for too long; asleep says that
// there was nothing to look at, so that add will wake the watch.
func (s *rxSlow) late(now int64, list []*rxConn) (late []*rxConn, asleep bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.first == nil {
		s.awake = false
		return list, true
	}
	for c := s.first; c != nil; c = c.slowNext {
		if c.answersLate(now) || c.readingLate(now) {
			list = append(list, c)
		}
	}
	return list, false
}

func (c *rxConn) answersLate(now int64) bool {
	since := c.unwritten.Load()
	return since != 0 && now-since > ackDelay && c.blocked.Load() == 0
}

func (c *rxConn) readingLate(now int64) bool {
	since := c.hereSince.Load()
	return since != 0 && now-since > ackDelay
}

// watchAll closes connections that keep the receiver waiting, and helps those
// that wait for deliveries. It ends when quit is closed.
func (r *Receiver) watchAll() {
	tick := time.NewTicker(r.watchPeriod())
	defer tick.Stop()
	look := time.NewTimer(slowLook)
	look.Stop()
	var late []*rxConn
	for {
		select {
		case <-r.quit:
			return
		case <-tick.C:
			r.checkAll()
			continue
		case <-r.slow.wake:
			look.Reset(slowLook)
			continue
		case <-look.C:
		}
		now := r.now()
		var asleep bool
		late, asleep = r.slow.late(now, late[:0])
		for _, c := range late {
			if c.readingLate(now) {
				c.sock.relieve()
			}
			if c.answersLate(now) {
				r.flushers.Go(c.flush) // ends when the answers are written or the connection is cut
			}
		}
		clear(late)
		if !asleep {
			look.Reset(slowLook)
		}
	}
}

// watchPeriod is short enough for a time limit to be kept within a quarter.
func (r *Receiver) watchPeriod() time.Duration {
	l := &r.cfg.Limits
	shortest := min(l.FirstFrameTimeout, l.PartialTimeout, l.WriteTimeout, 4*time.Second)
	return max(shortest/4, time.Millisecond)
}

// checkAll looks at every connection.
func (r *Receiver) checkAll() {
	now := r.now()
	for _, c := range r.connections() {
		c.check(now)
	}
}

// check ends the connection if it takes too long, and gives back the memory that
// it does not need. The watch calls it.
func (c *rxConn) check(now int64) {
	limits := &c.r.cfg.Limits
	if since := c.blocked.Load(); since != 0 && now-since >= int64(limits.WriteTimeout) {
		c.r.reject(c.from, reasonWrite)
		c.cut()
		return
	}
	if c.hold.Load() != 0 {
		c.watch.touch(now)
		if c.sock.broken() {
			c.cut()
		}
		return
	}
	if c.isReadEnded() {
		return
	}
	if reason, yes := c.watch.overdue(now, limits); yes {
		c.r.reject(c.from, reason)
		c.sock.stopReading()
		return
	}
	if c.watch.idle() && c.queued.Load() == 0 && c.ledger.held.Load() > c.keeps {
		c.sock.shrink()
	}
}

func (c *rxConn) isReadEnded() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.readEnded
}
