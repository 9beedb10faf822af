package replmap

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
	"github.com/gotribes/tribes/replmap/internal/mapwire"
)

// memberWatcher is told of members that come and go.
type memberWatcher struct{ n *native }

// MemberEvent implements channel.MembershipListener.
func (w memberWatcher) MemberEvent(_ context.Context, ev membership.Event) {
	switch ev.Kind {
	case membership.Joined:
		w.n.meet(ev.Member)
	case membership.Left, membership.Failed:
		w.n.drop(ev.Member.ID())
	}
}

// meeting is the introduction of this member to another, which goes on until each has
// heard the other, or the other has refused it.
type meeting struct {
	tried bool // once; guarded by native.mu
	heard bool // the other has the map, and is expected to introduce itself
}

// meet introduces this member to another, which is no peer before it does so itself.
func (n *native) meet(m *membership.Member) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed || n.meetings[m.ID()] != nil || m.ID() == n.node {
		return
	}
	x := &meeting{}
	n.meetings[m.ID()] = x
	n.spawn(func(ctx context.Context) { n.introduce(ctx, m, x) })
}

// introduce greets a member until each has heard the other, or it has left.
func (n *native) introduce(ctx context.Context, m *membership.Member, x *meeting) {
	pause := min(n.budget/2, firstPause)
	for tries := 0; ; tries++ {
		said, err := n.greet(ctx, m)
		if n.concluded(m, x, said, err) {
			return
		}
		if tries > maxTries && !n.inView(m.ID()) {
			n.drop(m.ID())
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		pause = min(2*pause, maxPause)
	}
}

// greet tells a member what this one is, and returns how far it has said it is.
func (n *native) greet(ctx context.Context, m *membership.Member) (mapwire.State, error) {
	ctx, cancel := context.WithTimeout(ctx, n.stall)
	defer cancel()
	h := n.introduction(m.ID())
	return h.State, n.sendTo(ctx, m, h)
}

// introduction is what this member says of itself to another.
func (n *native) introduction(to membership.ID) *mapwire.Hello {
	known := n.peer(to) != nil
	n.mu.Lock()
	defer n.mu.Unlock()
	return &mapwire.Hello{
		MinVersion: mapwire.Version, MaxVersion: n.speaks,
		Map: n.name, Codecs: n.codecs, Resolves: n.resolves, Known: known, State: n.state,
	}
}

// concluded notes how a greeting has fared, and reports whether that is all.
func (n *native) concluded(m *membership.Member, x *meeting, said mapwire.State, err error) bool {
	defer n.notify()
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.meetings[m.ID()] != x {
		return true // it has left
	}
	x.tried = true
	var refused *message.RemoteError
	switch {
	case errors.As(err, &refused):
		n.log.Debug("member does not have the map", "member", m, "err", err)
	case err != nil || said != n.state:
		return false
	case n.peer(m.ID()) == nil:
		x.heard = true
		return false
	}
	delete(n.meetings, m.ID())
	return true
}

// awaited reports whether a member that may have the map has not said so yet.
func (n *native) awaited() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	for node, x := range n.meetings {
		if n.peer(node) == nil && (!x.tried || x.heard) {
			return true
		}
	}
	return false
}

// unheard reports whether a member that may have the map may not know how far this one is.
func (n *native) unheard() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.meetings) > 0
}

func (n *native) inView(node membership.ID) bool {
	for _, m := range n.group.View().Members {
		if m.ID() == node {
			return true
		}
	}
	return false
}

// met is told what a member says of itself.
func (n *native) met(m *membership.Member, h *mapwire.Hello) error {
	if err := n.compatible(h); err != nil {
		n.log.Error("member has the map in another form", "member", m, "err", err)
		n.n.incompatible.Add(1)
		return err
	}
	n.mu.Lock()
	if n.closed {
		n.mu.Unlock()
		return ErrClosed
	}
	p := n.peer(m.ID())
	isNew := p == nil
	if isNew {
		p = n.newPeer(m, h)
		all := append(append([]*peer(nil), *n.peers.Load()...), p)
		n.moved()
		n.peers.Store(&all)
	}
	mine := n.state
	n.mu.Unlock()
	p.heard(m, h)
	if isNew || !h.Known {
		n.meet(m)
	}
	if isNew && mine == mapwire.Ready && h.State == mapwire.Ready {
		n.mend(p) // they were apart
	}
	n.notify()
	return nil
}

// errIncompatible says why a member is no peer.
type errIncompatible struct{ what, theirs, ours string }

func (e *errIncompatible) Error() string {
	return fmt.Sprintf("tribes: replmap: %s %q there, %q here", e.what, e.theirs, e.ours)
}

func (n *native) compatible(h *mapwire.Hello) error {
	switch {
	case h.MinVersion > mapwire.Version || h.MaxVersion < mapwire.Version:
		return &errIncompatible{"protocol versions", fmt.Sprintf("%d to %d", h.MinVersion, h.MaxVersion), fmt.Sprint(mapwire.Version)}
	case h.Map != n.name:
		return &errIncompatible{"map", h.Map, n.name}
	case h.Codecs != n.codecs:
		return &errIncompatible{"codecs", h.Codecs, n.codecs}
	case h.Resolves != n.resolves:
		return &errIncompatible{"function for conflicts", fmt.Sprint(h.Resolves), fmt.Sprint(n.resolves)}
	}
	return nil
}
