package interceptor

import (
	"context"
	"errors"
	"time"

	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// parkKey is what a message and its confirmation have in common. How a frame came is
// part of it: what came over TLS is not confirmed in the clear. The other options are
// not, since layers below may mark one of the two.
type parkKey struct {
	from   membership.Key
	id     message.ID
	secure bool
}

// parked is a message that waits for its confirmation, or a confirmation that
// waits for its message.
type parked struct {
	key    parkKey
	member *membership.Member
	m      *message.Message // owned; nil if the confirmation came first
	size   int64
	due    time.Time
}

var (
	errCommitRoom = errors.New("tribes: two-phase commit: no room for a message that waits for its confirmation")
	errCommitLate = errors.New("tribes: two-phase commit: the channel has stopped")
	errCommitGone = errors.New("tribes: two-phase commit: the message that is confirmed is not here")
)

// The reasons for which a TwoPhaseCommit drops messages, as the trace tells them.
const (
	reasonNoRoom      = "no room"
	reasonUnconfirmed = "not confirmed"
	reasonUnknown     = "confirmed and not received"
)

// confirmedID returns whose confirmation b is.
func confirmedID(b []byte) (id message.ID, ok bool) {
	if len(b) != confirmSize || string(b[:len(confirmHead)]) != confirmHead || string(b[confirmSize-len(confirmTail):]) != confirmTail {
		return id, false
	}
	copy(id[:], b[len(confirmHead):])
	return id, true
}

// receive is the layer's ReceiveFunc.
func (c *TwoPhaseCommit) receive(ctx context.Context, m *message.Message) error {
	if !m.Options.Has(c.set.flag) {
		return c.above.Receive(ctx, m)
	}
	k := parkKey{m.Source.Key(), m.ID, m.Options.Has(message.Secure)}
	if id, ok := confirmedID(m.Payload()); ok {
		k.id = id
		return c.release(ctx, m, k)
	}
	return c.park(ctx, m, k)
}

// park keeps a message, unless it was confirmed already.
func (c *TwoPhaseCommit) park(ctx context.Context, m *message.Message, k parkKey) error {
	mine := m.Copy()
	old, err := c.put(&parked{key: k, member: m.Source, m: mine, size: int64(mine.Len() + heldEntry)})
	if old == nil && err == nil {
		c.counts.received.Add(1)
		return nil
	}
	mine.Release()
	switch {
	case err != nil:
		return c.refuse(m, reasonNoRoom, err)
	case old.m != nil:
		c.counts.repeated.Add(1)
		c.host.Trace().Duplicate(m.Source, m.ID)
		return nil
	case !c.take(old):
		return c.park(ctx, m, k) // it has expired just now
	}
	c.counts.received.Add(1)
	c.counts.delivered.Add(1)
	return c.above.Receive(ctx, m)
}

// release passes up the message that m confirms. With Sync the sender knows that the
// message came first, and the answer to m is that of the application: one that is not
// here is gone, with the process that had it or by its time.
func (c *TwoPhaseCommit) release(ctx context.Context, m *message.Message, k parkKey) error {
	if m.Options.Has(message.Sync) && !c.waits(k) {
		return c.refuse(m, reasonUnknown, errCommitGone)
	}
	old, err := c.put(&parked{key: k, member: m.Source, size: heldEntry})
	switch {
	case err != nil:
		return c.refuse(m, reasonNoRoom, err)
	case old == nil:
		c.counts.early.Add(1)
		return nil
	case old.m == nil:
		c.counts.repeated.Add(1)
		return nil
	case !c.take(old):
		return c.release(ctx, m, k)
	}
	defer old.m.Release()
	c.counts.delivered.Add(1)
	return c.above.Receive(ctx, old.m)
}

// refuse drops a message or a confirmation.
func (c *TwoPhaseCommit) refuse(m *message.Message, reason string, err error) error {
	c.counts.refused.Add(1)
	c.drops.message(m, reason, err)
	return err
}

// waits reports whether something waits with that key.
func (c *TwoPhaseCommit) waits(k parkKey) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.parked[k] != nil
}

// put keeps p, or returns what is there with its key.
func (c *TwoPhaseCommit) put(p *parked) (old *parked, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch old := c.parked[p.key]; {
	case old != nil:
		return old, nil
	case c.closed:
		return nil, errCommitLate
	case !c.room.take(p.key.from, p.size, 1):
		return nil, errCommitRoom
	}
	p.due = time.Now().Add(c.set.expire)
	c.parked[p.key] = p
	return nil, nil
}

// take removes p; it returns false if somebody else has done so.
func (c *TwoPhaseCommit) take(p *parked) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.remove(p)
}

// remove is take with mu held.
func (c *TwoPhaseCommit) remove(p *parked) bool {
	if c.parked[p.key] != p {
		return false
	}
	delete(c.parked, p.key)
	c.room.give(p.key.from, p.size, 1)
	return true
}

// expire gives up what has waited for too long.
func (c *TwoPhaseCommit) expire(now time.Time) {
	c.giveUp(func(p *parked) bool { return !now.Before(p.due) })
}

// giveUp drops what is over.
func (c *TwoPhaseCommit) giveUp(over func(*parked) bool) {
	var gone []*parked
	c.mu.Lock()
	for _, p := range c.parked {
		if over(p) && c.remove(p) {
			gone = append(gone, p)
		}
	}
	c.mu.Unlock()
	for _, p := range gone {
		reason := reasonUnconfirmed
		if p.m == nil {
			reason = reasonUnknown
			c.counts.unknown.Add(1)
		} else {
			p.m.Release()
			c.counts.expired.Add(1)
		}
		c.host.Trace().MessageDropped(c.drops.layer, p.member, p.key.id, reason)
		c.drops.warn("a message was dropped: "+reason, p.member, "msg", p.key.id, nil)
	}
}

// depart makes what waits of a member wait for not much longer.
func (c *TwoPhaseCommit) depart(k membership.Key, now time.Time) {
	end := now.Add(c.set.grace)
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.parked {
		if p.key.from == k && end.Before(p.due) {
			p.due = end
		}
	}
}
