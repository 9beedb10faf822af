package session

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/gotribes/tribes/group"
	"github.com/gotribes/tribes/session/internal/record"
	"github.com/gotribes/tribes/session/internal/replica"
)

// Cluster makes a manager share its sessions with the members of a group that have a
// manager of the same name: each of them holds all sessions.
type Cluster struct {
	// Group is the member of the group. It must run before [Manager.Start], and be
	// stopped after [Manager.Close]. Several managers can share it. Required.
	Group *group.Group
	// Name is that of the application, the same on all nodes, at most 200 bytes; with
	// several hosts for instance "shop.example.com#/cart". Empty is a name too.
	Name string
	// Wait says what a response promises when it leaves.
	Wait Wait
	// Budget is how long a node may be silent while responses wait for it; 0 means
	// 500 ms. Then it is left out, which is logged and counted, and brought up to date
	// before it counts again.
	Budget time.Duration
	// Full sends the whole session after a request that has changed it, instead of the
	// change; with Always also after one that has not.
	Full, Always bool
	// StateTimeout is how long Start looks for a node that gives the sessions that there
	// are; 0 means 60 s. After it that is logged and counted in ClusterStats.Incomplete,
	// and the node goes on to look and is not ready; or with ServeIncomplete it serves
	// with what it has, Start returns nil, and the rest comes when the others answer.
	StateTimeout    time.Duration
	ServeIncomplete bool
	// BlockSessions and BlockBytes bound a message of a state transfer; 0 means 1000
	// sessions and 256 KiB.
	BlockSessions, BlockBytes int
	// TouchInterval is the least time between two messages that tell the others that a
	// session is in use; 0 means 10 s. A session whose node has crashed can live that
	// much longer than its timeout.
	TouchInterval time.Duration
	// ExpireOnStop makes [Manager.Close] end, on all nodes, the sessions that were last in
	// use on this one: as Invalidate does, and listeners are told. Nodes that do not answer
	// keep them until they expire, or until a node that has heard of it tells them. It is
	// for tests and for sessions that mean nothing without their node.
	ExpireOnStop bool
	// RemoteSessionEvents and RemoteAttributeEvents tell the listener what other nodes do
	// to sessions and to attributes.
	RemoteSessionEvents, RemoteAttributeEvents bool
	// Logger is told of nodes that come, go and do not answer, and of mistakes such as
	// two nodes with one route; nil discards. It should not be nil.
	Logger *slog.Logger
}

// Wait says what a response promises when it leaves: that other nodes have applied what
// its request has changed. A node that has no other to tell, or none that answers, goes
// on alone; that is counted in ClusterStats.Degraded, BackupStats.Alone or
// StoreNodeStats.Alone.
type Wait uint8

// The modes. The nodes that are meant are all others of a [Cluster], and the backups of a
// [Backup] or a [StoreNode]. With WaitOne a new session, a new id and an end wait for all nodes
// of a Cluster, or the others would not know what to ask for.
const (
	WaitAll     Wait = iota // all other nodes have applied it
	WaitOne                 // one other node has
	WaitWritten             // it was handed to the network for each; whether it arrives is not confirmed. Of a Cluster alone
	WaitNone                // nothing
)

// String returns all, one, written or none.
func (w Wait) String() string {
	if int(w) < len(waitText) {
		return waitText[w]
	}
	return "unknown"
}

var waitText = [...]string{"all", "one", "written", "none"}

// ErrNotReady is the error of [Manager.Start], and of writes, while the node does not have
// the sessions of its group, or cannot find them.
var ErrNotReady = replica.ErrNotReady

// ClusterStats are numbers of Config.Cluster, since the manager was made except for the
// first ones.
type ClusterStats struct {
	Peers   int // other nodes with these sessions
	Current int // of those, the ones that responses wait for

	Degraded     uint64 // changes that no other node has confirmed, because none was there or answered
	LeftOut      uint64 // times that a node did not answer within Budget and was left out
	Rejected     uint64 // changes that were refused, here or at another node
	Malformed    uint64 // messages that could not be read
	Strangers    uint64 // messages of members that had not introduced themselves
	Incompatible uint64 // introductions of members with another codec or version
	Duplicates   uint64 // nodes with the route of this one
	Refused      uint64 // questions of other nodes not answered because there were too many
	Gaps         uint64 // changes of which something before was missing, and was fetched
	Repaired     uint64 // sessions found different in a comparison, and repaired
	Incomplete   uint64 // starts that found no sessions within StateTimeout
}

