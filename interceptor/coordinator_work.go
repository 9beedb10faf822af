package interceptor

import (
	"context"
	"errors"
	"time"

	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// The reasons for which a coordinator drops messages, as the trace tells them.
const (
	reasonBadToken  = "damaged token"
	reasonForged    = "token of another member"
	reasonNotListed = "view without the local member"
	reasonTokens    = "too many tokens"
)

// errTokens is what the sender of a view is told that is dropped though it may be good.
var errTokens = errors.New("tribes: coordinator: too many tokens wait")

var errForged = errors.New("tribes: coordinator: a view is confirmed by the first of its members and nobody else")

// takeToken reads a token and puts it in line with the events. The error is what the sender
// of a view is told for which there is no room: it must not take it for acknowledged. Who
// sends what is no good is told nothing.
func (c *NonBlockingCoordinator) takeToken(m *message.Message) error {
	t, err := decodeToken(m.Payload(), c.set.most)
	from := m.Source
	local := c.host.Local()
	switch {
	case err != nil:
		c.drop(m, reasonBadToken, err)
		return nil
	case t.confirm && (from.Key() != t.members[0].Key() || from.Key() != t.leader.Key() || from.Key() == local.Key()):
		c.drop(m, reasonForged, errForged)
		return nil
	case t.confirm && !t.lists(local.Key()):
		c.drop(m, reasonNotListed, nil)
		return nil
	case !c.room():
		c.drop(m, reasonTokens, nil)
		if t.confirm {
			return errTokens
		}
		return nil
	}
	c.counts.tokens.Add(1)
	if t.confirm {
		c.stepDown()
	}
	c.host.Serial(func() {
		c.tokens.Add(-1)
		c.apply(func(r *ring, now time.Time) { r.arrive(t, from, now) })
	})
	return nil
}

func (c *NonBlockingCoordinator) drop(m *message.Message, reason string, err error) {
	c.counts.refused.Add(1)
	c.drops.message(m, reason, err)
}

// room reports whether one more token may be on its way, and counts it.
func (c *NonBlockingCoordinator) room() bool {
	if c.tokens.Add(1) > mostTokens {
		c.tokens.Add(-1)
		return false
	}
	return true
}

// stepDown ends the local member's office before the view of another one of ours
// is acknowledged, whatever waits in line before that is installed.
func (c *NonBlockingCoordinator) stepDown() {
	c.ringMu.Lock()
	c.ring.demoted++
	now := c.ring.leadership()
	c.ringMu.Unlock()
	c.announce(now)
}

// dispatch sends a token on a goroutine of its own. Requests are bounded; those
// that are too many are lost, as on a network.
func (c *NonBlockingCoordinator) dispatch(d tokenDelivery) {
	if !d.token.confirm && c.requests.Add(1) > mostTokens {
		c.requests.Add(-1)
		c.counts.unsent.Add(1)
		return
	}
	c.host.Go("token", func(ctx context.Context) {
		if !d.token.confirm {
			defer c.requests.Add(-1)
		}
		ctx, cancel := context.WithTimeout(ctx, c.set.timeout)
		defer cancel()
		to := c.deliver(ctx, d)
		c.host.Serial(func() {
			c.apply(func(r *ring, now time.Time) { r.delivered(d, to, now) })
		})
	})
}

// deliver sends a token to the first member of its route that takes it, and
// returns that one, nil if none does.
func (c *NonBlockingCoordinator) deliver(ctx context.Context, d tokenDelivery) *membership.Member {
	for _, to := range d.route {
		if ctx.Err() != nil {
			return nil
		}
		if c.send(ctx, d.token, to) {
			c.counts.sent.Add(1)
			return to
		}
		c.counts.unsent.Add(1)
	}
	return nil
}

// send reports whether the member has acknowledged the token.
func (c *NonBlockingCoordinator) send(ctx context.Context, t coordToken, to *membership.Member) bool {
	size := t.size()
	if size > maxToken {
		c.drops.warn("the members do not fit into a token", to, "bytes", size, nil)
		return false
	}
	m := c.host.NewMessage(size)
	t.append(m.Payload()[:0])
	m.Options = message.UseAck
	if t.confirm {
		m.Options = message.Sync // the ack says that it was taken, not that it waits behind other messages
	}
	return c.acknowledged(ctx, m, to)
}

// acknowledged sends a message, which it releases, and reports whether that was
// acknowledged.
func (c *NonBlockingCoordinator) acknowledged(ctx context.Context, m *message.Message, to *membership.Member) bool {
	defer m.Release()
	r := message.NewReceipt(1, nil)
	if err := c.next(ctx, []*membership.Member{to}, m, r); err != nil {
		return false
	}
	select {
	case <-r.Done():
		return r.OK()
	case <-ctx.Done():
		r.Abandon()
		return false
	}
}

// probe asks a member whether it is there, by the message that Tribes' coordinator
// ignores. It goes the way of the tokens, through a layer that encrypts, too.
func (c *NonBlockingCoordinator) probe(ctx context.Context, to *membership.Member) {
	ctx, cancel := context.WithTimeout(ctx, 2*c.set.connect)
	defer cancel()
	m := c.host.NewMessage(len(aliveBytes))
	copy(m.Payload(), aliveBytes)
	m.Options = message.UseAck
	there := c.acknowledged(ctx, m, to)
	c.counts.probes.Add(1)
	c.host.Serial(func() {
		c.apply(func(r *ring, now time.Time) { r.probed(to.Key(), there, now) })
	})
}
