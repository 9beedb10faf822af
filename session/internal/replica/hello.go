package replica

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/gotribes/tribes/internal/peers"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/session/internal/record"
	"github.com/gotribes/tribes/session/internal/sessionwire"
)

// watcher is told of members that come and go.
type watcher struct{ e *Engine }

// MemberEvent implements channel.MembershipListener.
func (w watcher) MemberEvent(ctx context.Context, ev membership.Event) {
	w.e.peers.MemberEvent(ctx, ev)
	if ev.Kind == membership.Failed && w.e.cfg.Failed != nil {
		w.e.cfg.Failed(record.NodeOf(ev.Member.ID()))
	}
}

// introduction is what this node says of itself.
func (e *Engine) introduction(s peers.State) *sessionwire.Hello {
	return &sessionwire.Hello{
		Manager: e.cfg.Name, Codec: e.cfg.Codec, Route: e.cfg.Route, State: sessionwire.State(s),
		MinVersion: sessionwire.Version, MaxVersion: sessionwire.Version,
	}
}

// met is told what a member says of itself.
func (e *Engine) met(m *membership.Member, h *sessionwire.Hello) error {
	if err := e.compatible(h); err != nil {
		e.peers.Tell(slog.LevelError, "member is no session replica", m, "err", err)
		e.n.incompatible.Add(1)
		return err
	}
	p, isNew, again := e.peers.Met(m, peers.State(h.State))
	if p == nil {
		return nil
	}
	if isNew {
		e.duplicate(m, h)
	}
	if isNew || again && e.forgotten(p) {
		e.peers.Meet(m)
	}
	if isNew && e.peers.State() == peers.Ready && h.State == sessionwire.Ready {
		e.reunite(p)
	}
	return nil
}

// forgotten is told of a greeting that is no news, and reports whether the peer may have
// said it because it does not know this node any more.
func (e *Engine) forgotten(p *peer) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if time.Since(p.greeted) <= e.cfg.Stall {
		return false
	}
	p.greeted = time.Now()
	return true
}

// errIncompatible says why a member is no peer.
type errIncompatible struct{ what, theirs, ours string }

func (e *errIncompatible) Error() string {
	return "tribes: session: " + e.what + " " + e.theirs + " there, " + e.ours + " here"
}

func (e *Engine) compatible(h *sessionwire.Hello) error {
	switch {
	case h.Manager != e.cfg.Name:
		return &errIncompatible{"manager", short(h.Manager), e.cfg.Name}
	case h.Codec != e.cfg.Codec:
		return &errIncompatible{"codec", short(h.Codec), e.cfg.Codec}
	case len(h.Route) > maxRoute:
		return &errIncompatible{"route", short(h.Route), "one of at most 64 bytes"}
	case h.MinVersion > sessionwire.Version || h.MaxVersion < sessionwire.Version:
		return &errIncompatible{"protocol", "another version", "version 1"}
	}
	return nil
}

// maxRoute is the length of the longest route in bytes.
const maxRoute = 64

// short is the beginning of what another node has sent, fit for the log.
func short(s string) string { return fmt.Sprintf("%.64q", s) }

// duplicate reports a route that two nodes have: their load balancer cannot tell them
// apart.
func (e *Engine) duplicate(m *membership.Member, h *sessionwire.Hello) {
	if h.Route != "" && h.Route == e.cfg.Route {
		e.n.duplicates.Add(1)
		e.peers.Tell(slog.LevelError, "two nodes have the same route", m, "route", h.Route)
	}
}

// reunite repairs two nodes that were apart: the first by its id does it at once, the
// other a moment later, if the first has not noticed that they were.
func (e *Engine) reunite(p *peer) {
	if e.site.Node().Compare(p.node) < 0 {
		e.peers.Mend(p)
		return
	}
	e.run(func(ctx context.Context) {
		select {
		case <-ctx.Done():
		case <-time.After(e.cfg.Stall):
			e.peers.Mend(p)
		}
	})
}

// late is told that no member has given the sessions in time, and says whether the node
// is ready with what it has.
func (e *Engine) late() bool {
	e.cfg.Logger.Error("no member has given the sessions of the group", "after", e.cfg.StateTimeout, "sessions", e.Count(), "serves", e.cfg.Serve)
	e.n.incomplete.Add(1)
	return e.cfg.Serve
}

// joined makes the node ready.
func (e *Engine) joined() {
	close(e.ready)
	e.cfg.Logger.Info("sessions are here", "sessions", e.Count(), "peers", len(e.peers.All()))
}
