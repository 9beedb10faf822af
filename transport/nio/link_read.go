package nio

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/gotribes/tribes/internal/wire"
	"github.com/gotribes/tribes/message"
)

// readSize is the first size of the memory for answers; one ack takes 21 bytes,
// a numbered one 39 and its refusals up to 265 each.
const (
	readSize  = 4 << 10
	replyBase = 64
	replyItem = 10 + message.MaxReason
)

// linkReader is what the goroutine that reads has of its own.
type linkReader struct {
	buf   []byte
	have  int // bytes in buf that no answer was made of yet
	limit int // the largest answer, in bytes
	reply message.Reply
	out   settlements
}

// read takes the answers until the connection ends.
func (l *link) read() {
	defer close(l.readDone)
	if !l.awaitDial() {
		return
	}
	l.rd.buf = make([]byte, readSize)
	l.rd.limit = replyBase + min(spanFactor*l.p.s.cfg.Window, message.MaxSettled)*replyItem
	in := newPollReader(l.conn, l.p.s.cfg.Socket.BusyPoll)
	for {
		n, err := in.Read(l.rd.buf[l.rd.have:])
		l.rd.have += n
		if n > 0 && !l.answers() {
			return
		}
		switch {
		case err == nil:
		case errors.Is(err, os.ErrDeadlineExceeded):
			if !l.tick() {
				return
			}
		default:
			l.ended(err)
			return
		}
	}
}

// awaitDial waits until the connection is made and in the meantime gives up
// what has waited too long. It reports whether there is a connection.
func (l *link) awaitDial() bool {
	p := l.p
	for {
		p.mu.Lock()
		now, next := p.s.now(), p.nextExpiry()
		p.mu.Unlock()
		if next == int64(never) {
			<-l.dialed
			return l.conn != nil
		}
		timer := time.NewTimer(time.Duration(next - now))
		select {
		case <-l.dialed:
			timer.Stop()
			return l.conn != nil
		case <-timer.C:
		}
		p.mu.Lock()
		p.sweep(p.s.now(), &l.rd.out)
		p.mu.Unlock()
		p.s.settle(&l.rd.out)
	}
}

// answers takes what was read. It returns false if the link has ended because
// the other end broke the rules.
func (l *link) answers() bool {
	p, rd := l.p, &l.rd
	p.mu.Lock()
	l.used = p.s.now()
	used, need, err := l.parse(rd.buf[:rd.have])
	if err != nil {
		p.violated(err)
		l.failLocked(endBroken, fmt.Errorf("tribes: send: %s: wrong answer: %w", p.member, err))
	} else if used > 0 {
		if l.parked && l.state == linkDraining && l.flight.count == 0 {
			l.unpark()
		}
		p.kick()
	}
	p.mu.Unlock()
	p.s.settle(&rd.out)
	if err != nil {
		p.complain(err)
		l.hangUp()
		return false
	}
	rd.have = copy(rd.buf, rd.buf[used:rd.have])
	if need > len(rd.buf) {
		rd.grow(need)
	}
	return true
}

// grow makes room for an answer of need bytes as they arrive: the memory
// doubles, so that an announced length alone takes none.
func (r *linkReader) grow(need int) {
	if r.have < len(r.buf) {
		return
	}
	bigger := make([]byte, min(need, 2*len(r.buf)))
	copy(bigger, r.buf[:r.have])
	r.buf = bigger
}

// parse takes the answers in b. It returns how many bytes they have and, if
// another one is incomplete, the size of that. It is called with p.mu held.
func (l *link) parse(b []byte) (used, need int, err error) {
	for {
		// No answer has more entries than there are frames to answer.
		data, size, err := message.Scan(b[used:], min(l.rd.limit, replyBase+l.flight.span()*replyItem))
		if err != nil || data == nil {
			return used, size, err
		}
		if err := message.ParseReply(data, &l.rd.reply); err != nil {
			return used, 0, err
		}
		if err := l.accept(&l.rd.reply); err != nil {
			return used, 0, err
		}
		used += size
	}
}

