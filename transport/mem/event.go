package mem

import (
	"time"

	"github.com/gotribes/tribes/message"
)

// event is something that happens to a sender's messages at a later time.
type event struct {
	kind eventKind
	f    *flight
	c    *conn
}

type eventKind uint8

const (
	dial     eventKind = iota // attempt to connect
	dialed                    // the answer to that
	hangUp                    // news that the other side of c is gone
	transmit                  // transmit f, again
	land                      // f reaches the other host
	answer                    // transmit the answer to f, again
	answered                  // the answer to f is back
)

// retransmitAfter is how long a host waits before it transmits again what was
// lost tries times.
func retransmitAfter(tries int) time.Duration {
	if tries > 1 {
		return 400 * time.Millisecond
	}
	return 200 * time.Millisecond
}

// book puts an event on the sender's agenda.
func (s *Sender) book(at time.Time, ev event) {
	if ev.f != nil {
		ev.f.booked = true
	}
	s.agenda.put(at, ev)
	s.alert(at)
}

// happen does what is due.
func (s *Sender) happen(fx *effects, ev event, now time.Time) {
	if c := ev.c; c != nil {
		switch {
		case c.dead:
		case ev.kind == dial:
			c.dial(fx, now)
		case ev.kind == dialed:
			c.dialed(fx, now)
		case ev.kind == hangUp && !c.rev.cut:
			c.end(fx, errReset, true)
		}
		return
	}
	f := ev.f
	f.booked = false
	switch ev.kind {
	case transmit:
		f.transmit(fx, now)
	case land:
		f.land(fx, now)
	case answer:
		f.answer(fx, now)
	case answered:
		f.answered(fx, now)
	}
}

// transmit puts the frame on the wire.
func (f *flight) transmit(fx *effects, now time.Time) {
	switch {
	case f.buf == nil || f.c != nil && f.c.dead:
		f.unload()
		f.s.tidy(f)
		return
	case f.fwd.clear():
		f.land(fx, now)
		return
	}
	n := f.s.n
	src := f.fwd.grams
	if f.c != nil {
		src = f.fwd.streams
	}
	fate := f.fwd.draw(src, now, f.size)
	if fate.lost {
		f.lose(now)
		return
	}
	if fate.copy {
		n.stats.Duplicated++
		f.s.book(fate.again, event{kind: land, f: f.copy()})
	}
	f.s.book(fate.at, event{kind: land, f: f})
	if fate.late {
		n.stats.Reordered++
		if f.loose = true; f.c != nil {
			f.c.advance(fx, now)
		}
	}
}

// lose is when a transmission was lost: on a connection it is repeated.
func (f *flight) lose(now time.Time) {
	f.s.n.stats.Lost++
	if f.c == nil {
		f.unload()
		f.s.tidy(f)
		return
	}
	f.tries++
	f.s.book(now.Add(retransmitAfter(f.tries)), event{kind: transmit, f: f})
}

// copy returns a duplicate of f, of which the sender does not know.
func (f *flight) copy() *flight {
	d := f.s.newFlight()
	d.c, d.fwd, d.rev, d.to = f.c, f.fwd, f.rev, f.to
	d.id, d.options, d.loose = f.id, f.options, true
	d.buf = f.s.env.Pool.Get(f.size)
	copy(d.buf.Bytes(), f.buf.Bytes())
	return d
}

// land is when the frame reaches the other host.
func (f *flight) land(fx *effects, now time.Time) {
	switch {
	case f.buf == nil:
		f.s.tidy(f)
	case f.fwd.cut: // since it was transmitted
		f.lose(now)
	case f.c == nil:
		f.landDatagram(fx, now)
	case f.c.up && f.c.lane.closed && f.rev.cut:
		f.lose(now) // nobody can tell that nobody is there
	case f.loose || f.c.dead:
		f.c.arrive(fx, f, now)
	default:
		f.landed = true
		f.c.advance(fx, now)
	}
}

// answerSize is about the size of the packet with an answer.
const answerSize = 60

// reply gives the answer of the receiver to its host.
func (f *flight) reply(fx *effects, o message.Outcome, err error, now time.Time) {
	f.outcome, f.err = o, err
	f.tries = 0
	f.answer(fx, now)
}

// answer puts the answer on the wire.
func (f *flight) answer(fx *effects, now time.Time) {
	switch {
	case f.receipt == nil:
		f.s.tidy(f)
		return
	case f.rev.clear():
		f.answered(fx, now)
		return
	}
	fate := f.rev.draw(f.rev.answers, now, answerSize)
	if fate.lost {
		f.loseAnswer(now)
		return
	}
	f.s.book(fate.at, event{kind: answered, f: f})
}

func (f *flight) loseAnswer(now time.Time) {
	f.s.n.stats.Lost++
	if f.c == nil {
		return // its deadline settles it
	}
	f.tries++
	f.s.book(now.Add(retransmitAfter(f.tries)), event{kind: answer, f: f})
}

// answered is when the answer is back.
func (f *flight) answered(fx *effects, now time.Time) {
	if f.receipt != nil && f.rev.cut {
		f.loseAnswer(now)
		return
	}
	if c := f.c; c != nil && c.lane != nil && !c.dead && !c.learned && f.s.env.Learned != nil {
		c.learned = true
		f.s.effect(fx, effect{kind: learned, to: f.to, caps: c.lane.r.env.Caps})
	}
	f.s.settle(fx, f, f.outcome, f.err)
	f.s.tidy(f)
}
