package session

import (
	"errors"
	"iter"
	"sync/atomic"

	"github.com/gotribes/tribes/session/internal/mapstore"
	"github.com/gotribes/tribes/session/internal/persist"
	"github.com/gotribes/tribes/session/internal/record"
	"github.com/gotribes/tribes/session/internal/replica"
)

// Manager holds the sessions of one application: in the memory of this process, and where
// Config.Cluster, Backup and Persist say. Its methods can be called from any number of
// goroutines.
type Manager struct {
	config  Config
	b       backend
	group   *replica.Engine // b or beneath it, if there is a cluster; else nil
	keeper  *persist.Keeper // b, if there is a store; else nil
	backup  *mapstore.Store // that store, if it is one of Config.Backup; else nil
	unbind  atomic.Bool     // ids keep the route of another node
	loading atomic.Bool     // the sessions of a store are not here yet
	leaving atomic.Bool     // with a store: Drain was called
	turns   turns
	n       counters
}

// counters are the numbers of Stats.
type counters struct {
	created, invalidated, expired, renewed, bound atomic.Uint64
	malformed, unknown, repeated, refused, failed atomic.Uint64
}

// New returns a manager. It starts nothing; while there are sessions it has a timer.
// The error names everything that is wrong with c.
func New(c Config) (*Manager, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	m := &Manager{config: c}
	if c.Backup != nil {
		if err := m.newBackup(); err != nil {
			return nil, err
		}
	}
	var in persist.Inner
	if c.Cluster == nil {
		in = newLocal(&m.config, m.expire)
	} else if m.group, err = m.newEngine(); err != nil {
		return nil, err
	} else {
		in = m.group
	}
	if m.backup != nil {
		in = unless{in, m}
	}
	m.b = in
	if m.config.Persist != nil {
		m.keeper = persist.New(in, m.keeperConfig())
		m.b = m.keeper
	}
	return m, nil
}

// Close drops all sessions and waits for a sweep that runs. The other nodes of a cluster
// keep them, but see [Cluster].ExpireOnStop. Listeners, which are told of those only that
// this ends, must not call it. From then on no request has a session, and writes that would
// make one fail with ErrClosed. A second call does nothing. The error is that of
// Config.Persist, whose store did not take everything.
func (m *Manager) Close() error {
	if c := m.config.Cluster; c != nil && c.ExpireOnStop {
		m.group.EndOwn(func(h *held) bool { return m.primary(h) && m.end(h, Invalidated) })
	}
	if m.backup != nil {
		return m.closeBackup()
	}
	if m.keeper != nil {
		return m.keeper.Stop()
	}
	m.b.Close()
	return nil
}

// Stats are numbers of a manager, since it was made except for Sessions.
type Stats struct {
	Sessions    int    // in the memory of this node, with those that have expired since the last sweep
	Created     uint64 // sessions
	Invalidated uint64
	Expired     uint64
	Renewed     uint64 // ids
	Bound       uint64 // sessions that came from another node

	Malformed uint64 // cookies that no manager has made
	Unknown   uint64 // ids that lead nowhere: expired, invalidated, renewed or invented
	Repeated  uint64 // requests with several session cookies, or too much of them
	Refused   uint64 // sessions that Limits.Sessions did not allow
	Failed    uint64 // sessions that could not be read or stored; never of those in memory
}

// Stats returns the numbers now. They are read one after the other.
func (m *Manager) Stats() Stats {
	return Stats{
		Sessions: m.b.Count(),
		Created:  m.n.created.Load(), Invalidated: m.n.invalidated.Load(),
		Expired: m.n.expired.Load(), Renewed: m.n.renewed.Load(), Bound: m.n.bound.Load(),
		Malformed: m.n.malformed.Load(), Unknown: m.n.unknown.Load(),
		Repeated: m.n.repeated.Load(), Refused: m.n.refused.Load(), Failed: m.n.failed.Load(),
	}
}

// Lookup returns the session that an id leads to, outside of a request: to look into
// it, or to end it from elsewhere. That does not count as an access. What needs a
// cookie, such as Renew, fails with ErrHeaderWritten. It looks at what this node has, also
// while that is not ready, and with Config.Persist at the store; each write goes to the
// other nodes, and there with EachRequest, by itself. A store that does not work is counted
// in Stats.Failed.
func (m *Manager) Lookup(id string) (*Session, bool) {
	parsed, ok := parseID(id)
	if !ok {
		return nil, false
	}
	h, err := m.look(string(parsed))
	if err != nil {
		m.n.failed.Add(1)
	}
	if h == nil || err != nil {
		return nil, false
	}
	s := m.outside(h)
	return s, s != nil
}

// All goes through the sessions in memory, as Lookup would return them, in no order.
// Sessions that come or go meanwhile may be in it or not. See [Manager.Stored] for those
// that only a store has.
func (m *Manager) All() iter.Seq[*Session] {
	return func(yield func(*Session) bool) {
		for h := range m.b.All() {
			if s := m.outside(h); s != nil && isClient(s.ID()) && !yield(s) {
				return
			}
		}
	}
}

// isClient tells sessions of clients from what SCS keeps.
func isClient(id ID) bool {
	_, ok := parseID(string(id))
	return ok
}

// outside returns h without a request, nil if it is over.
func (m *Manager) outside(h *held) *Session {
	if ID(h.ID()) == "" || h.Expired(m.b.Now()) {
		return nil
	}
	return &Session{m: m, h: h, written: true, alone: true}
}

// access notes that a request uses h, and reports whether it still can, and whether
// the last one was on this node.
func (m *Manager) access(h *held) (ok, primary bool) {
	now := m.b.Now()
	h.Mu.Lock()
	_, primary = h.Rec.LastTouch()
	_, ended := h.Rec.Ended()
	expired := h.Expired(now)
	if !ended && !expired {
		h.Touch(now)
		m.b.Accessed(h)
	}
	h.Mu.Unlock()
	if expired {
		m.end(h, Expired)
	}
	return !ended && !expired, primary
}

// write runs f on a session that can be found.
func (m *Manager) write(h *held, f func(*held) error) error {
	h.Mu.Lock()
	defer h.Mu.Unlock()
	if h.Expired(m.b.Now()) {
		return ErrEnded
	}
	if swappedOut(h) {
		return errSwapped
	}
	if err := f(h); err != nil {
		return err
	}
	m.b.Wrote(h)
	return nil
}

// errSwapped is the error of a write to a session that has left memory for a store.
var errSwapped = errors.New("tribes: session: not in memory any more")

// swappedOut reports whether the session has left memory, so that h is only what it was then.
// The caller holds h.Mu.
func swappedOut(h *held) bool { return h.Kept != nil && h.Kept.Swapped }

// end ends a session, an expired one only if it still is, and reports whether it did.
func (m *Manager) end(h *held, why Reason) bool {
	h.Mu.Lock()
	if why == Expired && !h.Expired(m.b.Now()) {
		h.Mu.Unlock()
		return false
	}
	if swappedOut(h) {
		h.Mu.Unlock()
		return false
	}
	id := ID(h.Rec.ID())
	err := m.b.End(h, record.Reason(why))
	h.Mu.Unlock()
	if err != nil { // has ended before
		return false
	}
	if why == Expired {
		m.n.expired.Add(1)
	} else {
		m.n.invalidated.Add(1)
	}
	tell(m.config.Listener.Destroyed, Event{ID: id, Reason: why})
	return true
}
