package replmap

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gotribes/tribes/group"
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
	diff := n.describe(w)
	for {
		changed := n.peers.Changed()
		p, _ := n.decider(w.Entry.Key)
		now, written, err := n.decideAt(ctx, p, w, diff)
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
func (n *native) decideAt(ctx context.Context, p *peer, w *mapwire.Write, diff *entry.Diff) (*entry.Entry, bool, error) {
	if p == nil {
		return n.decideHere(ctx, w, diff)
	}
	a, err := n.askPrimary(ctx, p, w, diff)
	switch {
	case err == nil && a.Outcome == mapwire.Differs && a.Entry == nil:
		// It may be that the primary has missed the entry that was read here.
		if err := n.push(ctx, p, []string{w.Entry.Key}); err != nil {
			n.log.Debug("primary has missed an entry, and was not told", "member", p.Member(), "err", err)
			return nil, false, errNotPrimary // nothing is done; it may be another soon
		}
		return nil, false, nil
	case err == nil:
		n.unfold(&w.Entry, a)
		return n.decided(ctx, p, a)
	case errors.Is(err, message.ErrTooLarge):
		return nil, false, err
	case notDone(err):
		p.n.log.Debug("primary was not asked", "member", p.Member(), "err", err)
		if says(err, group.ErrNoTopic) && n.peers.Get(p.Node) == p { // it has left, and was not heard
			n.peers.Drop(p.Node)
		}
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
		if e := a.Entry; n.backups > 0 && a.Outcome == mapwire.Wrote && !e.Gone && !e.Proxy && !n.holdsHere(e.Key) {
			n.table.Digest(e)
			n.recent.keep(*e)
		}
	}
	switch a.Outcome {
	case mapwire.Wrote:
		if a.Error != "" && a.Entry != nil {
			n.log.Debug("primary has written and told not all", "member", p.Member(), "err", a.Error)
			return a.Entry, true, n.publish(ctx, &change{now: *a.Entry})
		}
		return a.Entry, true, nil
	case mapwire.Differs:
		return a.Entry, false, nil
	case mapwire.NotPrimary:
		return nil, false, errNotPrimary
	case mapwire.NoHolder:
		return nil, false, fmt.Errorf("tribes: replmap: primary %v: %w", p.Member(), ErrNoHolder)
	default:
		return nil, false, fmt.Errorf("tribes: replmap: primary %v: %s", p.Member(), a.Error)
	}
}

// decideHere decides on this member if it is the primary. diff makes the value of that which
// the condition is about, if that is known.
func (n *native) decideHere(ctx context.Context, w *mapwire.Write, diff *entry.Diff) (*entry.Entry, bool, error) {
	if c, err := n.decideEdit(ctx, w); c != nil || err != nil {
		if c == nil {
			return nil, false, err
		}
		return &c.now, true, n.publish(ctx, c)
	}
	condition := n.holds(w)
	baseless := n.table.Patch(&w.Entry) // which does not matter if the condition does not hold
	if baseless == nil {
		n.table.Digest(&w.Entry)
	}
	var other, lacks, unknown bool
	c, written, err := n.write(ctx, &w.Entry, func(e entry.Entry, there bool) bool {
		if p, ok := n.decider(w.Entry.Key); !ok || p != nil {
			other = true
			return false
		}
		lacks = w.Condition == mapwire.IfValue && there && e.Proxy
		unknown = !lacks && condition(e, there) && baseless != nil
		return !lacks && condition(e, there) && !unknown
	})
	switch {
	case other:
		return nil, false, errNotPrimary
	case lacks && err == nil:
		return n.decideFetched(ctx, w, diff)
	case unknown && err == nil:
		return nil, false, baseless
	}
	if written {
		c.diff = diff
		err = n.publish(ctx, &c)
	} else if err == nil && w.Condition != mapwire.IfAbsent && c.now.Version.IsZero() {
		return n.decideAbsent(ctx, w, diff)
	}
	if c.now.Version.IsZero() {
		return nil, written, err
	}
	return &c.now, written, err
}

// decideEdit is decideHere for a value that is changed in place; nil if this is not one.
func (n *native) decideEdit(ctx context.Context, w *mapwire.Write) (*change, error) {
	if w.Entry.Diff == nil || w.Condition != mapwire.IfVersion || n.store != nil {
		return nil, nil
	}
	end, err := n.writing.take(ctx, w.Entry.Key)
	if err != nil {
		return nil, err
	}
	defer end()
	condition, c := n.holds(w), &change{diff: w.Entry.Diff}
	var written bool
	c.now, c.before, written = n.table.ReplaceEdit(w.Entry, func(e entry.Entry, there bool) bool {
		p, ok := n.decider(w.Entry.Key)
		return ok && p == nil && condition(e, there)
	})
	if !written {
		return nil, nil
	}
	return c, nil
}

// decideFetched is decideHere when the value is not here: then its hash is not enough to
// decide. It is fetched first, and kept, as this member is to have it.
func (n *native) decideFetched(ctx context.Context, w *mapwire.Write, diff *entry.Diff) (*entry.Entry, bool, error) {
	e, there, err := n.fetch(ctx, w.Entry.Key)
	if err != nil {
		return nil, false, err
	}
	if there && n.table.Holds(e.State()) || !there {
		return n.decideHere(ctx, w, diff)
	}
	return nil, false, errNotPrimary // it is not to have the value, so it is not the primary
}

// decideAbsent is decideHere when nothing is known of the entry.
func (n *native) decideAbsent(ctx context.Context, w *mapwire.Write, diff *entry.Diff) (*entry.Entry, bool, error) {
	known, err := n.confirm(ctx, w.Entry.Key)
	switch {
	case known:
		return n.decideHere(ctx, w, diff)
	case err != nil && ctx.Err() == nil && n.ctx.Err() == nil:
		n.log.Debug("not known whether there is an entry", "err", err)
		return nil, false, errNotPrimary // so far
	}
	return nil, false, err
}

// decide answers a Write.
func (n *native) decide(ctx context.Context, p *peer, w *mapwire.Write) {
	a := &mapwire.Written{Request: w.Request}
	now, written, err := n.decideHere(ctx, w, w.Entry.Diff)
	a.Entry = now
	switch {
	case errors.Is(err, errNotPrimary), !written && errors.Is(err, ErrClosed):
		a.Outcome = mapwire.NotPrimary
		n.doubt(w.Entry.Key, p)
	case errors.Is(err, entry.ErrBase):
		a.Outcome = mapwire.Lacks
	case written:
		a.Outcome = mapwire.Wrote
		if err != nil {
			a.Error = err.Error()
		}
	case err != nil:
		a.Outcome, a.Error, a.Entry = mapwire.Failed, err.Error(), nil
		if errors.Is(err, ErrNoHolder) && p.speaks.Load() >= mapwire.MaxVersion {
			a.Outcome = mapwire.NoHolder
		}
	default:
		a.Outcome = mapwire.Differs
	}
	n.fold(p, w, a)
	n.answer(ctx, p, a)
}

// doubt is called when a member takes this one for the primary of a key, which believes in
// another. That may have crashed: its connections tell those who have some, and the others
// only when its time is over.
func (n *native) doubt(key string, by *peer) {
	p, ok := n.decider(key)
	if ok && p != nil && p != by {
		n.peers.Doubt(p)
	}
}
