package interceptor

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// NonBlockingCoordinator is a layer in which the members elect a coordinator and
// agree on views: lists of members that are the same wherever they have the same
// id (docs/wire.md, Coordinators). The coordinator is the first of a view in
// absolute order, that of addresses. It is Tribes' interceptor of that name, and
// takes part in elections with Java nodes. All members need the layer, at the same
// place in their stacks; it stands above TCPFailureDetector, DomainFilter and Encrypt, and
// below all other layers that change or keep messages.
//
// When its members change, the first one sends a request round. Each member adds
// whom it knows, so that groups that find each other merge, and probes those whom
// it did not know. When it comes back with all whom the first one knows, that one
// confirms the list to all, and takes office when they have acknowledged it. What is lost is sent again after
// Retry; who waits for a view for longer than that asks the first member for one.
// An election that takes longer than Timeout is told by the log and Stats, and
// goes on: a member without the layer, for instance, swallows requests for ever.
//
// # Who coordinates
//
// Leadership, Changes and Lead tell who coordinates; Channel.Agreed has the views.
// The methods never wait for an election. (Tribes blocks the thread that reports
// members for up to 15 s.) An election may have to wait for a listener: tokens come
// in line with the other messages of their sender, behind one that takes long.
//
// Members that cannot reach each other form groups with a coordinator each: two
// at the same time. So do members that have started and not found each other yet.
// Quorum, set to more than half of the members that there are meant to be, leaves
// all such groups but one without. It cannot help that a coordinator that was cut
// off coordinates until it notices, which takes the drop time of the membership,
// and that a function takes time to end. What must not happen twice needs the
// term: give it along with each request to what is protected, and let that refuse
// a term lower than the highest that it has seen.
//
// The term rises from view to view, with whoever coordinates. It is above those of
// all views that a member which installs the new one has been in, and, as far as
// their clocks go forward, of groups that have ended. Two groups that are separate have
// different terms, unless they elect in the same millisecond; the id of the view
// tells even then. A view that was made by a Java node alone has no term, and 0
// stands for it.
//
// # Views
//
// A member never installs a view in which it is not, nor one whose term is not
// above those of its views before. Members that reach each other in part may agree
// on none, and keep the last one. Views reach the layers above by Up.View, in line with the
// membership events, and messages that arrive meanwhile wait. There is no promise
// about which messages were delivered before: this is not virtual synchrony. The
// membership events and View are passed on as they are: a view follows them.
//
// The fields are settings; they are read when the layer is bound. A
// NonBlockingCoordinator serves one channel. Its methods are safe for concurrent
// use.
type NonBlockingCoordinator struct {
	// Timeout is after how long without a view an election is told to be stalled.
	// Zero means 15 s, for which Java waits for a token (waitForCoordMsgTimeout,
	// which cannot be set there).
	Timeout time.Duration
	// Retry is after how long what was not answered is sent again, and how long
	// a member waits before it asks for a view; it asks less and less often.
	// Zero means 1 s; the least is 10 ms. Java tries again with the heartbeat of
	// its channel, 5 s, or never.
	Retry time.Duration
	// ConnectTimeout bounds the connection attempt of a probe of a member of which
	// only another one has told, and as much again its answer; zero means 1 s (in
	// Tribes 15 s, during which all else waits).
	ConnectTimeout time.Duration
	// Alone is how long after its start a member that finds no others waits
	// before it coordinates alone. Zero means 2 s, which is what Tribes' multicast
	// membership takes to start by default; negative means at once.
	Alone time.Duration
	// Quorum is how many members a view needs to have a coordinator, for
	// Leadership, Changes and Lead; zero means 1.
	Quorum int
	// ClearTokens allows the layer to stand below Encrypt, as it may in Tribes, for
	// groups with Java nodes that have it there. Its tokens then go in the clear: who has no
	// key can read them, and make some up.
	ClearTokens bool
	// MaxMembers is how many members a view and a token may have; zero means 1024.
	MaxMembers int

	leadership

	base
	set   coordinatorSettings
	above channel.Up
	fence atomic.Pointer[chan struct{}] // closed when the view is installed; nil if none is being

	ringMu   sync.Mutex
	ring     *ring // guarded by ringMu; changed in line with the events only, but for demoted
	busy     atomic.Bool
	checking atomic.Bool
	tokens   atomic.Int64 // in line for the ring
	requests atomic.Int64 // on their way to other members
	counts   coordinatorCounts
}