// accept takes one answer, which also proves the link. It is called with p.mu held.
func (l *link) accept(r *message.Reply) error {
	p := l.p
	if r.Kind == message.NumberedAck {
		if l.proof == plainKind {
			return &message.FormatError{Reason: wire.BadAck}
		}
		if err := l.flight.check(r); err != nil {
			return err
		}
		p.learn(r.Caps)
		l.proof, p.kind = numberedKind, numberedKind
		l.numbered(r)
	} else {
		if l.proof == numberedKind {
			return &message.FormatError{Reason: wire.BadAck}
		}
		if l.flight.count == 0 {
			return &message.FormatError{Reason: wire.BadNumber}
		}
		l.proof, p.kind = plainKind, plainKind
		o, err := outcomeOf(r.Kind)
		l.settled(l.flight.advance(), o, err)
	}
	l.answered++
	p.stalled, p.strikes = false, 0
	return nil
}

// learn notes what the member says of itself, and passes it on. It is called with mu
// held.
func (p *peer) learn(c message.Caps) {
	if p.caps == c {
		return
	}
	p.caps = c
	if p.s.env.Learned != nil {
		p.s.env.Learned(p.member, c)
	}
}

// outcomeOf is what a plain answer means.
func outcomeOf(k message.ReplyKind) (message.Outcome, error) {
	if k == message.PlainFailAck {
		return message.Refused, new(message.RemoteError)
	}
	return message.Acknowledged, nil
}

// numbered settles what a numbered ack answers. Its numbers were checked. It is
// called with p.mu held.
func (l *link) numbered(r *message.Reply) {
	for i := range r.Settled {
		e := &r.Settled[i]
		if f := l.flight.take(e.Number); f != nil {
			l.settled(f, e.Outcome, refusal(e))
		}
	}
	for l.flight.upTo < r.UpTo {
		if f := l.flight.advance(); f != nil {
			l.settled(f, message.Acknowledged, nil)
		}
	}
}

// refusal is the error for an entry of a numbered ack, nil if it is no refusal.
func refusal(e *message.Settled) error {
	if e.Outcome == message.Refused {
		return &message.RemoteError{Reason: e.Reason}
	}
	return nil
}

// settled notes the answer to one frame. It is called with p.mu held.
func (l *link) settled(f *frame, o message.Outcome, err error) {
	if f.writing {
		f.copies++ // it is written, or there would be no answer
	}
	l.p.stats.waited(f, l.used)
	l.p.finish(f, o, err, false, &l.rd.out)
}

// tick does what is due and sets the time of the next call. It returns false if
// the link has ended.
func (l *link) tick() bool {
	p := l.p
	p.mu.Lock()
	now := p.s.now()
	l.armed = 0
	next := l.check(now)
	ok := l.state != linkClosed
	if ok && next == int64(never) {
		// If this cannot be set the connection is closed, and Read will say so.
		_ = l.conn.SetReadDeadline(time.Time{})
	} else if ok {
		l.arm(next)
	}
	p.mu.Unlock()
	if !ok {
		l.hangUp()
	}
	p.s.settle(&l.rd.out)
	return ok
}

// check looks for what is overdue and returns when to look again. It is called
// with p.mu held.
func (l *link) check(now int64) int64 {
	p := l.p
	if l.state == linkClosed {
		return now
	}
	f := l.flight.oldest()
	if f != nil && f.deadline != 0 && f.deadline <= now {
		l.failLocked(endSilent, p.timedOut("no answer", p.s.cfg.Timeouts.Ack))
		return now
	}
	if p.stalled || p.dated {
		p.sweep(now, &l.rd.out)
	}
	next := p.nextExpiry()
	if f != nil && f.deadline != 0 {
		next = min(next, f.deadline)
	}
	used := l.used
	if f != nil || l.batch.len > 0 {
		used = now
	}
	if l.state == linkOpen && l.retire(used) <= now {
		l.state = linkDraining
		if l.parked {
			l.unpark()
		}
	}
	if l.state == linkOpen {
		next = min(next, l.retire(used))
	}
	return next
}

// ended is the end of the connection from the other side, or from ours.
func (l *link) ended(err error) {
	l.p.mu.Lock()
	if l.state == linkDraining && l.flight.count == 0 && l.batch.len == 0 {
		l.failLocked(endOrderly, nil)
	} else {
		l.failLocked(endBroken, fmt.Errorf("tribes: send: %s: the connection broke: %w", l.p.member, err))
	}
	l.p.mu.Unlock()
	l.hangUp()
}
