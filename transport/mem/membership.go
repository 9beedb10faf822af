package mem

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// Membership is the membership.Service of a node. It announces its member at
// once and then with heartbeats, answers those who are new, and says goodbye;
// others fail when they were silent for Config.DropTime. It is the
// [channel.Broadcaster] of the node too.
type Membership struct {
	n    *Network
	node *Node
	wake chan struct{} // tells the loop to look again
	done chan struct{} // closed when all has ended

	env   membership.Env // set by Start
	table membership.Table
	left  map[membership.Key]goodbye // belongs to the loop, as what follows
	full  bool                       // it was said that the table is
	fails time.Time                  // before that nobody has been silent for too long
	begun time.Time
	multi multicast

	// guarded by n.mu
	state  state
	local  *membership.Member
	agenda agenda[datagram]
	beat   time.Time // when the next heartbeat is due
	alarm  time.Time // when the loop looks next
}

var (
	_ membership.Service  = (*Membership)(nil)
	_ channel.Broadcaster = (*Membership)(nil)
)

// datagram is what members of the group send to each other.
type datagram struct {
	from  *Membership
	image []byte          // of the member that sends it, or
	frame *message.Buffer // a message
	edge  *edge
}

// goodbye is what is remembered of a member that has left, so that a heartbeat
// which the goodbye has overtaken does not bring it back.
type goodbye struct {
	alive time.Duration // of the member when it said so
	heard time.Time
}

// keepGoodbye is how long it is remembered: longer than anything is on its way.
const keepGoodbye = time.Minute

func newMembership(nd *Node) *Membership {
	return &Membership{n: nd.n, node: nd, wake: make(chan struct{}, 1), done: make(chan struct{}),
		left: make(map[membership.Key]goodbye)}
}

// Start implements membership.Service.
func (s *Membership) Start(ctx context.Context, env membership.Env) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	s.n.mu.Lock()
	defer s.n.mu.Unlock()
	if err := s.node.startable(s.state); err != nil {
		return fmt.Errorf("tribes: mem: start membership: %w", err)
	}
	s.env, s.local, s.begun = env, env.Local, time.Now()
	s.beat, s.alarm = s.begun, s.begun
	s.state = running
	s.n.members = append(s.n.members, s)
	s.multi.start(s)
	go s.loop() // ends after Stop or a crash; both wait for it
	return nil
}

// View implements membership.Service.
func (s *Membership) View() *membership.View { return s.table.View() }

// Update implements membership.Service.
func (s *Membership) Update(local *membership.Member) {
	s.n.mu.Lock()
	defer s.n.mu.Unlock()
	s.local = local
	if s.state == running && s.node.host.resumed == nil {
		s.announce(time.Now(), "")
	}
}

// Stop implements membership.Service.
func (s *Membership) Stop(ctx context.Context) error {
	s.n.mu.Lock()
	before := s.state
	switch before {
	case fresh:
		s.state = ended
		close(s.done)
	case running:
		if !s.node.dead {
			s.announce(time.Now(), membership.LeaveCommand)
		}
		s.leave()
		s.state = stopping
		poke(s.wake)
	}
	s.n.mu.Unlock()
	if before != running {
		return wait(ctx, s.done)
	}
	err := s.multi.stop(ctx)
	<-s.done
	s.n.mu.Lock()
	s.state = ended
	s.n.mu.Unlock()
	return err
}

// leave takes s off the network; what is on its way to it is lost. It is called
// with n.mu held.
func (s *Membership) leave() {
	s.n.members = slices.DeleteFunc(s.n.members, func(x *Membership) bool { return x == s })
	for _, it := range s.agenda.heap {
		if it.v.frame != nil {
			it.v.frame.Release()
		}
	}
	s.agenda = agenda[datagram]{}
}

// announce sends a heartbeat to all others, with another command than the
// member's own if that is not empty. It is called with n.mu held.
func (s *Membership) announce(now time.Time, command string) {
	if !s.env.Announce {
		return
	}
	m := s.local
	if command != "" {
		// With cannot fail: it changes nothing but the command, to a short one.
		m, _ = m.With(func(a *membership.Attributes) { a.Command = command })
	}
	image := m.AppendImage(nil, now.Sub(s.begun).Milliseconds())
	for _, to := range s.n.members {
		if to != s && to.env.Listen {
			s.send(to, datagram{from: s, image: image}, len(image), now)
		}
	}
}

// send puts a datagram on the way to another member. It is called with n.mu
// held.
func (s *Membership) send(to *Membership, d datagram, size int, now time.Time) {
	d.edge = s.n.edge(s.node.host, to.node.host)
	if d.edge.clear() {
		to.put(now, d)
		return
	}
	fate := d.edge.draw(d.edge.grams, now, size)
	if fate.lost {
		s.n.stats.Lost++
		d.release()
		return
	}
	if fate.copy {
		s.n.stats.Duplicated++
		to.put(fate.again, d.copy(s))
	}
	if fate.late {
		s.n.stats.Reordered++
	}
	to.put(fate.at, d)
}

