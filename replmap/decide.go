package replmap

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
	"github.com/gotribes/tribes/replmap/internal/entry"
	"github.com/gotribes/tribes/replmap/internal/mapwire"
)

// decider returns the peer that is the primary of a key; nil if this member is. Only
// members count that are ready, so ok is false if none is.
func (n *native) decider(key string) (p *peer, ok bool) {
	all := n.current(n.ready(), nil)
	if len(all.nodes) == 0 {
		return nil, false
	}
	return all.peers[entry.Heaviest(key, all.nodes)], true
}

// primary implements replication.
func (n *native) primary(key string) *membership.Member {
	p, ok := n.decider(key)
	switch {
	case !ok:
		return nil
	case p == nil:
		return n.group.Local()
	default:
		return p.Member()
	}
}

// errNotPrimary is that of a decision which is another member's.
var errNotPrimary = errors.New("tribes: replmap: not the primary")

// conditional implements replication: it finds the primary and has it decide, again if the
// members do not agree who that is.
func (n *native) conditional(ctx context.Context, w *mapwire.Write) (*entry.Entry, bool, error) {
	for {
		changed := n.peers.Changed()
		p, _ := n.decider(w.Entry.Key)
		now, written, err := n.decideAt(ctx, p, w)
		if !errors.Is(err, errNotPrimary) {
			return now, written, err
		}
		select {
		case <-changed:
		case <-time.After(askAgain):
		case <-n.ctx.Done():
			return nil, false, ErrClosed
		case <-ctx.Done():
			return nil, false, context.Cause(ctx)
		}
	}
}

// decideAt has a peer decide, or this member.
func (n *native) decideAt(ctx context.Context, p *peer, w *mapwire.Write) (*entry.Entry, bool, error) {
	if p == nil {
		return n.decideHere(ctx, w)
	}
	a, err := ask[*mapwire.Written](ctx, p, func(id uint64) mapwire.Message {
		ww := *w
		ww.Request = id
		return &ww
	})
	switch {
	case err == nil && a.Outcome == mapwire.Differs && a.Entry == nil:
		// It may be that the primary has missed the entry that was read here.
		return nil, false, n.push(ctx, p, []string{w.Entry.Key})
	case err == nil:
		unfold(&w.Entry, a)
		return n.decided(ctx, p, a)
	case notDone(err):
		p.n.log.Debug("primary was not asked", "member", p.Member(), "err", err)
		return nil, false, errNotPrimary
	case ctx.Err() != nil:
		return nil, false, fmt.Errorf("%w: %w", ErrUncertain, context.Cause(ctx))
	default:
		return nil, false, fmt.Errorf("%w: %w", ErrUncertain, err)
	}
}

// notDone reports whether a question has certainly not been heard.
func notDone(err error) bool {
	var s *message.SendError
	if !errors.As(err, &s) {
		return false
	}
	for _, r := range s.Results {
		if r.Outcome != message.NotSent && r.Outcome != message.Refused {
			return false
		}
	}
	return true
}

// decided takes what a primary has decided. A write that it could not make as safe as was
// asked for, since it leaves for instance, is here now, and this member tells the others.
func (n *native) decided(ctx context.Context, p *peer, a *mapwire.Written) (*entry.Entry, bool, error) {
	if a.Entry != nil {
		if err := n.take(p, a.Entry); err != nil {
			return nil, false, err
		}
	}
	switch a.Outcome {
	case mapwire.Wrote:
		if a.Error != "" && a.Entry != nil {
			n.log.Debug("primary has written and told not all", "member", p.Member(), "err", a.Error)
			return a.Entry, true, n.publish(ctx, a.Entry)
		}
		return a.Entry, true, nil
	case mapwire.Differs:
		return a.Entry, false, nil
	case mapwire.NotPrimary:
		return nil, false, errNotPrimary
	default:
		return nil, false, fmt.Errorf("tribes: replmap: primary %v: %s", p.Member(), a.Error)
	}
}

// decideHere decides on this member if it is the primary.
func (n *native) decideHere(ctx context.Context, w *mapwire.Write) (*entry.Entry, bool, error) {
	condition := holds(w)
	var other, lacks bool
	now, written, err := n.write(ctx, &w.Entry, func(e entry.Entry, there bool) bool {
		if p, ok := n.decider(w.Entry.Key); !ok || p != nil {
			other = true
			return false
		}
		lacks = w.Condition == mapwire.IfValue && there && e.Proxy
		return !lacks && condition(e, there)
	})
	switch {
	case other:
		return nil, false, errNotPrimary
	case lacks && err == nil:
		return n.decideFetched(ctx, w)
	}
	if written {
		err = n.publish(ctx, &now)
	}
	if now.Version.IsZero() {
		return nil, written, err
	}
	return &now, written, err
}

// decideFetched is decideHere when the value is not here: then its hash is not enough to
// decide. It is fetched first, and kept, as this member is to have it.
func (n *native) decideFetched(ctx context.Context, w *mapwire.Write) (*entry.Entry, bool, error) {
	e, there, err := n.fetch(ctx, w.Entry.Key)
	if err != nil {
		return nil, false, err
	}
	if there && n.table.Holds(e.State()) || !there {
		return n.decideHere(ctx, w)
	}
	return nil, false, errNotPrimary // it is not to have the value, so it is not the primary
}

// decide answers a Write.
func (n *native) decide(ctx context.Context, p *peer, w *mapwire.Write) {
	a := &mapwire.Written{Request: w.Request}
	now, written, err := n.decideHere(ctx, w)
	a.Entry = now
	switch {
	case errors.Is(err, errNotPrimary), !written && errors.Is(err, ErrClosed):
		a.Outcome = mapwire.NotPrimary
	case written:
		a.Outcome = mapwire.Wrote
		if err != nil {
			a.Error = err.Error()
		} else {
			n.fold(a.Entry)
		}
	case err != nil:
		a.Outcome, a.Error, a.Entry = mapwire.Failed, err.Error(), nil
	default:
		a.Outcome = mapwire.Differs
	}
	n.answer(ctx, p, a)
}

// fold leaves out of an answer the value that the other member has asked to be written, if
// all that are to have it have it.
func (n *native) fold(e *entry.Entry) {
	if now, there := n.table.Get(e.Key); n.backups > 0 && there && now.Placed && now.State() == e.State() {
		e.Sum = now.Sum
		e.Strip()
	}
}

// unfold puts a value into the answer that has it not.
func unfold(w *entry.Entry, a *mapwire.Written) {
	if e := a.Entry; a.Outcome == mapwire.Wrote && e != nil && e.Proxy && e.Sum == entry.ValueSum(w.Value) {
		e.Value, e.Proxy = w.Value, false
	}
}
