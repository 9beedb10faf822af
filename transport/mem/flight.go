package mem

import (
	"slices"
	"time"

	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// flight is one message on its way from a sender to one destination, and the
// answer on its way back. It is guarded by Network.mu.
//
// It is in the sender's list of live flights until it has its outcome and its
// frame is not on its way any more; it is used again when no event and no lane
// has it either.
type flight struct {
	s          *Sender
	c          *conn // nil for a datagram
	fwd, rev   *edge
	to         *membership.Member
	receipt    *message.Receipt // nil once it has its outcome, and for a copy
	id         message.ID
	options    message.Options
	buf        *message.Buffer // the frame, until it has arrived or was dropped
	size       int             // of the frame in bytes
	deadline   time.Time       // of outcome and arrival; zero: somebody else sees to it
	tries      int             // transmissions that were lost in a row
	outcome    message.Outcome // what the answer says
	err        error
	waiting    chan struct{} // gets a token when it leaves the backlog; nil if it is not in it
	booked     bool          // an event has it
	held       bool          // a lane has it
	landed     bool          // it has arrived but for those before it
	loose      bool          // it does not wait for those before it, nor they for it
	listed     bool          // it is in the list of live flights
	prev, next *flight       // in that list
	gen        uint32        // rises when the flight is used again
}

// ref is a flight that may be used for something else by now.
type ref struct {
	f   *flight
	gen uint32
}

func (f *flight) ref() ref { return ref{f, f.gen} }

// passed reports whether nobody has to wait for the flight any more.
func (r ref) passed() bool { return r.f.gen != r.gen || r.f.loose || r.f.buf == nil }

func (s *Sender) newFlight() *flight {
	last := len(s.unused) - 1
	if last < 0 {
		return &flight{s: s}
	}
	f := s.unused[last]
	s.unused = s.unused[:last]
	return f
}

// load gives f the frame of m, which has size bytes.
func (f *flight) load(m *message.Message, size int) {
	var extra message.Options
	if m.Options.Acked() {
		extra = message.NumberedAcks
	}
	f.buf = f.s.env.Pool.Get(size)
	message.AppendFrame(f.buf.Bytes()[:0], m, extra)
	f.id, f.options, f.size = m.ID, m.Options, size
}

// list puts f at the end of the live flights.
func (s *Sender) list(f *flight) {
	f.listed, f.prev = true, s.last
	if s.last != nil {
		s.last.next = f
	} else {
		s.first = f
	}
	s.last = f
	if !f.deadline.IsZero() {
		s.alert(f.deadline)
	}
}

func (s *Sender) unlist(f *flight) {
	if f.prev != nil {
		f.prev.next = f.next
	} else {
		s.first = f.next
	}
	if f.next != nil {
		f.next.prev = f.prev
	} else {
		s.last = f.prev
	}
	f.listed, f.prev, f.next = false, nil, nil
	s.checkIdle()
}

// tidy ends the parts of f's life that are over. f must not be touched after
// it.
func (s *Sender) tidy(f *flight) {
	if f.receipt != nil || f.buf != nil || f.waiting != nil {
		return
	}
	if f.listed {
		s.unlist(f)
	}
	if !f.booked && !f.held {
		*f = flight{s: s, gen: f.gen + 1}
		s.unused = append(s.unused, f)
	}
}

// settle gives f its outcome, unless it has one.
func (s *Sender) settle(fx *effects, f *flight, o message.Outcome, err error) {
	if f.receipt == nil {
		return
	}
	s.effect(fx, effect{kind: settle, receipt: f.receipt, to: f.to, outcome: o, err: err})
	f.receipt = nil
}

// giveUp ends f wherever it is: it will not arrive if it has not yet, and it has
// an outcome. blame says that err is a fault of the way.
func (s *Sender) giveUp(fx *effects, f *flight, err error, blame bool) {
	outcome := message.Unknown
	if f.waiting != nil || f.buf != nil && f.c != nil && !f.c.up {
		outcome = message.NotSent
	}
	if blame && (f.receipt != nil || f.buf != nil) {
		s.effect(fx, effect{kind: fault, to: f.to, id: f.id, err: err})
	}
	s.settle(fx, f, outcome, err)
	if f.waiting != nil {
		f.c.backlog = slices.DeleteFunc(f.c.backlog, func(x *flight) bool { return x == f })
		f.admit()
	}
	f.unload()
	s.tidy(f)
}

// unload drops the frame, if f still has it.
func (f *flight) unload() {
	if f.buf != nil {
		f.buf.Release()
		f.buf = nil
	}
}

// admit says that f is not in the backlog any more.
func (f *flight) admit() {
	f.waiting <- struct{}{} // has room for it
	f.waiting = nil
}