func (c *Cluster) validate() error {
	var all []error
	check := func(bad bool, text string) {
		if bad {
			all = append(all, errors.New("tribes: session: cluster: "+text))
		}
	}
	check(c.Group == nil, "no group")
	check(len(c.Name) > 200, "name of more than 200 bytes")
	check(c.Wait > WaitNone, "unknown wait mode")
	check(c.Budget < 0 || c.StateTimeout < 0 || c.TouchInterval < 0, "negative duration")
	check(c.BlockSessions < 0 || c.BlockSessions > 1<<20, "BlockSessions: want 0 to 1048576")
	check(c.BlockBytes < 0 || c.BlockBytes > 16<<20, "BlockBytes: want 0 to 16777216")
	check(c.Always && !c.Full, "Always needs Full")
	return errors.Join(all...)
}

func (m *Manager) newEngine() (*replica.Engine, error) {
	c, limits := m.config.Cluster, m.config.Limits.record()
	log := c.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return replica.New(replica.Config{
		Group: c.Group, Name: c.Name, Codec: m.config.Codec.Name(), Route: m.config.Route,
		Limits: limits, Sessions: m.config.Limits.Sessions, Sweep: m.config.Sweep,
		Wait: replica.Wait(c.Wait), Budget: c.Budget, Full: c.Full, Always: c.Always,
		Touch: c.TouchInterval, StateTimeout: c.StateTimeout, Serve: c.ServeIncomplete,
		BlockSessions: c.BlockSessions, BlockBytes: c.BlockBytes,
		Attributes: c.RemoteAttributeEvents, Tell: m.remote,
		Failed: m.failed, Expire: func(h *held) { m.end(h, Expired) }, Logger: log.With("manager", c.Name),
	})
}

// failed is told of a node that has failed.
func (m *Manager) failed(n record.Node) {
	if m.keeper != nil {
		m.keeper.Orphaned(n)
	}
}

// remote tells the listener what another node has done.
func (m *Manager) remote(ev replica.Event) {
	c, l := m.config.Cluster, &m.config.Listener
	e := Event{ID: ID(ev.ID), OldID: ID(ev.OldID), Reason: Reason(ev.Reason), Name: ev.Name, Remote: true}
	switch ev.Kind {
	case replica.AttributeSet, replica.AttributeRemoved:
		if !c.RemoteAttributeEvents {
			return
		}
		e.Old, e.New = m.wrap(ev.Old), m.wrap(ev.New)
		if ev.Kind == replica.AttributeSet {
			tell(l.AttributeSet, e)
		} else {
			tell(l.AttributeRemoved, e)
		}
		return
	}
	if m.keeper != nil && ev.Kind == replica.Destroyed {
		m.keeper.Gone(ev.Entry, ev.ID, Reason(ev.Reason) == Expired)
	}
	if !c.RemoteSessionEvents {
		return
	}
	switch ev.Kind {
	case replica.Created:
		tell(l.Created, e)
	case replica.Destroyed:
		tell(l.Destroyed, e)
	case replica.Renamed:
		tell(l.IDChanged, e)
	}
}

// Start joins the other nodes of the Cluster or Backup, whose group must run, and returns
// when their sessions are here, or can be found. If ctx ends before, the error wraps
// ErrNotReady and the manager goes on to try; requests get 503 until [Manager.Ready]. Then it
// loads what is in the store of Persist.Preload, while requests are served. Without any of
// these it does nothing: a store is not asked whether it works.
func (m *Manager) Start(ctx context.Context) error {
	if m.group != nil {
		if err := m.group.Start(ctx); err != nil {
			return err
		}
	}
	if m.backup != nil {
		return m.startBackup(ctx)
	}
	if m.keeper == nil || !m.config.Persist.Preload {
		return nil
	}
	m.loading.Store(true)
	defer m.loading.Store(false)
	err := m.keeper.Preload(ctx)
	if err != nil && ctx.Err() == nil && m.config.Persist.OnError == ServeFromMemory {
		m.config.Persist.Logger.Error("sessions were not loaded from the store", "err", err)
		return nil
	}
	return err
}