func (s *Membership) put(at time.Time, d datagram) {
	s.agenda.put(at, d)
	if at.Before(s.alarm) || !at.After(time.Now()) {
		poke(s.wake)
	}
}

func (d datagram) release() {
	if d.frame != nil {
		d.frame.Release()
	}
}

// copy returns a duplicate of d, which s sends.
func (d datagram) copy(s *Membership) datagram {
	if d.frame != nil {
		b := s.multi.env.Pool.Get(len(d.frame.Bytes()))
		copy(b.Bytes(), d.frame.Bytes())
		d.frame = b
	}
	return d
}

// loop sends heartbeats, takes those of others and drops who is silent.
func (s *Membership) loop() {
	defer close(s.done)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-s.wake:
		}
		s.node.await()
		next, on := s.work()
		if !on {
			return
		}
		timer.Reset(time.Until(next))
	}
}

// work does what is due and returns when there is more; on is false at the end.
func (s *Membership) work() (next time.Time, on bool) {
	for {
		now := time.Now()
		d, ok, on := s.take(now)
		if !on {
			return time.Time{}, false
		}
		if !ok {
			return s.rest(now)
		}
		if d.frame != nil {
			s.multi.take(d)
			continue
		}
		s.hear(d, now)
	}
}

// take sends a heartbeat if one is due and returns the next datagram.
func (s *Membership) take(now time.Time) (d datagram, ok, on bool) {
	s.n.mu.Lock()
	defer s.n.mu.Unlock()
	if s.state != running || s.node.dead {
		return datagram{}, false, false
	}
	if !now.Before(s.beat) {
		s.announce(now, "")
		s.beat = now.Add(s.n.cfg.Heartbeat)
	}
	for {
		d, ok = s.agenda.take(now)
		if !ok || !d.edge.cut {
			return d, ok, true
		}
		s.n.stats.Lost++ // the way was cut while it was in the air
		d.release()
	}
}

// hear takes a heartbeat or a goodbye.
func (s *Membership) hear(d datagram, now time.Time) {
	m, _, err := membership.Decode(d.image)
	if err != nil {
		s.env.Logger.Error("heartbeat", "err", err) // it was made by Member.AppendImage
		return
	}
	s.n.mu.Lock()
	s.n.stats.Heartbeats++
	s.n.mu.Unlock()
	if g, ok := s.left[m.Key()]; ok && m.Alive() <= g.alive {
		return
	}
	if m.Leaving() {
		s.left[m.Key()] = goodbye{m.Alive(), now}
		if ev, ok := s.table.Remove(membership.Left, m, now); ok {
			s.env.Notify(ev)
		}
		return
	}
	ev, changed, err := s.table.Heard(m, now)
	switch {
	case err != nil && !s.full:
		s.full = true
		s.env.Logger.Warn("member not taken", "member", m, "err", err)
	case changed:
		if ev.Kind == membership.Joined {
			s.greet(d.from, now)
		}
		s.env.Notify(ev)
	}
}

// greet makes the local member known to one who is new.
func (s *Membership) greet(to *Membership, now time.Time) {
	s.n.mu.Lock()
	defer s.n.mu.Unlock()
	if !s.env.Announce || !to.env.Listen || to.state != running || s.state != running || s.node.dead {
		return
	}
	image := s.local.AppendImage(nil, now.Sub(s.begun).Milliseconds())
	s.send(to, datagram{from: s, image: image}, len(image), now)
}

// rest drops who was silent for too long and returns when there is more to do.
func (s *Membership) rest(now time.Time) (next time.Time, on bool) {
	if !now.Before(s.fails) {
		s.expire(now)
	}
	s.n.mu.Lock()
	defer s.n.mu.Unlock()
	s.alarm = s.beat
	if at, ok := s.agenda.next(); ok && at.Before(s.alarm) {
		s.alarm = at
	}
	if s.fails.Before(s.alarm) {
		s.alarm = s.fails
	}
	return s.alarm, true
}

// expire drops who was silent for too long. Heartbeats that come later only make the next
// time later.
func (s *Membership) expire(now time.Time) {
	for _, ev := range s.table.Expire(now, s.n.cfg.DropTime) {
		s.env.Notify(ev)
	}
	maps.DeleteFunc(s.left, func(_ membership.Key, g goodbye) bool { return now.Sub(g.heard) > keepGoodbye })
	heard, ok := s.table.Oldest()
	if !ok {
		heard = now
	}
	s.fails = heard.Add(s.n.cfg.DropTime + 1) // silent for longer than DropTime, so not at that very instant
}
