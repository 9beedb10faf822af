package replica

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/session/internal/record"
	"github.com/gotribes/tribes/session/internal/sessionwire"
)

// watcher is told of members that come and go.
type watcher struct{ e *Engine }

// MemberEvent implements channel.MembershipListener.
func (w watcher) MemberEvent(_ context.Context, ev membership.Event) {
	switch ev.Kind {
	case membership.Joined:
		w.e.meet(ev.Member)
	case membership.Left, membership.Failed:
		node := record.NodeOf(ev.Member.ID())
		w.e.drop(node)
		if ev.Kind == membership.Failed && w.e.cfg.Failed != nil {
			w.e.cfg.Failed(node)
		}
	}
}

// introduction is what this node says of itself.
func (e *Engine) introduction() *sessionwire.Hello {
	e.mu.Lock()
	defer e.mu.Unlock()
	return &sessionwire.Hello{
		Manager: e.cfg.Name, Codec: e.cfg.Codec, Route: e.cfg.Route, State: e.state,
		MinVersion: sessionwire.Version, MaxVersion: sessionwire.Version,
	}
}

// met is told what a member says of itself.
func (e *Engine) met(m *membership.Member, h *sessionwire.Hello) error {
	if err := e.compatible(h); err != nil {
		e.tell(slog.LevelError, "member is no session replica", m, "err", err)
		e.n.incompatible.Add(1)
		return err
	}
	node := record.NodeOf(m.ID())
	e.mu.Lock()
	p := e.peer(node)
	isNew := p == nil
	if isNew && !e.closed {
		p = e.newPeer(m, h)
		all := append(append([]*peer(nil), *e.peers.Load()...), p)
		e.peers.Store(&all)
	}
	mine := e.state
	e.mu.Unlock()
	if p == nil {
		return nil
	}
	if isNew {
		e.duplicate(m, h)
	}
	if p.heard(m, h) || isNew {
		e.meet(m)
	}
	if isNew && mine == sessionwire.Ready && h.State == sessionwire.Ready {
		e.reunite(p)
	}
	e.notify()
	return nil
}

// heard notes what the peer says of itself. It reports whether that is no news: then the
// peer may have said it because it does not know this node any more.
func (p *peer) heard(m *membership.Member, h *sessionwire.Hello) (again bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	again = p.hello.State == h.State && time.Since(p.greeted) > p.e.cfg.Stall
	if again {
		p.greeted = time.Now()
	}
	p.m, p.to = m, []*membership.Member{m}
	if p.hello.State == sessionwire.Ready {
		return again // an older message, overtaken
	}
	p.hello = *h
	if p.stands == catching && !p.behind && h.State == sessionwire.Ready {
		p.stands = current
	}
	return again
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
		e.tell(slog.LevelError, "two nodes have the same route", m, "route", h.Route)
	}
}

// join gets all sessions from a peer that has them. Without one, the node is ready when
// it has looked for others for a moment; of several that start together, the first by
// its id is, and the others get what it has: nothing, quickly.
func (e *Engine) join(ctx context.Context) {
	for _, m := range e.cfg.Group.View().Members {
		e.meet(m)
	}
	discover, timeout := time.NewTimer(e.cfg.Discover), time.NewTimer(e.cfg.StateTimeout)
	defer discover.Stop()
	defer timeout.Stop()
	looked := false
	var from record.Key
	for {
		e.mu.Lock()
		changed := e.changed
		e.mu.Unlock()
		provider, wait := e.provider()
		switch {
		case provider != nil:
			e.announce(ctx, sessionwire.Loading)
			if e.load(ctx, provider, &from) == nil {
				e.joined(ctx)
				return
			}
			if ctx.Err() != nil {
				return
			}
			provider.failed++
			provider.leaveOut("state transfer failed")
			e.announce(ctx, sessionwire.Starting) // so that two that failed do not wait for each other
		case looked && !wait:
			e.joined(ctx)
			return
		}
		select {
		case <-changed:
		case <-discover.C:
			looked = true
		case <-timeout.C:
			e.cfg.Logger.Error("no member has given the sessions of the group", "after", e.cfg.StateTimeout, "sessions", e.Count(), "serves", e.cfg.Serve)
			e.n.incomplete.Add(1)
			if e.cfg.Serve {
				e.joined(ctx)
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

// provider returns a peer that can give all sessions, or else whether one will: of several
// the one that has failed to least often. One that does not answer may: if it has crashed,
// the group drops it.
func (e *Engine) provider() (best *peer, wait bool) {
	wait = e.awaited()
	for _, p := range *e.peers.Load() {
		stands, state := p.is()
		switch {
		case stands < silent && state == sessionwire.Ready:
			if best == nil || p.failed < best.failed {
				best, wait = p, true
			}
		case stands <= silent && state != sessionwire.Starting, stands < silent && p.node.Compare(e.site.Node()) < 0:
			wait = true
		}
	}
	return best, wait
}

// joined makes the node ready.
func (e *Engine) joined(ctx context.Context) {
	e.announce(ctx, sessionwire.Ready)
	close(e.ready)
	e.cfg.Logger.Info("sessions are here", "sessions", e.Count(), "peers", len(*e.peers.Load()))
	for _, p := range *e.peers.Load() {
		// What others have changed while the provider read may have passed us by.
		e.mend(p)
	}
}