// Ready reports whether the manager has all sessions and is not about to leave: whether
// a load balancer should send requests.
func (m *Manager) Ready() bool {
	return !m.loading.Load() && !m.leaving.Load() && (m.group == nil || m.group.Ready()) &&
		(m.backup == nil || m.backup.Ready())
}

// ReadyHandler answers 200 if the manager is ready, else 503, for load balancers.
func (m *Manager) ReadyHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if !m.Ready() {
			http.Error(w, "not ready", http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write([]byte("ready\n")) // a health check that has gone needs no answer
	})
}

// primary reports whether a session was last in use on this node, see [Session.Primary].
func (m *Manager) primary(h *held) bool {
	h.Mu.RLock()
	defer h.Mu.RUnlock()
	if route := m.idRoute(); route != "" && !m.unbind.Load() {
		return ID(h.Rec.ID()).Route() == route
	}
	_, here := h.Rec.LastTouch()
	return here
}

// Drain prepares the end of this node: it is not ready any more, still serves the
// requests that come, and Drain returns when the other nodes have everything. Stop the
// HTTP server in between: first Drain, so that load balancers turn away, then Shutdown,
// then Drain again for what came meanwhile, then Close. The error says how many changes
// are not confirmed when ctx ends. With Config.Persist and Config.Backup it also saves what
// is not stored.
func (m *Manager) Drain(ctx context.Context) error {
	var all []error
	m.leaving.Store(m.keeper != nil)
	if m.group != nil {
		all = append(all, m.group.Drain(ctx))
	}
	if m.keeper != nil {
		all = append(all, m.keeper.Flush(ctx))
	}
	return errors.Join(all...)
}

// BindRoute says whether a session that comes from another node gets the route of this
// one, so that its client stays here; it is so at first. It can be switched at any time.
func (m *Manager) BindRoute(on bool) { m.unbind.Store(!on) }

// ClusterStats returns the numbers of Config.Cluster now, read one after the other; zeros
// without.
func (m *Manager) ClusterStats() ClusterStats {
	if m.group == nil {
		return ClusterStats{}
	}
	return ClusterStats(m.group.Stats())
}

// take gives a request the session that the id of its cookie leads to. It reports whether
// that can still be used.
func (s *Session) take(h *held, id ID) bool {
	ok, primary := s.m.access(h)
	h.Mu.RLock()
	is, login := ID(h.Rec.ID()), h.Rec.LoginVersion()
	h.Mu.RUnlock()
	if !ok || is.Random() != id.Random() {
		return false // in the second case a login has come while it was looked for
	}
	s.h, s.came, s.known, s.primary, s.login = h, id, true, primary, login
	if route := s.m.idRoute(); route != "" && !s.m.unbind.Load() {
		s.primary = id.Route() == route || s.m.group == nil && s.m.keeper == nil
		if id.Route() != route {
			s.bind(h, id, route)
		}
	}
	// The client has another route: it is told, so that its load balancer finds the
	// session. Only if it is the same id: one that was renewed since is not for who has
	// the old one.
	now := ID(h.ID())
	s.send = now != id && now.Random() == id.Random()
	return true
}

// bind gives a session that comes from another node the route of this one.
func (s *Session) bind(h *held, sent ID, route string) {
	var old, id ID
	err := s.m.write(h, func(h *held) error {
		old = ID(h.Rec.ID())
		if old.Random() != sent.Random() || old.Route() == route {
			id = old
			return nil
		}
		id = ID(old.Random() + "." + route)
		if err := h.Rec.SetID(string(id)); err != nil {
			return err
		}
		s.m.b.Renamed(h, string(old))
		return nil
	})
	s.old = sent
	if err != nil || id == old {
		return // it has ended, or another request was faster
	}
	s.m.n.bound.Add(1)
	tell(s.m.config.Listener.IDChanged, Event{ID: id, OldID: old})
}

// OriginalID returns the id that the client has sent, if the session was on another node
// before and its id has the route of this one now; else "".
func (s *Session) OriginalID() ID {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.old
}

// Primary reports whether the request of this client before this one was on the same node;
// true for a new session, and without Cluster, Backup and Persist. It goes by the route that
// the client has sent. Without Config.Route, and with ids that keep another route (BindRoute), it goes by
// what nodes have told each other, which [Cluster].TouchInterval makes late: there it can be
// true although another node has served the session in between.
func (s *Session) Primary() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.primary
}
