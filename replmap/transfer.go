package replmap

import (
	"context"
	"errors"

	"github.com/gotribes/tribes/message"
	"github.com/gotribes/tribes/replmap/internal/entry"
	"github.com/gotribes/tribes/replmap/internal/mapwire"
)

// joined makes the member ready. The others know it, so none takes itself for the primary of
// a key that is this member's from now on.
func (n *native) joined() {
	n.mu.Lock()
	n.moved()
	close(n.isReady)
	n.mu.Unlock()
	n.log.Info("entries are here", "entries", n.table.Len(), "members", len(n.peers.All()))
}

var errNoProgress = errors.New("tribes: replmap: block without progress")

// load gets blocks from a provider until there are no more. It begins where the last provider
// has ended.
func (n *native) load(ctx context.Context, p *peer) error {
	for at := &n.loaded; at.Bucket < entry.Buckets; {
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

// provide answers a Request. An entry that no message has room for is left out.
func (n *native) provide(ctx context.Context, p *peer, m *mapwire.Request) {
	entries := max(1, min(int(m.Entries), n.blockEntries))
	bytes := max(1, min(int(m.Bytes), n.blockBytes))
	for {
		b := &mapwire.Block{Request: m.Request}
		b.Entries, b.Next = n.table.Block(m.From, entries, bytes, n.outgoing(p))
		err := n.answer(ctx, p, b)
		if !errors.Is(err, message.ErrTooLarge) || len(b.Entries) == 0 {
			return
		}
		if entries = len(b.Entries) / 2; entries == 0 {
			n.omitted(p, &b.Entries[0], err)
			b.Entries = nil
			n.answer(ctx, p, b)
			return
		}
	}
}

// omitted is told of an entry that no message has room for.
func (n *native) omitted(p *peer, e *entry.Entry, err error) {
	n.n.rejected.Add(1)
	n.log.Warn("entry is too large for a message", "member", p.Member(), "bytes", len(e.Value), "err", err)
}
