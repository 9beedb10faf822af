package replmap

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/gotribes/tribes/group"
	"github.com/gotribes/tribes/internal/peers"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
	"github.com/gotribes/tribes/replmap/internal/entry"
	"github.com/gotribes/tribes/replmap/internal/mapwire"
)

// peer is another member that has the map.
type peer struct {
	*peers.Peer
	n      *native
	speaks atomic.Uint32 // the highest version of the protocol
	bye    atomic.Bool   // it has said goodbye
}

// send sends a message to the peer alone and waits until it has processed it.
func (p *peer) send(ctx context.Context, m mapwire.Message) error {
	return p.Send(ctx, mapwire.Append(nil, m))
}

// newPeers returns the peers of n, of which there are none yet.
func (n *native) newPeers() *peers.Set[*peer] {
	return peers.New(n.ctx, peers.Config{
		Topic: n.topic, Options: message.Sync, View: n.group.View, Go: n.run, Logger: n.log,
		Strangers: []error{group.ErrNoTopic, errStranger, ErrClosed},
		Budget:    n.budget, Patience: n.budget, Stall: n.stall, Discover: n.discover,
		LeftOut: &n.n.leftOut, Refused: &n.n.rejected,
		Lacks: entry.ErrBase, Resent: &n.n.resent,
		Moved: func() {
			n.mu.Lock()
			defer n.mu.Unlock()
			n.moved()
		},
	}, peers.Owner[*peer]{
		New:   func(p *peers.Peer) *peer { return &peer{Peer: p, n: n} },
		Hello: func(known bool, s peers.State) []byte { return mapwire.Append(nil, n.introduction(known, s)) },
		// Who does not answer at all may not have the map.
		Awaits: func(greeted bool, since time.Time) bool { return !greeted || !since.IsZero() },
		Load:   n.load, Ready: n.joined, Repair: n.repairWith,
		Back: func(p *peer) { n.peers.Meet(p.Member()) }, // what it was told may be old by now
	})
}

// run begins f, which runs until close.
func (n *native) run(f func(context.Context)) { n.begin(f) }

// begin is run, and reports whether f runs: not after close.
func (n *native) begin(f func(context.Context)) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return false
	}
	n.spawn(f)
	return true
}

// introduction is what this member says of itself to one that it knows or not.
func (n *native) introduction(known bool, s peers.State) *mapwire.Hello {
	return &mapwire.Hello{
		MinVersion: mapwire.Version, MaxVersion: n.speaks,
		Map: n.name, Codecs: n.codecs, Resolves: n.resolves, Known: known, State: mapwire.State(s),
	}
}

// met is told what a member says of itself.
func (n *native) met(m *membership.Member, h *mapwire.Hello) error {
	if err := n.compatible(h); err != nil {
		n.peers.Tell(slog.LevelError, "member has the map in another form", m, "err", err)
		n.n.incompatible.Add(1)
		return err
	}
	p, isNew, _ := n.peers.Met(m, peers.State(h.State))
	if p == nil {
		return ErrClosed
	}
	p.speaks.Store(uint32(h.MaxVersion))
	if isNew || !h.Known {
		n.peers.Meet(m)
	}
	if isNew && n.peers.State() == peers.Ready && h.State == mapwire.Ready {
		n.peers.Mend(p) // they were apart
	}
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
