package session

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"strings"
	"time"

	"github.com/gotribes/tribes/session/internal/persist"
	"github.com/gotribes/tribes/session/store"
)

// Persist makes a manager keep its sessions in a store as well as in memory, as Tomcat's
// PersistentManager does: they outlive the process, and those that are not used need not be
// in memory. Several nodes can have one store.
//
// In memory a session is found at once. One that is not is loaded by the request that needs
// it. What a request has changed is saved when the fields below say so; nothing else is ever
// saved. Two nodes that save one session do not overwrite each other: the one that comes
// second loads, merges and saves again, and no write of either is lost. Of two writes to one
// name that did not know of each other, with EachRequest or WriteThrough, the one that is saved
// last counts; otherwise either.
//
// Durations are those of Config: 0 is the default, negative is off.
type Persist struct {
	// Store is where the sessions are. It is shared by nodes of one application only; the
	// manager does not close it. Required.
	Store store.Store

	// EachRequest saves what a request has changed before its response leaves. Without it,
	// and without WriteThrough, a crash loses what was not saved yet.
	EachRequest bool
	// WriteThrough saves each change by itself, before the call that makes it returns
	// (Hazelcast's deferredWrite=false).
	WriteThrough bool
	// Check compares the session of each request with the store first, one call of it: for
	// clients that go to another node with each request (sticky=false). Without it what is
	// in memory is trusted, unless the id says, by its route, that the client was elsewhere.
	// With a Cluster the nodes tell each other, and Check is an error.
	Check bool

	// SaveAfterIdle is how long a session that was changed is not used before it is saved
	// (maxIdleBackup); the default is 20 s. Looked at once in a Sweep.
	SaveAfterIdle time.Duration
	// SaveWithin is how long a change waits to be saved at most, in use or not; the default
	// is a minute. A crash without EachRequest costs the changes of SaveWithin and a Sweep.
	SaveWithin time.Duration
	// SwapAfterIdle is how long a session is not used before it leaves memory (maxIdleSwap);
	// off by default. One that a request has, or with values of Config.LocalOnly, stays.
	SwapAfterIdle time.Duration
	// SwapMinIdle is how long a session that leaves memory was not used at least
	// (minIdleSwap); by default any time.
	SwapMinIdle time.Duration
	// InMemory is how many sessions should be in memory: of more, those that were not used
	// for longest leave. 0 is no limit but Limits.Sessions, at which new sessions are
	// refused. With a Cluster, where all nodes have all sessions, it is an error, as is
	// SwapAfterIdle.
	InMemory int
	// ForgetOnClose makes [Manager.Close] save nothing (saveOnRestart=false).
	ForgetOnClose bool
	// Preload makes [Manager.Start] load the sessions that there are, up to InMemory. The
	// store must be a [store.Lister]. Otherwise each is loaded when it is needed.
	Preload bool

	// OnError says what happens to requests while the store does not work.
	OnError OnError
	// Timeout is how long one call of the store may take; 0 means 2 s.
	Timeout time.Duration
	// Calls is how many calls of the store there are at a time; 0 means 32.
	Calls int
	// TouchInterval is the least time between two calls that tell the store that a session
	// is in use that does not change; 0 means a minute, and it is a quarter of the session's
	// timeout at most. The store keeps a session, and another node uses it, that much
	// longer than its timeout.
	TouchInterval time.Duration
	// ExpireInterval is about how long it is between two calls that make the store remove
	// what has expired, if it is a [store.Expirer]; 0 means a minute.
	ExpireInterval time.Duration
	// Logger is told when the store stops working and when it works again, and of sessions
	// that cannot be read or saved; nil discards. It should not be nil.
	Logger *slog.Logger
}

// OnError says what happens to requests while a store does not work.
type OnError uint8

