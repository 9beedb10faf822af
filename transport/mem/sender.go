package mem

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// Sender is the [channel.Sender] of a node.
type Sender struct {
	n    *Network
	node *Node
	wake chan struct{}  // tells the loop to look again
	idle chan struct{}  // closed when a stop has nothing to wait for
	done chan struct{}  // closed when the loop has ended
	owed sync.WaitGroup // calls of receipts and of env that are still to be made

	env channel.Env // set by Start

	// guarded by n.mu
	state       state
	conns       map[membership.Key]*conn
	all         []*conn // those of probes too
	lanes       []*lane // where this sender's messages are delivered
	agenda      agenda[event]
	alarm       time.Time // when the loop looks next; zero: when woken
	first, last *flight   // live, in the order in which they were accepted
	unused      []*flight
	calm        bool // idle is closed
}

var _ channel.Sender = (*Sender)(nil)

func newSender(nd *Node) *Sender {
	return &Sender{
		n:     nd.n,
		node:  nd,
		wake:  make(chan struct{}, 1),
		idle:  make(chan struct{}),
		done:  make(chan struct{}),
		conns: make(map[membership.Key]*conn),
	}
}

// Start implements channel.Sender.
func (s *Sender) Start(ctx context.Context, env channel.Env) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	s.n.mu.Lock()
	defer s.n.mu.Unlock()
	if err := s.node.startable(s.state); err != nil {
		return fmt.Errorf("tribes: mem: start sender: %w", err)
	}
	s.env = env
	s.state = running
	go s.loop() // ends after Stop, which waits for it
	return nil
}

// usable returns why s does not take messages. It is called with n.mu held.
func (s *Sender) usable() error {
	switch {
	case s.node.dead:
		return ErrCrashed
	case s.state == fresh:
		return channel.ErrNotStarted
	case s.state != running:
		return channel.ErrClosed
	}
	return nil
}

// Send implements channel.Sender.
func (s *Sender) Send(ctx context.Context, to []*membership.Member, m *message.Message, r *message.Receipt) error {
	size, limit := message.FrameSize(m), s.n.cfg.MaxFrame
	if m.Options.Has(message.UDP) {
		limit = maxDatagram
	}
	if size > limit {
		return fmt.Errorf("tribes: mem: a frame of %d bytes where %d are allowed: %w", size, limit, message.ErrTooLarge)
	}
	if err := s.node.awake(ctx); err != nil {
		return err
	}
	var few [4]turn
	queued := few[:0]
	for i, dst := range to {
		t, err := s.offer(dst, m, r, size)
		if err != nil && i == 0 {
			return err
		}
		if err != nil {
			r.Settle(dst, message.NotSent, err)
		}
		if t.entered != nil {
			queued = append(queued, t)
		}
	}
	for _, t := range queued {
		s.await(ctx, t)
	}
	return nil
}

// turn is a flight that waits for room.
type turn struct {
	ref
	entered chan struct{} // gets a token when it does not wait any more
}

// offer begins to send m to one destination. With an error it did not.
func (s *Sender) offer(dst *membership.Member, m *message.Message, r *message.Receipt, size int) (turn, error) {
	now := time.Now()
	fx := s.n.effects()
	defer s.n.run(fx)
	s.n.mu.Lock()
	defer s.n.mu.Unlock()
	if err := s.usable(); err != nil {
		return turn{}, err
	}
	f := s.newFlight()
	f.load(m, size)
	f.to, f.receipt = dst, r
	f.deadline = now.Add(s.n.cfg.Timeout)
	s.list(f)
	if m.Options.Has(message.UDP) {
		s.sendDatagram(fx, f, now)
		return turn{}, nil
	}
	c := s.conns[dst.Key()]
	if c == nil {
		c = s.connect(fx, dst, false, now)
	}
	if c.dead { // at once: nobody is there
		f.c = c
		s.giveUp(fx, f, c.err, true)
		return turn{}, nil
	}
	c.accept(fx, f, now)
	return turn{f.ref(), f.waiting}, nil
}

// await waits until a flight has left the backlog, or takes it out when ctx
// ends.
func (s *Sender) await(ctx context.Context, t turn) {
	select {
	case <-t.entered:
	case <-ctx.Done():
		fx := s.n.effects()
		s.n.mu.Lock()
		if t.f.gen == t.gen && t.f.waiting != nil {
			s.giveUp(fx, t.f, context.Cause(ctx), false)
		}
		s.n.mu.Unlock()
		s.n.run(fx)
		<-t.entered
	}
	s.n.tokens.Put(t.entered)
}

// remove forgets a connection that is dead.
func (s *Sender) remove(c *conn) {
	if s.conns[c.to.Key()] == c {
		delete(s.conns, c.to.Key())
	}
	s.all = slices.DeleteFunc(s.all, func(x *conn) bool { return x == c })
}

// Forget implements channel.Sender. What waits for m has the outcome NotSent or
// Unknown.
func (s *Sender) Forget(m *membership.Member) {
	fx := s.n.effects()
	s.n.mu.Lock()
	if c := s.conns[m.Key()]; c != nil {
		c.end(fx, errForgotten, false)
	}
	s.n.mu.Unlock()
	s.n.run(fx)
}

// Stop implements channel.Sender.
func (s *Sender) Stop(ctx context.Context) error {
	s.n.mu.Lock()
	before := s.state
	switch before {
	case fresh:
		s.state = ended
		close(s.done)
	case running:
		s.state = stopping
		s.checkIdle()
	}
	s.n.mu.Unlock()
	if before != running {
		return wait(ctx, s.done)
	}
	err := wait(ctx, s.idle)
	fx := s.n.effects()
	s.n.mu.Lock()
	s.drop(fx, channel.ErrClosed)
	s.state = ended
	s.signal()
	s.n.mu.Unlock()
	s.n.run(fx)
	<-s.done
	s.owed.Wait()
	return err
}

// drop gives up all that is on its way. It is called with n.mu held.
func (s *Sender) drop(fx *effects, err error) {
	for len(s.all) > 0 {
		s.all[0].end(fx, err, false)
	}
	for s.first != nil {
		s.giveUp(fx, s.first, err, false)
	}
	for _, it := range s.agenda.heap {
		if it.v.f != nil {
			it.v.f.unload() // a copy
		}
	}
	s.agenda = agenda[event]{}
	for _, x := range s.lanes {
		x.finish()
	}
}

// checkIdle tells a stop that nothing is on its way. It is called with n.mu
// held.
func (s *Sender) checkIdle() {
	if s.state == stopping && s.first == nil && !s.calm {
		s.calm = true
		close(s.idle)
	}
}
