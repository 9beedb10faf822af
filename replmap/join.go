package replmap

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/gotribes/tribes/replmap/internal/entry"
	"github.com/gotribes/tribes/replmap/internal/mapwire"
)

// join gets all entries from a peer that has them. Without one, the member is ready when
// it has looked for others for a moment; of several that start together, the first by its
// id is, and the others get what it has.
func (n *native) join(ctx context.Context) {
	for _, m := range n.group.View().Members {
		n.meet(m)
	}
	discover := time.NewTimer(n.discover)
	defer discover.Stop()
	looked := false
	var at entry.Place
	for {
		changed := n.change()
		provider, wait := n.provider()
		switch {
		case provider != nil:
			n.announce(ctx, mapwire.Loading)
			err := n.load(ctx, provider, &at)
			if err == nil {
				n.joined(ctx)
				return
			}
			if ctx.Err() != nil {
				return
			}
			n.log.Warn("state transfer goes on elsewhere", "member", provider.member(), "err", err)
			provider.leaveOut("state transfer failed")
			n.announce(ctx, mapwire.Starting) // so that two that failed do not wait for each other
			continue
		case looked && !wait:
			n.joined(ctx)
			return
		}
		select {
		case <-changed:
		case <-discover.C:
			looked = true
		case <-ctx.Done():
			return
		}
	}
}

// provider returns a peer that can give all entries, or else whether one will.
func (n *native) provider() (p *peer, wait bool) {
	wait = n.awaited()
	for _, p := range *n.peers.Load() {
		stands, state := p.is()
		switch {
		case stands < silent && state == mapwire.Ready:
			return p, true
		case stands <= silent && state != mapwire.Starting, // if it has crashed, the group drops it
			stands < silent && bytes.Compare(p.node[:], n.node[:]) < 0:
			wait = true
		}
	}
	return nil, wait
}

// announce tells all peers how far this member is.
func (n *native) announce(ctx context.Context, s mapwire.State) {
	n.mu.Lock()
	n.state = s
	n.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, n.budget)
	defer cancel()
	for _, p := range n.broadcast(ctx, func(p *peer) mapwire.Message { return n.introduction(p.node) }) {
		n.meet(p.member())
	}
}

// joined makes the member ready: first for the others, so that none takes itself for the
// primary of a key that is this member's from now on.
func (n *native) joined(ctx context.Context) {
	n.announce(ctx, mapwire.Ready)
	n.believed(ctx)
	n.mu.Lock()
	n.moved()
	close(n.isReady)
	n.mu.Unlock()
	n.log.Info("entries are here", "entries", n.table.Len(), "members", len(*n.peers.Load()))
	for _, p := range *n.peers.Load() {
		n.mend(p) // what others wrote while the provider read may have passed by
	}
}

// believed waits until the others know that this member is ready, or have not answered for
// the budget: who does not know it does not wait for it.
func (n *native) believed(ctx context.Context) {
	limit := time.NewTimer(n.budget)
	defer limit.Stop()
	for {
		changed := n.change()
		if !n.unheard() {
			return
		}
		select {
		case <-changed:
		case <-limit.C:
			n.log.Warn("ready, and not all members know it")
			return
		case <-ctx.Done():
			return
		}
	}
}

var errNoProgress = errors.New("tribes: replmap: block without progress")

// load gets blocks from a provider, from at on, until there are no more. at says how far it
// has come, also with an error.
func (n *native) load(ctx context.Context, p *peer, at *entry.Place) error {
	for at.Bucket < entry.Buckets {
		b, err := ask[*mapwire.Block](ctx, p, func(id uint64) mapwire.Message {
			return &mapwire.Request{Request: id, From: *at, Entries: uint32(n.blockEntries), Bytes: uint32(n.blockBytes)}
		})
		if err != nil {
			return err
		}
		if !after(b.Next, *at) {
			return errNoProgress
		}
		n.merge(p, b.Entries)
		n.n.transferred.Add(uint64(len(b.Entries)))
		*at = b.Next
	}
	return nil
}

// after reports whether a is further than b.
func after(a, b entry.Place) bool {
	switch {
	case a.Bucket != b.Bucket:
		return a.Bucket > b.Bucket
	case !a.Begun || !b.Begun:
		return a.Begun
	default:
		return a.After > b.After
	}
}

// provide answers a Request.
func (n *native) provide(ctx context.Context, p *peer, m *mapwire.Request) {
	entries := max(1, min(int(m.Entries), n.blockEntries))
	bytes := max(1, min(int(m.Bytes), n.blockBytes))
	b := &mapwire.Block{Request: m.Request}
	b.Entries, b.Next = n.table.Block(m.From, entries, bytes, n.outgoing(p))
	n.answer(ctx, p, b)
}
