package mem

import (
	"fmt"
	"net/netip"
	"slices"
	"syscall"
	"time"

	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// conn is a connection of a sender to the receiver at one address. It is
// guarded by Network.mu.
type conn struct {
	s        *Sender
	to       *membership.Member
	fwd, rev *edge // nil if there is no such host
	private  bool  // it belongs to a probe
	lingers  bool  // a private one that ends when its line is empty
	up, dead bool
	err      error         // why it is dead
	ready    chan struct{} // of a private one: closed when it is up or dead
	tries    int           // attempts to connect that were lost
	lane     *lane         // at the receiver, once it is up
	learned  bool          // the sender was told what the receiver understands

	used    int        // bytes of the window
	line    queue[ref] // what is on its way and arrives in order
	backlog []*flight  // what waits for room
}

const (
	handshake = 60    // about the size of the packets that make a connection
	ephemeral = 49152 // the port that connections come from
)

// connect begins a connection to m.
func (s *Sender) connect(fx *effects, m *membership.Member, private bool, now time.Time) *conn {
	c := &conn{s: s, to: m, private: private}
	if private {
		c.ready = make(chan struct{})
	} else {
		s.conns[m.Key()] = c
	}
	s.all = append(s.all, c)
	far := s.n.byAddr[m.Host()]
	if far == nil {
		c.end(fx, fmt.Errorf("tribes: mem: connect to %s: %w", m, syscall.EHOSTUNREACH), true)
		return c
	}
	c.fwd, c.rev = s.n.edge(s.node.host, far), s.n.edge(far, s.node.host)
	c.dial(fx, now)
	return c
}

// dial makes an attempt to connect.
func (c *conn) dial(fx *effects, now time.Time) {
	if c.fwd.clear() && c.rev.clear() {
		c.dialed(fx, now)
		return
	}
	there := c.fwd.draw(c.fwd.streams, now, handshake)
	back := c.rev.draw(c.rev.answers, there.at, handshake)
	if there.lost || back.lost {
		c.s.n.stats.Lost++
		c.tries++
		c.s.book(now.Add(retransmitAfter(c.tries)), event{kind: dial, c: c})
		return
	}
	c.s.book(back.at, event{kind: dialed, c: c})
}

// dialed is when the other host has said whether anybody listens there.
func (c *conn) dialed(fx *effects, now time.Time) {
	r := c.s.n.receivers[c.to.AddrPort()]
	if r == nil {
		c.end(fx, fmt.Errorf("tribes: mem: connect to %s: %w", c.to, syscall.ECONNREFUSED), true)
		return
	}
	c.up, c.lane = true, r.lane(c.s)
	fx.list = append(fx.list, effect{kind: accepted, env: &r.env, from: netip.AddrPortFrom(c.s.node.host.addr, ephemeral)})
	if c.private {
		close(c.ready)
	} else {
		c.s.effect(fx, effect{kind: linkUp, to: c.to})
	}
	early := c.line
	c.line = queue[ref]{}
	for early.len() > 0 {
		if r := early.take(); !r.passed() {
			c.launch(fx, r.f, now)
		}
	}
}

// accept takes f into the connection, or into its backlog if there is no room.
func (c *conn) accept(fx *effects, f *flight, now time.Time) {
	f.c, f.fwd, f.rev = c, c.fwd, c.rev
	if len(c.backlog) > 0 || !c.room(f.size) {
		f.waiting = c.s.n.token()
		c.backlog = append(c.backlog, f)
		return
	}
	c.used += f.size
	c.launch(fx, f, now)
}

func (c *conn) room(size int) bool { return c.used == 0 || c.used+size <= c.s.n.cfg.Window }

// leave gives room back and lets in what waits for it.
func (c *conn) leave(fx *effects, size int, now time.Time) {
	c.used -= size
	for !c.dead && len(c.backlog) > 0 && c.room(c.backlog[0].size) {
		f := c.backlog[0]
		c.backlog = slices.Delete(c.backlog, 0, 1)
		f.admit()
		c.used += f.size
		c.launch(fx, f, now)
	}
}

// launch sends f off, as soon as the connection is up.
func (c *conn) launch(fx *effects, f *flight, now time.Time) {
	if !c.up {
		c.line.put(f.ref())
		return
	}
	if !f.options.Acked() {
		c.s.settle(fx, f, message.Written, nil)
	}
	if c.fwd.clear() && c.line.len() == 0 && !c.lane.closed {
		c.arrive(fx, f, now)
		return
	}
	c.line.put(f.ref())
	f.transmit(fx, now)
}

// advance lets arrive what has landed in order.
func (c *conn) advance(fx *effects, now time.Time) {
	for c.line.len() > 0 {
		r := *c.line.first()
		switch {
		case r.passed():
			c.line.take()
		case r.f.landed:
			c.line.take()
			c.arrive(fx, r.f, now)
		default:
			return
		}
	}
	if c.lingers {
		c.s.remove(c)
	}
}

// arrive hands f to the receiver.
func (c *conn) arrive(fx *effects, f *flight, now time.Time) {
	if c.dead || c.lane.closed {
		c.end(fx, errReset, true)
		if f.buf != nil { // a copy
			f.unload()
			c.s.tidy(f)
		}
		return
	}
	c.lane.take(fx, f, now)
}

// hangUp is what the receiver's host does when nobody has its side of the
// connection any more: it tells the sender, if it can.
func (c *conn) hangUp(fx *effects, now time.Time) {
	switch {
	case c.rev.cut:
	case c.rev.clear():
		c.end(fx, errReset, true)
	default:
		c.s.book(now.Add(c.rev.link.Delay), event{kind: hangUp, c: c})
	}
}

// end ends the connection: what is on it will not arrive. What has arrived is
// left to its answer or its deadline, unless the other side is dead or we are
// the ones who do not care. blame says that err is a fault of the way.
func (c *conn) end(fx *effects, err error, blame bool) {
	if c.dead {
		return
	}
	c.dead, c.err = true, err
	c.s.remove(c)
	deaf := !blame || c.up && c.lane.cut
	for f, next := c.s.first, (*flight)(nil); f != nil; f = next {
		next = f.next
		if f.c == c && (deaf || f.buf != nil || f.waiting != nil) {
			c.s.giveUp(fx, f, err, blame && !c.private)
		}
	}
	c.line, c.backlog = queue[ref]{}, nil
	if c.learned {
		c.s.effect(fx, effect{kind: learned, to: c.to})
	}
	switch {
	case c.private && !c.up:
		close(c.ready)
	case c.up && !c.private:
		e := effect{kind: linkDown, to: c.to}
		if blame {
			e.err = err
		}
		c.s.effect(fx, e)
	}
}
