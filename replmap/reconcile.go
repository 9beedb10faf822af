package replmap

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/gotribes/tribes/message"
	"github.com/gotribes/tribes/replmap/internal/entry"
	"github.com/gotribes/tribes/replmap/internal/mapwire"
)

// conflicts are keys of which two states wait to become one, with the time at which that
// began.
type conflicts map[string]*conflict

type conflict struct {
	since time.Time
	with  entry.Entry // the other state, without its value
	busy  bool        // reconcile works on it
}

// lasts reports whether what is here still is to become one with the other state: another
// member may have made one of both.
func (c *conflict) lasts(t *entry.Table) bool {
	mine, _ := t.Peek(c.with.Key)
	return !mine.Version.IsZero() && entry.Apart(&mine, &c.with)
}

// forget drops conflicts that are none any more.
func (n *native) forget() {
	n.mu.Lock()
	defer n.mu.Unlock()
	maps.DeleteFunc(n.conflicts, func(_ string, c *conflict) bool { return !c.busy && !c.lasts(n.table) })
}

// patience is how often Config.Repair goes by before a value that is needed to make one
// state of two counts as lost.
const patience = 10

// contest is told of a state that is to become one with that which is here, of which one
// lacks its value. Members that are to have the value do that; the others get the result.
func (n *native) contest(p *peer, e *entry.Entry) {
	if !n.holdsHere(e.Key) {
		return
	}
	n.mu.Lock()
	c := n.conflicts[e.Key]
	if c == nil || !c.busy && !c.lasts(n.table) {
		c = &conflict{since: time.Now(), with: *e}
		c.with.Value = nil
		n.conflicts[e.Key] = c
	}
	idle := !c.busy
	c.busy = true
	n.mu.Unlock()
	if !idle {
		return
	}
	err := n.later(func(ctx context.Context) {
		done := n.reconcile(ctx, *e, time.Since(c.since) > patience*n.repair)
		n.mu.Lock()
		defer n.mu.Unlock()
		if c.busy = false; done {
			delete(n.conflicts, e.Key)
		}
	})
	if err != nil { // it comes again with the next comparison
		n.log.Debug("states not resolved", "member", p.Member(), "err", err)
		n.mu.Lock()
		c.busy = false
		n.mu.Unlock()
	}
}

// reconcile gets the values that are missing and makes one state of two. It reports whether
// there is nothing left to do.
func (n *native) reconcile(ctx context.Context, theirs entry.Entry, lost bool) bool {
	states := n.table.States([]string{theirs.Key})
	if len(states) == 0 {
		return true
	}
	mine := states[0]
	if !entry.Apart(&mine, &theirs) {
		return true
	}
	for _, p := range n.peers.All() {
		if !mine.Proxy && !theirs.Proxy {
			break
		}
		a, err := ask[*mapwire.Values](ctx, p, func(id uint64) mapwire.Message {
			return &mapwire.Ask{Request: id, Bytes: 1, Keys: []string{theirs.Key}}
		})
		if err != nil {
			continue
		}
		for i := range a.Entries {
			reveal(n.table, &mine, &a.Entries[i])
			reveal(n.table, &theirs, &a.Entries[i])
		}
	}
	if (mine.Proxy || theirs.Proxy) && !lost {
		return false
	}
	if err := n.table.Reconcile(&mine, &theirs); err != nil {
		n.log.Debug("states not resolved", "err", err)
		return false
	}
	n.look(theirs.Key)
	return true
}

// reveal gives a proxy the value that it stands for.
func reveal(t *entry.Table, e, found *entry.Entry) {
	if e.Key != found.Key || !e.Proxy || found.Proxy || found.Gone {
		return
	}
	t.Digest(found)
	if found.State() == e.State() {
		e.Value, e.Proxy = found.Value, false
	}
}

// conflicting reports whether a member has refused a value because it has to get another
// one first.
func conflicting(err error) bool {
	var refused *message.RemoteError
	return errors.As(err, &refused) && says(err, entry.ErrConflict)
}

// again waits until a write may be tried again that others have to resolve first; false
// if the time for that is over.
func (n *native) again(ctx context.Context, end time.Time) bool {
	select {
	case <-time.After(askAgain):
		return time.Now().Before(end)
	case <-n.ctx.Done():
		return false
	case <-ctx.Done():
		return false
	}
}

// unresolved is the error of a write that others still have to resolve.
func unresolved(err error) error {
	if conflicting(err) {
		return fmt.Errorf("%w: %w", ErrNoHolder, err)
	}
	return err
}
