package session

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"hash/fnv"
	"slices"
	"sync/atomic"
	"time"

	"github.com/gotribes/tribes/group"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/session/internal/storewire"
)

// knownNode is a member of the group, and what a client knows of it.
type knownNode struct {
	m       *membership.Member
	maxData atomic.Uint64 // of one that has served

	// The rest is guarded by Client.mu.
	serves bool
	asking bool      // is being asked whether it serves
	next   time.Time // when it is to be asked, if it does not serve
}

// How long it is until a member is asked again whether it serves: one that is a store node
// but does not now, and one that is none.
const (
	askSoon  = 100 * time.Millisecond
	askLater = 2 * time.Second
)

// Start looks for store nodes, and returns when one serves. If ctx ends before, it fails
// with ErrNoStoreNode, and the client goes on to look.
func (c *Client) Start(ctx context.Context) error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return ErrClosed
	}
	if !c.begun {
		c.begun = true
		c.unwatch = c.cfg.Group.Watch(clientWatcher{c})
		c.wg.Go(c.look)
	}
	c.mu.Unlock()
	for {
		changed, nodes := c.ranked("")
		if len(nodes) > 0 {
			return nil
		}
		select {
		case <-changed:
		case <-c.ctx.Done():
			return ErrClosed
		case <-ctx.Done():
			return errors.Join(ErrNoStoreNode, context.Cause(ctx))
		}
	}
}

// Ready reports whether there is a store node that serves, as far as is known.
func (c *Client) Ready() bool {
	_, nodes := c.ranked("")
	return len(nodes) > 0
}

// Close ends calls with ErrClosed and waits for what the client has begun. The store nodes
// keep the sessions. It always returns nil; a second call does nothing.
func (c *Client) Close() error {
	c.mu.Lock()
	c.closed = true
	unwatch := c.unwatch
	c.unwatch = nil
	c.mu.Unlock()
	if unwatch != nil {
		unwatch()
	}
	c.cancel()
	c.wg.Wait()
	return nil
}

// ClientStats are numbers of a client, since it was made except for the first.
type ClientStats struct {
	Nodes    int    // store nodes that serve
	Calls    uint64 // of the store
	Repeated uint64 // times that a call went to another node, or to the same one again
	Failed   uint64 // calls that no node has answered in time
}

// Stats returns the numbers now. They are read one after the other.
func (c *Client) Stats() ClientStats {
	_, nodes := c.ranked("")
	return ClientStats{Nodes: len(nodes), Calls: c.n.calls.Load(), Repeated: c.n.repeated.Load(), Failed: c.n.failed.Load()}
}

// clientWatcher is told of members that come and go.
type clientWatcher struct{ c *Client }

// MemberEvent implements channel.MembershipListener.
func (w clientWatcher) MemberEvent(context.Context, membership.Event) { w.c.stir() }

// stir has the members looked at.
func (c *Client) stir() {
	select {
	case c.poke <- struct{}{}:
	default:
	}
}

// look asks members whether they serve, until the client is closed.
func (c *Client) look() {
	for {
		wait := time.NewTimer(c.askDue())
		select {
		case <-c.poke:
		case <-wait.C:
		case <-c.ctx.Done():
			wait.Stop()
			return
		}
		wait.Stop()
	}
}

// askDue asks the members whose time it is, and returns how long it is until there are
// more. Those that are not in the view any more are forgotten.
func (c *Client) askDue() time.Duration {
	members := c.cfg.Group.View().Members
	c.mu.Lock()
	defer c.mu.Unlock()
	seen := make(map[membership.ID]bool, len(members))
	for _, m := range members {
		seen[m.ID()] = true
		if c.nodes[m.ID()] == nil {
			c.nodes[m.ID()] = &knownNode{m: m}
		}
	}
	now, wait := time.Now(), askLater
	for id, n := range c.nodes {
		switch {
		case !seen[id]:
			delete(c.nodes, id)
			if n.serves {
				c.cfg.Logger.Info("store node is gone", "member", n.m)
			}
		case n.serves || n.asking:
		case now.Before(n.next):
			wait = min(wait, n.next.Sub(now))
		default:
			n.asking = true
			c.wg.Go(func() { c.greet(n) })
		}
	}
	return wait
}

// greet asks a member whether it serves.
func (c *Client) greet(n *knownNode) {
	a, outcome, err := c.send(c.ctx, n.m, &storewire.Request{Op: storewire.Hello})
	c.mu.Lock()
	defer c.mu.Unlock()
	n.asking = false
	switch {
	case err == nil && a.Status == storewire.OK:
		n.serves = true
		n.maxData.Store(a.MaxData)
		close(c.changed)
		c.changed = make(chan struct{})
		c.cfg.Logger.Info("store node serves", "member", n.m)
	case outcome == group.CallNoHandler:
		n.next = time.Now().Add(askLater)
	default:
		n.next = time.Now().Add(askSoon)
	}
	c.stir()
}

// doubt notes that a node has not answered as it should. It is asked whether it serves
// before it is used again.
func (c *Client) doubt(n *knownNode, outcome group.CallOutcome, why error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !n.serves {
		return
	}
	n.serves, n.next = false, time.Now()
	if errors.Is(why, errElsewhere) {
		n.next = n.next.Add(askSoon)
	}
	c.cfg.Logger.Warn("store node does not answer", "member", n.m, "outcome", outcome, "err", why)
	c.stir()
}

// ranked returns the nodes that serve, in the order in which they are asked for a session,
// and a channel that is closed when another one serves.
func (c *Client) ranked(id string) (<-chan struct{}, []*knownNode) {
	type weighed struct {
		n      *knownNode
		weight uint64
	}
	var all []weighed
	c.mu.Lock()
	changed := c.changed
	for _, n := range c.nodes {
		if n.serves {
			all = append(all, weighed{n, weigh(id, n.m.ID())})
		}
	}
	c.mu.Unlock()
	slices.SortFunc(all, func(a, b weighed) int {
		x, y := a.n.m.ID(), b.n.m.ID()
		return cmp.Or(cmp.Compare(b.weight, a.weight), bytes.Compare(x[:], y[:]))
	})
	nodes := make([]*knownNode, len(all))
	for i := range all {
		nodes[i] = all[i].n
	}
	return changed, nodes
}

// weigh says how much a session belongs to a member: of those that there are, it goes to
// the one with the greatest weight, so that sessions move only from who leaves and to who
// comes.
func weigh(id string, node membership.ID) uint64 {
	h := fnv.New64a()
	h.Write([]byte(id)) // never fails
	h.Write(node[:])
	x := h.Sum64() // its low bits hardly depend on the first bytes
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}
