package replmap

import (
	"context"
	"errors"
	"time"

	"github.com/gotribes/tribes/message"
	"github.com/gotribes/tribes/replmap/internal/entry"
	"github.com/gotribes/tribes/replmap/internal/mapwire"
)

// mend repairs with a peer, again until it works or the peer is silent: then it catches
// up when it is back.
func (n *native) mend(p *peer) {
	p.mu.Lock()
	idle := !p.mending && p.stands < silent
	p.mending = p.mending || idle
	p.mu.Unlock()
	n.mu.Lock()
	defer n.mu.Unlock()
	if !idle || n.closed {
		return
	}
	n.spawn(func(ctx context.Context) {
		for n.tryRepair(ctx, p) != nil {
			select {
			case <-ctx.Done():
			case <-time.After(n.budget):
			}
		}
		p.mu.Lock()
		p.mending = false
		p.mu.Unlock()
	})
}

// tryRepair compares with a peer if that is possible now. The error says that it is to be
// tried again.
func (n *native) tryRepair(ctx context.Context, p *peer) error {
	if s, _ := p.is(); s >= silent || ctx.Err() != nil {
		return nil
	}
	err := n.repairWith(ctx, p)
	if err == nil {
		return nil
	}
	n.log.Warn("entries could not be compared", "member", p.member(), "err", err)
	var refused *message.RemoteError
	if errors.As(err, &refused) && estranged(refused) {
		p.leaveOut(err.Error())
		return nil
	}
	return err
}

// repairWith makes the entries of a peer and of this member the same, as of now: both have
// afterwards what either had before.
func (n *native) repairWith(ctx context.Context, p *peer) error {
	sums, entries := n.table.Sums()
	theirs, lists, err := askMore[*mapwire.Buckets](ctx, p, func(id uint64) mapwire.Message {
		return &mapwire.Buckets{Request: id, Entries: uint64(entries), Sums: sums}
	})
	if err != nil {
		return err
	}
	var want, have []string
	for b := range entry.Buckets {
		if sums[b] != theirs.Sums[b] {
			w, h := n.table.Diff(b, lists[uint8(b)])
			want, have = append(want, w...), append(have, h...)
		}
	}
	n.n.repaired.Add(uint64(len(want)))
	for len(want) > 0 {
		k := min(len(want), n.blockEntries)
		if _, err := ask[*mapwire.Done](ctx, p, func(id uint64) mapwire.Message {
			return &mapwire.Fetch{Request: id, Keys: want[:k]}
		}); err != nil {
			return err
		}
		want = want[k:]
	}
	return n.push(ctx, p, have)
}

// push sends the states of keys to a peer, in messages of bounded size.
func (n *native) push(ctx context.Context, p *peer, keys []string) error {
	for len(keys) > 0 {
		var c mapwire.Change
		bytes, as := 0, n.outgoing(p)
		for len(keys) > 0 && len(c.Entries) < n.blockEntries && bytes < n.blockBytes {
			for _, e := range n.table.States(keys[:1]) {
				if !as(&e) {
					continue
				}
				c.Entries = append(c.Entries, e)
				bytes += len(e.Key) + len(e.Value)
			}
			keys = keys[1:]
		}
		if len(c.Entries) == 0 {
			return nil
		}
		send, cancel := context.WithTimeoutCause(ctx, n.stall, errAnswer)
		err := p.send(send, &c)
		cancel()
		if err != nil && !conflicting(err) { // it gets it again when it has resolved what it has
			return err
		}
	}
	return nil
}

// give answers a Fetch. While it sends, who has asked waits for the stall time at most.
func (n *native) give(ctx context.Context, p *peer, m *mapwire.Fetch) {
	if err := n.push(ctx, p, m.Keys); err != nil {
		n.log.Debug("entries did not arrive", "member", p.member(), "err", err)
		return
	}
	n.answer(ctx, p, &mapwire.Done{Request: m.Request})
}

// compared answers Buckets: with the digests of those that differ, and then with its own.
func (n *native) compared(ctx context.Context, p *peer, m *mapwire.Buckets) {
	sums, entries := n.table.Sums()
	for b := range entry.Buckets {
		if sums[b] == m.Sums[b] {
			continue
		}
		n.answer(ctx, p, &mapwire.Digests{Request: m.Request, Bucket: uint8(b), Entries: n.table.Digests(b)})
	}
	n.answer(ctx, p, &mapwire.Buckets{Request: m.Request, Answer: true, Entries: uint64(entries), Sums: sums})
}

// compareAll compares with one peer after the other, now and then.
func (n *native) compareAll(ctx context.Context) {
	t := time.NewTicker(n.repair)
	defer t.Stop()
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		n.prune()
		peers := *n.peers.Load()
		if n.ready() && len(peers) > 0 {
			n.mend(peers[i%len(peers)])
		}
	}
}

// prune drops peers that the group has not seen for a whole interval: a greeting came late,
// and whoever answers at that address now is another member. One that is there after all
// is met again when it says something.
func (n *native) prune() {
	for _, p := range *n.peers.Load() {
		seen := n.inView(p.node)
		p.mu.Lock()
		drop := !seen && p.unseen
		p.unseen = !seen
		p.mu.Unlock()
		if drop {
			n.drop(p.node)
		}
	}
}