// The values of Persist.OnError. With both, a request whose session is not in memory gets
// 503, since nobody knows whether there is one; and so does one whose changes, with
// EachRequest or WriteThrough, find that the store does not have the session any more, because
// another node has ended it or the store has lost it.
const (
	// ServeFromMemory serves sessions that are in memory, and new ones, and saves them when
	// the store works again. A crash until then loses what was not saved.
	ServeFromMemory OnError = iota
	// Fail answers 503 to a request whose changes, with EachRequest or WriteThrough, cannot
	// be saved, or whose session, with Check, cannot be compared. As always with a request
	// that has failed, what it has changed may be there later: it stays in memory, and is
	// saved when that works.
	Fail
)

// String returns memory or fail.
func (o OnError) String() string {
	if o == Fail {
		return "fail"
	}
	return "memory"
}

// ErrStore is the error of a session that cannot be had because its store does not work.
var ErrStore = persist.ErrStore

// PersistStats are numbers of a store and of what is kept in it, since the manager was made
// except for the first ones. With Config.Backup the store is the primary and the backups.
type PersistStats struct {
	InMemory int  // sessions in the memory of this node
	Unsaved  int  // of those, the ones with changes that are not stored
	Down     bool // the last call of the store has failed

	Loads      uint64 // sessions that the store gave, also to compare
	Misses     uint64 // sessions that it did not have
	SwappedIn  uint64 // sessions that came into memory
	SwappedOut uint64 // sessions that left it
	Saves      uint64
	SavedBytes uint64
	Touches    uint64 // accesses that the store was told of
	Deletes    uint64
	Expired    uint64 // sessions that the store has removed when it was told to

	Conflicts  uint64 // saves that another node had overtaken; they were merged
	Lost       uint64 // sessions that were deleted elsewhere
	Failed     uint64 // saves that did not work
	TooLarge   uint64 // of those, the ones of sessions too large for the store
	Unreadable uint64 // stored sessions that could not be read
	Forgotten  uint64 // ids of sessions that have ended, not remembered since too many are to be deleted

	Calls       uint64        // calls of the store
	StoreErrors uint64        // of those, the ones that failed
	CallTime    time.Duration // that all calls took together
	SlowestCall time.Duration
}

// withDefaults returns p with defaults in place of zeros.
func (p Persist) withDefaults() *Persist {
	def(&p.SaveAfterIdle, 20*time.Second)
	def(&p.SaveWithin, time.Minute)
	def(&p.SwapAfterIdle, -1)
	def(&p.Timeout, 2*time.Second)
	def(&p.Calls, 32)
	def(&p.TouchInterval, time.Minute)
	def(&p.ExpireInterval, time.Minute)
	if p.Logger == nil {
		p.Logger = slog.New(slog.DiscardHandler)
	}
	return &p
}

func (p *Persist) validate(cluster bool) error {
	var all []error
	check := func(bad bool, text string) {
		if bad {
			all = append(all, errors.New("tribes: session: persist: "+text))
		}
	}
	_, lists := p.Store.(store.Lister)
	check(p.Store == nil, "no store")
	check(p.Store != nil && p.Preload && !lists, "Preload: the store cannot list")
	check(p.Timeout < 0 || p.TouchInterval < 0 || p.ExpireInterval < 0, "negative duration")
	check(p.Calls < 0 || p.InMemory < 0, "negative number")
	check(p.OnError > Fail, "unknown OnError")
	check(p.SwapAfterIdle > 0 && p.SwapAfterIdle < p.SwapMinIdle, "SwapAfterIdle is below SwapMinIdle")
	check(cluster && p.Check, "Check with a Cluster, whose nodes tell each other")
	check(cluster && (p.InMemory > 0 || p.SwapAfterIdle > 0), "InMemory or SwapAfterIdle with a Cluster, whose nodes have all sessions")
	return errors.Join(all...)
}

// maxOwed is how many ids of sessions that have ended are remembered while they cannot be
// deleted in the store.
const maxOwed = 1 << 20

