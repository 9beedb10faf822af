package nio

import (
	"errors"
	"net"
	"os"
	"time"

	"github.com/gotribes/tribes/message"
)

// batchBytes is about how much one write carries. More saves nothing, and would
// keep what comes behind from other links.
const batchBytes = 256 << 10

// mayTake reports whether the link may write f now. It is called with p.mu held.
func (l *link) mayTake(f *frame) bool {
	w, cfg := &l.flight, &l.p.s.cfg
	switch {
	case l.state != linkOpen || l.uses >= cfg.Pool.MaxUses:
		return false
	case !f.acked || w.count == 0:
		return true
	case l.proof != numberedKind:
		return false
	}
	return w.count < cfg.Window && w.bytes+f.size <= cfg.WindowBytes && w.span() < spanFactor*cfg.Window
}

// take moves what may be written now from the queue to the batch. It is called
// with p.mu held.
func (l *link) take(now int64) {
	p := l.p
	shorter := false
	for f := p.queue.first; f != nil && l.batch.bytes < batchBytes; f = p.queue.first {
		vain := p.inVain(f, now)
		if vain == nil && !l.mayTake(f) {
			break
		}
		p.queue.pop()
		shorter = true
		if vain != nil {
			p.give(f, vain, isFault(vain), &l.out)
		} else {
			l.begin(f)
		}
	}
	if shorter {
		p.grant()
	}
}

// begin puts f into the batch. It is called with p.mu held.
func (l *link) begin(f *frame) {
	f.writing = true
	l.batch.push(f)
	l.uses++
	if f.acked {
		l.flight.add(f)
	}
}

// flush writes the batch.
func (l *link) flush() {
	p := l.p
	l.w.gather(&l.batch)
	n, err := l.w.write(l.conn, p.s.cfg.Timeouts.Write)
	p.mu.Lock()
	l.wrote(int(n))
	if err != nil {
		why := endBroken
		if errors.Is(err, os.ErrDeadlineExceeded) {
			why, err = endStuck, p.timedOut("not a byte was taken", p.s.cfg.Timeouts.Write)
		}
		l.failLocked(why, err)
		why = l.end
		p.mu.Unlock()
		l.linger(why)
	} else {
		p.mu.Unlock()
	}
	p.s.settle(&l.out)
}

// linger lets read take what the other end answered before the connection
// broke, and closes it.
func (l *link) linger(why end) {
	if why == endBroken {
		// If this cannot be set the connection is closed, and read knows.
		_ = l.conn.SetReadDeadline(time.Now().Add(pause))
		<-l.readDone
	}
	l.hangUp()
}

// wrote notes that the first n bytes of the batch were written. What is complete
// leaves the batch. It is called with p.mu held.
func (l *link) wrote(n int) {
	p := l.p
	now := p.s.now()
	l.used = now
	p.stalled = p.stalled && (p.queue.len > 0 || n < l.batch.bytes)
	for f := l.batch.first; f != nil && n >= f.size; f = l.batch.first {
		l.batch.pop()
		n -= f.size
		f.begun, f.writing = true, false
		f.written = now
		f.copies++
		p.stats.wrote(f)
		switch {
		case f.settled:
			p.store.recycle(f)
		case !f.acked:
			p.finish(f, message.Written, nil, false, &l.out)
		case f.deadline == 0:
			f.deadline = after(now, p.s.cfg.Timeouts.Ack)
		}
	}
	if f := l.batch.first; f != nil && n > 0 {
		f.begun = true
	}
	if f := l.flight.oldest(); f != nil && f.deadline != 0 {
		l.arm(f.deadline)
	}
}

// arm makes read wake up at the given time, if it would sleep longer. It is
// called with p.mu held.
func (l *link) arm(at int64) {
	if at == int64(never) || l.armed != 0 && l.armed <= at {
		return
	}
	l.armed = at
	// If this cannot be set the connection is closed, and read knows.
	_ = l.conn.SetReadDeadline(l.p.s.time(at))
}

// linkWriter gives batches to a connection. It belongs to the goroutine that
// writes.
type linkWriter struct {
	spans    net.Buffers // memory for left
	left     net.Buffers // what is to be written
	deadline time.Time   // of the connection, for writing
	brittle  bool        // a write that timed out cannot be resumed, as with TLS
}

// brittlePiece is how much is written at a time to a connection on which a
// timeout is the end, so that it means that this much could not be written.
const brittlePiece = 16 << 10

// gather collects the bytes of the batch; what lies side by side becomes one
// span.
func (w *linkWriter) gather(batch *frameList) {
	w.spans = w.spans[:0]
	var c *chunk
	from, to := 0, 0
	flush := func() {
		if to > from {
			w.spans = append(w.spans, c.buf.Bytes()[from:to])
		}
	}
	for f := batch.first; f != nil; f = f.next {
		if f.chunk != c || f.from != to {
			flush()
			c, from = f.chunk, f.from
		}
		to = f.to
		if f.big != nil {
			to = f.split
			flush()
			w.spans = append(w.spans, f.big.Payload())
			from, to = f.split, f.to
		}
	}
	flush()
}

// write writes what was gathered and returns how many bytes were taken. It goes
// on as long as some byte is taken within the limit; if none is, the error is
// os.ErrDeadlineExceeded.
func (w *linkWriter) write(conn net.Conn, within time.Duration) (int64, error) {
	w.left = w.spans
	var total int64
	now := time.Now()
	progress := now
	for {
		if err := w.allow(conn, now, progress, within); err != nil {
			return total, err
		}
		n, err := w.once(conn)
		total += n
		if err == nil && len(w.left) == 0 {
			clear(w.spans)
			return total, nil
		}
		now = time.Now()
		if n > 0 {
			progress = now
		}
		timeout := errors.Is(err, os.ErrDeadlineExceeded)
		if err != nil && (w.brittle || !timeout || now.Sub(progress) >= within) {
			return total, err
		}
	}
}

// allow makes sure that the connection's deadline for writing lies ahead, and
// not later than the limit after progress. It is moved only when it comes near,
// so that most writes need not; write then finds that it came too early.
func (w *linkWriter) allow(conn net.Conn, now, progress time.Time, within time.Duration) error {
	if within == never {
		return nil
	}
	if !w.brittle && w.deadline.After(now) && w.deadline.Sub(progress) > within/2 {
		return nil
	}
	w.deadline = progress.Add(within)
	return conn.SetWriteDeadline(w.deadline)
}

// once is one write of what is left.
func (w *linkWriter) once(conn net.Conn) (int64, error) {
	if len(w.left) > 1 && !w.brittle {
		return w.left.WriteTo(conn)
	}
	piece := w.left[0]
	if w.brittle {
		piece = piece[:min(len(piece), brittlePiece)]
	}
	n, err := conn.Write(piece)
	if w.left[0] = w.left[0][n:]; len(w.left[0]) == 0 {
		w.left = w.left[1:]
	}
	return int64(n), err
}