var _ channel.Interceptor = (*NonBlockingCoordinator)(nil)

// BindDown implements channel.Interceptor. The error joins everything that is
// wrong with the settings.
func (c *NonBlockingCoordinator) BindDown(h channel.Host, below channel.Down) (channel.Down, error) {
	set, err := c.settings()
	if err := c.bind("NonBlockingCoordinator", h, below, err); err != nil {
		return below, err
	}
	c.set = set
	c.ringMu.Lock()
	c.ring = newRing(&c.set)
	c.ringMu.Unlock()
	h.OnStart(c.start)
	h.OnDrain(func(context.Context) { c.finish() })
	h.Go("end", func(ctx context.Context) { // ends with the channel, in whatever way that stops
		<-ctx.Done()
		c.finish()
	})
	h.Every(max(set.retry/10, leastRetry), c.tick)
	return below, nil
}

// BindUp implements channel.Interceptor.
func (c *NonBlockingCoordinator) BindUp(above channel.Up) channel.Up {
	c.above = above
	up := above
	up.Receive = c.receive
	up.Event = c.event
	return up
}

func (c *NonBlockingCoordinator) start(context.Context) error {
	c.host.Serial(func() {
		c.apply(func(r *ring, now time.Time) { r.start(c.host.Local(), now) })
	})
	return nil
}

func (c *NonBlockingCoordinator) tick(context.Context) {
	if !c.busy.Load() || !c.checking.CompareAndSwap(false, true) {
		return
	}
	c.host.Serial(func() {
		c.checking.Store(false)
		c.apply((*ring).tick)
	})
}

// event passes an event on, which changes what the view should be.
func (c *NonBlockingCoordinator) event(ev membership.Event) {
	c.above.Event(ev)
	c.apply(func(r *ring, now time.Time) { r.event(ev, now) })
}

// receive passes messages on when no view is being installed, and keeps tokens.
func (c *NonBlockingCoordinator) receive(ctx context.Context, m *message.Message) error {
	if !m.Options.Has(message.ByteMessage) && m.Len() >= len(tokenHeader) {
		switch string(m.Payload()[:len(tokenHeader)]) {
		case tokenHeader:
			return c.takeToken(m)
		case aliveBytes[:len(tokenHeader)]:
			if string(m.Payload()) == aliveBytes {
				c.counts.swallowed.Add(1)
				return nil
			}
		}
	}
	if fence := c.fence.Load(); fence != nil {
		select {
		case <-*fence:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return c.above.Receive(ctx, m)
}

// apply changes the ring and does what follows from the change. It is called in
// line with the events, so what it passes up is serial.
func (c *NonBlockingCoordinator) apply(change func(r *ring, now time.Time)) {
	now := time.Now()
	c.ringMu.Lock()
	change(c.ring, now)
	todo := c.ring.finish()
	lead := c.ring.leadership()
	c.ringMu.Unlock()
	c.busy.Store(todo.busy)
	for _, v := range todo.views {
		c.install(v)
	}
	c.announce(lead)
	for _, n := range todo.notes {
		c.tell(n)
	}
	for _, m := range todo.probes {
		c.host.Go("probe", func(ctx context.Context) { c.probe(ctx, m) })
	}
	for _, d := range todo.sends {
		c.dispatch(d)
	}
}

// install gives a view to the layers above, while messages wait.
func (c *NonBlockingCoordinator) install(v *membership.Agreed) {
	done := make(chan struct{})
	c.fence.Store(&done)
	c.above.View(v)
	c.fence.Store(nil)
	close(done)
	c.counts.views.Add(1)
	c.host.Logger().Info("view agreed", "view", v.ID, "term", v.Term(), "members", v.Len(), "coordinator", v.Coordinator())
}

// announce tells who coordinates.
func (c *NonBlockingCoordinator) announce(now Leadership) {
	if c.publish(now) {
		c.counts.changes.Add(1)
		c.host.Logger().Info("coordinator changed", "coordinator", now.Coordinator, "local", now.Local, "term", now.Term)
	}
}
