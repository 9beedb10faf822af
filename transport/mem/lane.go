package mem

import (
	"slices"
	"time"

	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// lane delivers the messages of one sender at one receiver, one after the
// other, whatever connections they come by. It is guarded by Network.mu; the
// goroutine in run is its only reader.
type lane struct {
	r      *Receiver
	s      *Sender
	source *membership.Member // whom the last frame was from
	inbox  queue[parcel]
	stored int           // bytes in inbox
	wake   chan struct{} // tells run that something has changed
	busy   *flight       // whose message the listener has, if its sender waits for it
	closed bool          // nothing is taken any more
	last   bool          // run ends when the inbox is empty
	cut    bool          // nothing is answered any more
}

// parcel is a message that has arrived.
type parcel struct {
	m    *message.Message
	f    *flight // if an answer is due: the listener's, or
	ack  bool    // an ack for its arrival, which a pause has kept back
	c    *conn   // whose window it occupies, nil for none
	size int
}

// lane returns the lane of s at r. It is called with n.mu held.
func (r *Receiver) lane(s *Sender) *lane {
	for _, x := range r.lanes {
		if x.s == s {
			return x
		}
	}
	x := &lane{r: r, s: s, wake: make(chan struct{}, 1)}
	r.lanes = append(r.lanes, x)
	s.lanes = append(s.lanes, x)
	r.running.Go(x.run) // ends when its sender or r has stopped, and r waits for it
	return x
}

// take takes the frame of f, which is there now.
func (x *lane) take(fx *effects, f *flight, now time.Time) {
	c := f.c
	m, err := x.parse(f.buf)
	if err != nil { // a connection that has lost its framing ends
		x.s.giveUp(fx, f, err, true)
		if c != nil {
			c.end(fx, err, true)
		}
		return
	}
	p := parcel{m: m, size: f.size}
	if f.listed { // and no copy
		p.c = c
	}
	p.ack = f.receipt != nil && !f.options.SyncAcked() && x.r.node.host.resumed != nil
	later := p.ack || f.receipt != nil && f.options.SyncAcked()
	if later {
		p.f, f.held = f, true
	}
	x.inbox.put(p)
	x.stored += p.size
	x.r.n.stats.Delivered++
	poke(x.wake)
	f.unload()
	if f.receipt != nil && !later {
		f.reply(fx, message.Acknowledged, nil, now)
		return
	}
	x.s.tidy(f)
}

// parse makes a message of a frame as a receiver finds it in a stream.
func (x *lane) parse(b *message.Buffer) (*message.Message, error) {
	data, _, err := message.Scan(b.Bytes(), x.r.n.cfg.MaxFrame)
	if err != nil {
		return nil, err
	}
	frame, err := message.ParseFrame(data)
	if err != nil {
		return nil, err
	}
	if x.source == nil || !x.source.Is(frame.Sender) {
		if x.source, err = frame.DecodeSender(); err != nil {
			return nil, err
		}
	}
	return x.r.env.Pool.FromFrame(&frame, x.source, b), nil
}

// run hands messages to the channel until the lane ends.
func (x *lane) run() {
	for {
		p, ok := x.next()
		if !ok {
			return
		}
		if p.ack {
			x.answer(p.f, nil)
			p.f = nil
		}
		err := x.r.env.Deliver(x.r.ctx, p.m)
		p.m.Release()
		x.r.node.await()
		x.delivered(p, err)
	}
}

// next waits for a message; ok is false at the end of the lane.
func (x *lane) next() (p parcel, ok bool) {
	for {
		x.r.n.mu.Lock()
		switch resumed := x.r.node.host.resumed; {
		case resumed != nil:
			x.r.n.mu.Unlock()
			<-resumed
			continue
		case x.inbox.len() > 0:
			p = x.inbox.take()
			x.busy = p.f
			x.stored -= p.size
			x.r.n.mu.Unlock()
			return p, true
		case x.last:
			x.leave()
			x.r.n.mu.Unlock()
			return p, false
		}
		x.r.n.mu.Unlock()
		<-x.wake
	}
}

// delivered is when the listener has returned.
func (x *lane) delivered(p parcel, failure error) {
	if p.f != nil {
		x.answer(p.f, failure)
	}
	if p.c == nil {
		return
	}
	fx := x.r.n.effects()
	x.r.n.mu.Lock()
	p.c.leave(fx, p.size, time.Now())
	x.r.n.mu.Unlock()
	x.r.n.run(fx)
}

// answer tells the sender what became of its message.
func (x *lane) answer(f *flight, failure error) {
	fx := x.r.n.effects()
	x.r.n.mu.Lock()
	x.busy, f.held = nil, false
	if failure == nil {
		f.reply(fx, message.Acknowledged, nil, time.Now())
	} else {
		f.reply(fx, message.Refused, refusal(failure), time.Now())
	}
	x.r.n.mu.Unlock()
	x.r.n.run(fx)
}

// refusal is what a sender is told of a listener's error.
func refusal(err error) error {
	reason := err.Error()
	return &message.RemoteError{Reason: reason[:min(len(reason), message.MaxReason)]}
}

// finish ends the lane when what it has is delivered.
func (x *lane) finish() {
	x.last = true
	poke(x.wake)
}

// drop ends the lane without delivering what it has; the senders that wait get
// no answer.
func (x *lane) drop(fx *effects) {
	x.closed, x.cut = true, true
	if x.busy != nil {
		x.s.giveUp(fx, x.busy, errReset, true)
	}
	for x.inbox.len() > 0 {
		p := x.inbox.take()
		p.m.Release()
		if p.f != nil {
			p.f.held = false
			x.s.giveUp(fx, p.f, errReset, true)
		}
		if p.c != nil {
			p.c.leave(fx, p.size, time.Now())
		}
	}
	x.stored = 0
	x.finish()
}

// leave forgets the lane.
func (x *lane) leave() {
	is := func(y *lane) bool { return y == x }
	x.r.lanes = slices.DeleteFunc(x.r.lanes, is)
	x.s.lanes = slices.DeleteFunc(x.s.lanes, is)
}
