package interceptor

import (
	"context"
	"encoding/binary"
	"sync/atomic"
	"time"

	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// orderTarget is the count towards one destination.
//
// Whoever sends to it needs its turn, and keeps the turn while the layer below
// accepts the message. That is what makes numbers follow each other in the
// queue below, and what lets a number be used again if the message was not
// accepted. It delays nobody who would not wait anyway: if the layer below has
// no room for this destination, who comes later has to wait for room too, and
// senders to other destinations need other turns. Turns are given in the order
// of asking, since a channel serves its blocked senders in that order, and who
// waits for one stops when its context ends.
type orderTarget struct {
	turn  chan struct{} // holds one value while somebody has the turn
	last  uint32        // the last number given; of who has the turn
	dead  bool          // it is not in the map any more; of who has the turn
	reset atomic.Bool   // the count begins anew with the next message
	slow  atomic.Bool   // the layer below did not accept the last message at once
}

const (
	maxTargets = 4096 // destinations remembered that are no members
	slowAccept = 10 * time.Millisecond
	evictLook  = 32 // entries looked at to find one to forget
)

// take waits for the turn; it returns false if wait is false and somebody has
// it.
func (t *orderTarget) take(ctx context.Context, wait bool) (bool, error) {
	select {
	case t.turn <- struct{}{}:
		return true, nil
	default:
	}
	if !wait {
		return false, nil
	}
	select {
	case t.turn <- struct{}{}:
		return true, nil
	case <-ctx.Done():
		return false, context.Cause(ctx)
	}
}

func (t *orderTarget) leave() { <-t.turn }

// target returns the turn for a destination, or nil if wait is false and there
// would be a wait, for the turn or probably for room.
func (o *Order) target(ctx context.Context, k membership.Key, wait bool) (*orderTarget, error) {
	for {
		o.mu.RLock()
		t := o.targets[k]
		o.mu.RUnlock()
		if t == nil {
			t = o.newTarget(k)
		}
		if !wait && t.slow.Load() {
			return nil, nil
		}
		ok, err := t.take(ctx, wait)
		if !ok {
			return nil, err
		}
		if !t.dead {
			return t, nil
		}
		t.leave()
	}
}

func (o *Order) newTarget(k membership.Key) *orderTarget {
	o.mu.Lock()
	defer o.mu.Unlock()
	t := o.targets[k]
	if t == nil {
		if len(o.targets) >= maxTargets {
			o.evictTarget()
		}
		t = &orderTarget{turn: make(chan struct{}, 1)}
		o.targets[k] = t
	}
	return t
}

// evictTarget forgets a destination that is no member. It is called with mu
// held.
func (o *Order) evictTarget() {
	looked := 0
	for k, t := range o.targets {
		if _, member := o.members[k]; !member {
			if ok, _ := t.take(context.Background(), false); ok {
				t.dead = true
				delete(o.targets, k)
				t.leave()
				return
			}
		}
		if looked++; looked == evictLook {
			return
		}
	}
}

// send is the layer's SendFunc.
func (o *Order) send(ctx context.Context, to []*membership.Member, m *message.Message, r *message.Receipt) error {
	switch {
	case !o.handles(m.Options) || len(to) == 0:
		return o.next(ctx, to, m, r)
	case m.Options.Has(message.Multicast):
		return errOrderMulticast
	case len(to) > 1:
		return o.sendMany(ctx, to, m, r)
	}
	t, err := o.target(ctx, to[0].Key(), true)
	if err != nil {
		return err
	}
	defer t.leave()
	return o.number(ctx, t, to, m, r)
}

// number sends m with the next number of t to one destination, for which the
// caller has the turn.
func (o *Order) number(ctx context.Context, t *orderTarget, to []*membership.Member, m *message.Message, r *message.Receipt) error {
	if t.reset.Load() && t.reset.Swap(false) {
		t.last = 0
	}
	nr := t.last + 1
	binary.BigEndian.PutUint32(m.Extend(numberSize), nr)
	r.Hold() // whose receipt it is may use it again, once it is done
	defer r.Release()
	if err := o.next(ctx, to, m, r); err != nil {
		return err
	}
	if !notSent(to, r) {
		t.last = nr
		o.counts.sent.Add(1)
	}
	return nil
}

// notSent reports whether it is already known that a message, which the layer
// below has accepted for one destination, will not arrive there.
func notSent(to []*membership.Member, r *message.Receipt) bool {
	return !r.OK() && r.Results(to, nil)[0].Outcome == message.NotSent
}

// scatter is one message on its way to many destinations.
type scatter struct {
	o    *Order
	to   []*membership.Member
	m    *message.Message
	r    *message.Receipt
	left int       // destinations not handed down yet
	bad  []refusal // destinations that were refused
}

type refusal struct {
	to  *membership.Member
	err error
}

// sendMany sends m to each of to by itself: first to those that will not make
// it wait, then to the others.
func (o *Order) sendMany(ctx context.Context, to []*membership.Member, m *message.Message, r *message.Receipt) error {
	s := scatter{o: o, to: to, m: m, r: r, left: len(to)}
	var few [16]int
	later := few[:0]
	for i := range to {
		if !s.send(ctx, i, false) {
			later = append(later, i)
		}
	}
	for _, i := range later {
		s.send(ctx, i, true)
	}
	if len(s.bad) == len(to) {
		return s.bad[0].err
	}
	for _, b := range s.bad {
		r.Settle(b.to, message.NotSent, b.err)
	}
	return nil
}

// send hands the message down for one destination; it returns false if it
// would have to wait and may not.
func (s *scatter) send(ctx context.Context, i int, wait bool) bool {
	to := s.to[i : i+1 : i+1]
	t, err := s.o.target(ctx, to[0].Key(), wait)
	if err == nil && t == nil {
		return false
	}
	s.left--
	if err == nil {
		err = s.hand(ctx, t, to)
	}
	if err != nil {
		s.bad = append(s.bad, refusal{to[0], err})
	}
	return true
}

// hand sends a copy, or the message itself when it is not needed any more.
func (s *scatter) hand(ctx context.Context, t *orderTarget, to []*membership.Member) error {
	defer t.leave()
	m := s.m
	if s.left > 0 {
		m = s.m.Copy()
		defer m.Release()
	}
	begin := time.Now()
	err := s.o.number(ctx, t, to, m, s.r)
	t.slow.Store(time.Since(begin) > slowAccept)
	return err
}
