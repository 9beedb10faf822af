package replmap

import (
	"context"
	"errors"
	"time"

	"github.com/gotribes/tribes/message"
	"github.com/gotribes/tribes/replmap/internal/entry"
	"github.com/gotribes/tribes/replmap/internal/mapwire"
)

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

// push sends the states of keys to a peer, in messages of bounded size. One that no message
// has room for is left out.
func (n *native) push(ctx context.Context, p *peer, keys []string) error {
	most := n.blockEntries
	for len(keys) > 0 {
		var c mapwire.Change
		from, bytes, as := keys, 0, n.outgoing(p)
		for len(keys) > 0 && len(c.Entries) < most && bytes < n.blockBytes {
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
		send, cancel := p.patience(ctx)
		err := p.send(send, &c)
		cancel()
		switch {
		case errors.Is(err, message.ErrTooLarge) && len(c.Entries) > 1:
			keys, most = from, len(c.Entries)/2
			continue
		case errors.Is(err, message.ErrTooLarge):
			n.omitted(p, &c.Entries[0], err)
		case err != nil && !conflicting(err): // it gets it again when it has resolved what it has
			return err
		}
		most = n.blockEntries
	}
	return nil
}

// give answers a Fetch. While it sends, who has asked waits for the stall time at most.
func (n *native) give(ctx context.Context, p *peer, m *mapwire.Fetch) {
	if err := n.push(ctx, p, m.Keys); err != nil {
		n.log.Debug("entries did not arrive", "member", p.Member(), "err", err)
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
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			n.peers.Compare()
			n.forget()
		}
	}
}
