package replmap

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/gotribes/tribes/message"
	"github.com/gotribes/tribes/replmap/internal/entry"
	"github.com/gotribes/tribes/replmap/internal/mapwire"
)

// errStranger is what a member is told that has not introduced itself.
var errStranger = errors.New("tribes: replmap: not introduced")

// receive takes a message of the topic. When it returns nil, what the message says is
// applied here: that is what its sender may promise.
func (n *native) receive(_ context.Context, m *message.Message) error {
	// What is kept of the message outlives it: values alias its bytes.
	msg, err := mapwire.Decode(append([]byte(nil), m.Payload()...))
	if err != nil {
		n.n.malformed.Add(1)
		return err
	}
	if h, ok := msg.(*mapwire.Hello); ok {
		return n.met(m.Source, h)
	}
	p := n.peers.Get(m.Source.ID())
	if p == nil {
		n.peers.Meet(m.Source)
		return fmt.Errorf("%w: %v", errStranger, msg.Kind())
	}
	return n.dispatch(p, msg)
}

// dispatch takes a message of a peer.
func (n *native) dispatch(p *peer, msg mapwire.Message) error {
	switch m := msg.(type) {
	case *mapwire.Bye:
		p.bye.Store(true)
		n.peers.Drop(p.Node)
	case *mapwire.Change:
		return n.merge(p, m.Entries)
	case *mapwire.Request:
		return n.later(func(ctx context.Context) { n.provide(ctx, p, m) })
	case *mapwire.Fetch:
		return n.later(func(ctx context.Context) { n.give(ctx, p, m) })
	case *mapwire.Buckets:
		if m.Answer {
			n.answered(p, m.Request, m)
			return nil
		}
		return n.later(func(ctx context.Context) { n.compared(ctx, p, m) })
	case *mapwire.Write:
		return n.later(func(ctx context.Context) { n.decide(ctx, p, m) })
	case *mapwire.Ask:
		return n.laterIn(n.reads, func(ctx context.Context) { n.provideValues(ctx, p, m) })
	case *mapwire.Check:
		return n.laterIn(n.reads, func(ctx context.Context) { n.provideChecked(ctx, p, m) })
	case *mapwire.Values:
		n.answered(p, m.Request, m)
	case *mapwire.Checked:
		n.answered(p, m.Request, m)
	case *mapwire.Block:
		n.answered(p, m.Request, m)
	case *mapwire.Digests:
		n.answered(p, m.Request, m)
	case *mapwire.Done:
		n.answered(p, m.Request, m)
	case *mapwire.Written:
		n.answered(p, m.Request, m)
	default:
		return fmt.Errorf("tribes: replmap: unexpected %v", msg.Kind())
	}
	return nil
}

// present returns the state of a key for comparisons, without its value where that has a sum.
func (n *native) present(key string) (e entry.Entry) {
	if n.backups > 0 {
		e, _ = n.table.Peek(key)
		return e
	}
	for _, e = range n.table.States([]string{key}) {
	}
	return e
}

// merge takes states of a peer. The error is that of the first which was refused; the
// others are taken. What is newer here the peer is told, unless it has written that itself;
// that an entry has ended its writer need not know.
func (n *native) merge(p *peer, all []entry.Entry) error {
	var first error
	var stale []string
	for i := range all {
		e := &all[i]
		if !n.own.fill(e) && n.table.MergeEdit(e) {
			n.look(e.Key)
			continue
		}
		if err := n.table.Patch(e); err != nil { // it is sent again, whole
			first = cmp.Or(first, err)
			continue
		}
		_, err := n.table.Merge(e)
		if errors.Is(err, entry.ErrConflict) {
			n.contest(p, e)
			if !e.Proxy { // else nobody relies on it
				first = cmp.Or(first, err)
			}
			continue
		}
		if err != nil {
			n.n.rejected.Add(1)
			n.log.Warn("entry refused", "member", p.Member(), "err", err)
			if first == nil {
				first = err
			}
			continue
		}
		n.look(e.Key)
		mine := n.present(e.Key)
		if mine.Compare(e) > 0 && (mine.Version.Node != p.Node || mine.Version == e.Version) {
			stale = append(stale, e.Key)
		}
	}
	if len(stale) == 0 {
		return first
	}
	if err := n.later(func(ctx context.Context) {
		if err := n.push(ctx, p, stale); err != nil {
			n.log.Debug("entries did not arrive", "member", p.Member(), "err", err)
		}
	}); err != nil {
		n.log.Debug("entries not sent, the next comparison finds them", "member", p.Member(), "err", err)
	}
	return first
}