func (m *Manager) keeperConfig() persist.Config {
	c, p := &m.config, m.config.Persist
	route := c.Route
	if c.Cookie.RouteName != "" {
		route = ""
	}
	return persist.Config{
		Store: p.Store, Codec: c.Codec.Name(), Limits: c.Limits.record(), ID: storeID, Route: route, Shared: c.Cluster != nil,
		EachRequest: p.EachRequest || p.WriteThrough, Check: p.Check, Strict: p.OnError == Fail,
		SaveAfterIdle: p.SaveAfterIdle, SaveWithin: p.SaveWithin, SwapAfterIdle: p.SwapAfterIdle, SwapMinIdle: p.SwapMinIdle,
		InMemory: p.InMemory, Owed: maxOwed, Forget: p.ForgetOnClose,
		Touch: p.TouchInterval, Timeout: p.Timeout, Calls: p.Calls, Sweep: c.Sweep, Expire: p.ExpireInterval,
		Lapse: func(h *held) { m.end(h, Expired) }, Lost: m.lost, Moved: m.moved, Logger: p.Logger,
	}
}

// storeID returns what the session of an id is stored under: the id without its route, and
// for a token of scs, which may have any bytes, a hash of it that is no id of ours.
func storeID(id string) string {
	token, scs := strings.CutPrefix(id, scsPrefix)
	if scs {
		return hashToken(token)
	}
	return ID(id).Random()
}

// lost ends a session that was deleted elsewhere.
func (m *Manager) lost(h *held) {
	h.Mu.Lock()
	id := ID(h.Rec.ID())
	err := m.keeper.Drop(h)
	h.Mu.Unlock()
	if err == nil {
		tell(m.config.Listener.Destroyed, Event{ID: id, Reason: Invalidated, Remote: true})
	}
}

// moved tells the listener of a session that has come from the store or left for it.
func (m *Manager) moved(id string, loaded bool) {
	if loaded {
		tell(m.config.Listener.Activated, Event{ID: ID(id)})
	} else {
		tell(m.config.Listener.Passivated, Event{ID: ID(id)})
	}
}

// expire is told by the sweep of a session whose time is over as far as is known here. If
// another node may have used it since, the keeper asks the store first.
func (m *Manager) expire(h *held) {
	if m.keeper == nil {
		m.end(h, Expired)
	}
}

// endWhole invalidates a session, which it finds again if it leaves memory meanwhile, and
// reports whether it did.
func (m *Manager) endWhole(h *held) (*held, bool) {
	for range maxReloads {
		if h == nil || m.end(h, Invalidated) {
			return h, h != nil
		}
		h.Mu.RLock()
		left := swappedOut(h)
		h.Mu.RUnlock()
		if !left {
			break // it has ended before
		}
		again, err := m.look(h.ID())
		if err != nil {
			break
		}
		h = again
	}
	return h, false
}

// release is the end of a request's use of a session.
func (m *Manager) release(h *held) {
	if m.keeper != nil {
		m.keeper.Release(h)
	}
}

// look returns the session that an id leads to, outside of a request.
func (m *Manager) look(id string) (*held, error) {
	if m.keeper != nil {
		return m.keeper.Look(id)
	}
	return m.b.Peek(id), nil
}

// everything goes through all sessions, with those that only the store has.
func (m *Manager) everything(ctx context.Context) iter.Seq2[*held, error] {
	if m.keeper != nil {
		return m.keeper.Everything(ctx)
	}
	return func(yield func(*held, error) bool) {
		for h := range m.b.All() {
			if !yield(h, nil) {
				return
			}
		}
	}
}

// Stored is All with the sessions that only the store of Config.Persist has. Each of them
// comes into memory when it is its turn. It ends with an error if the store cannot list, or
// does not work.
func (m *Manager) Stored(ctx context.Context) iter.Seq2[*Session, error] {
	return func(yield func(*Session, error) bool) {
		for h, err := range m.everything(ctx) {
			if err != nil {
				yield(nil, err)
				return
			}
			if s := m.outside(h); s != nil && isClient(s.ID()) && !yield(s, nil) {
				return
			}
		}
	}
}

// PersistStats returns the numbers of the store now, read one after the other; zeros without
// Config.Persist and Config.Backup. It looks at each session in memory.
func (m *Manager) PersistStats() PersistStats {
	if m.keeper == nil {
		return PersistStats{}
	}
	return PersistStats(m.keeper.Stats())
}
