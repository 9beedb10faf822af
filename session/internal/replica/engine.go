package replica

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gotribes/tribes/group"
	"github.com/gotribes/tribes/internal/peers"
	"github.com/gotribes/tribes/session/internal/record"
	"github.com/gotribes/tribes/session/internal/sessionwire"
	"github.com/gotribes/tribes/session/internal/table"
)

// ErrNotReady is the error of a look-up on a node that has not got its sessions yet, and
// of a start whose time was over before it had.
var ErrNotReady = errors.New("tribes: session: sessions of the group are not here yet")

// Engine keeps the sessions of a manager. Its methods can be called from any number of
// goroutines.
type Engine struct {
	cfg   Config
	tab   *table.Table
	site  *record.Site
	topic *group.Topic
	tombs tombs
	n     counters

	ctx      context.Context // ends with Close
	cancel   context.CancelFunc
	wg       sync.WaitGroup // goroutines
	commits  sync.WaitGroup // none begins once it is closed
	busy     chan struct{}  // has room for those that answer others
	ready    chan struct{}  // closed when all sessions are here
	draining atomic.Bool
	requests atomic.Uint64 // the last number of a request of ours
	peers    *peers.Set[*peer]
	loaded   record.Key // up to which the state transfer has come; used by load alone

	mu sync.Mutex
	// The rest is guarded by mu.
	begun, closed bool
	loads         map[uint64]*load
	checks        map[uint64]*check
	gaps          map[record.Key]record.Node // sessions of which something is missing, and who has it
	gap           chan struct{}              // has room for one: there are gaps
	touches       map[record.Key]bool        // sessions to tell of that they are in use
	ends          map[record.Key]sessionwire.End
	undo          []func() // what ends with Close
}

// New returns an engine for a member of a group. It tells nobody of itself before Start.
func New(c Config) (*Engine, error) {
	c = c.withDefaults()
	topic, err := c.Group.Topic("session:" + c.Name)
	if err != nil {
		return nil, fmt.Errorf("tribes: session: manager %q: %w", c.Name, err)
	}
	e := &Engine{
		cfg: c, topic: topic, busy: make(chan struct{}, 16), ready: make(chan struct{}),
		gap:   make(chan struct{}, 1),
		loads: make(map[uint64]*load), checks: make(map[uint64]*check),
		gaps:    make(map[record.Key]record.Node),
		touches: make(map[record.Key]bool), ends: make(map[record.Key]sessionwire.End),
	}
	e.ctx, e.cancel = context.WithCancel(context.Background())
	e.tab = table.New(table.Config{Max: c.Sessions, Every: c.Sweep, Expire: e.expire, Keyed: true})
	e.tombs.m = make(map[record.Key]tomb)
	e.peers = e.newPeers()
	return e, nil
}

// Start joins the others that have the same manager. The group must run. It returns when
// all sessions are here, or when ctx ends, with ErrNotReady; the engine goes on to try.
func (e *Engine) Start(ctx context.Context) error {
	e.mu.Lock()
	local := e.cfg.Group.Local()
	if local == nil {
		e.mu.Unlock()
		return fmt.Errorf("tribes: session: group does not run")
	}
	if e.closed {
		e.mu.Unlock()
		return table.ErrClosed
	}
	if !e.begun {
		e.begun = true
		e.site = record.NewSite(local.ID(), e.cfg.Limits, e.cfg.Attributes)
		e.peers.Begin(local.ID())
		e.undo = append(e.undo, e.topic.Listen(e.receive), e.cfg.Group.Watch(watcher{e}))
		e.spawn(e.peers.Join)
		e.spawn(e.fill)
		e.spawn(e.tick)
	}
	e.mu.Unlock()
	select {
	case <-e.ready:
		return nil
	case <-e.ctx.Done():
		return table.ErrClosed
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrNotReady, context.Cause(ctx))
	}
}

// spawn runs f until the engine is closed. The caller holds e.mu, or is run by spawn.
func (e *Engine) spawn(f func(context.Context)) { e.wg.Go(func() { f(e.ctx) }) }

// answer runs f, which answers a question of a peer, when there is a place. One peer has no
// more than a few questions open, so that the others get answers whatever it does; further
// ones are not answered, and the peer asks again. It may be called from a listener.
func (e *Engine) answer(p *peer, f func(context.Context)) {
	if p.asks.Add(1) > perPeer {
		p.asks.Add(-1)
		e.n.refused.Add(1)
		return
	}
	e.run(func(ctx context.Context) {
		defer p.asks.Add(-1)
		select {
		case e.busy <- struct{}{}:
			defer func() { <-e.busy }()
			f(ctx)
		case <-ctx.Done():
		}
	})
}

// Usable fails with ErrNotReady while the sessions of the group are not here.
func (e *Engine) Usable() error {
	if e.whole() {
		return nil
	}
	return ErrNotReady
}

// Ready reports whether all sessions are here and the node does not drain.
func (e *Engine) Ready() bool { return e.whole() && !e.draining.Load() }

// whole reports whether all sessions are here.
func (e *Engine) whole() bool {
	select {
	case <-e.ready:
		return true
	default:
		return false
	}
}

// Drain makes the node not ready and waits until its peers have all changes.
func (e *Engine) Drain(ctx context.Context) error {
	e.draining.Store(true)
	e.flush()
	for {
		changed := e.peers.Changed()
		waits := 0
		for _, p := range e.peers.All() {
			waits += p.Waits()
		}
		if waits == 0 {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("tribes: session: %d changes not confirmed: %w", waits, context.Cause(ctx))
		}
	}
}

// Close waits for commits that go on, for Config.Budget at most, says goodbye to the peers, drops
// all sessions and waits for everything that was begun.
func (e *Engine) Close() {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		e.wg.Wait()
		return
	}
	e.closed = true
	undo, begun := e.undo, e.begun
	e.mu.Unlock()
	e.awaitCommits() // from the goodbye on some peers take a change and others do not
	e.peers.Close()
	if begun {
		ctx, cancel := context.WithTimeout(e.ctx, e.cfg.Budget)
		e.peers.Broadcast(ctx, sessionwire.Append(nil, &sessionwire.Bye{})) // who does not hear it sees the member leave
		cancel()
	}
	for _, f := range undo {
		f()
	}
	e.cancel()
	e.peers.Leave()
	e.wg.Wait()
	e.tab.Close()
}

func (e *Engine) awaitCommits() {
	done := make(chan struct{})
	e.wg.Go(func() { // ends at last with the peers
		e.commits.Wait()
		close(done)
	})
	select {
	case <-done:
	case <-time.After(e.cfg.Budget):
		e.cfg.Logger.Warn("changes not confirmed by all", "waited", e.cfg.Budget)
	}
}

// Create returns a session that nobody else can find yet. Before Start it panics.
func (e *Engine) Create() *table.Entry {
	var key record.Key
	rand.Read(key[:]) // never fails
	return &table.Entry{Rec: record.New(e.site, key)}
}

// Add makes a session findable by its id.
func (e *Engine) Add(h *table.Entry) error { return e.tab.Add(h) }

// Find returns the session that an id leads to, nil if there is none. It fails with
// ErrNotReady while the sessions of the group are not here.
func (e *Engine) Find(ctx context.Context, id string) (*table.Entry, error) {
	if !e.whole() {
		return nil, ErrNotReady
	}
	h := e.tab.Find(id)
	if h == nil {
		return nil, nil
	}
	h.Mu.RLock()
	whole, key := h.Whole, h.Rec.Key()
	_, here := h.Rec.LastTouch()
	h.Mu.RUnlock()
	switch {
	case whole == nil && !here && e.cfg.Wait == One:
		e.ask(ctx, key)
		return e.tab.Find(id), nil
	case whole == nil:
		return h, nil
	}
	select { // what overtook its beginning waits for it
	case <-whole:
		return e.tab.Find(id), nil
	case <-time.After(e.cfg.Stall):
		return nil, ErrNotReady
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// Peek is Find for a look from outside: it waits for nothing.
func (e *Engine) Peek(id string) *table.Entry { return e.tab.Find(id) }

// All goes through the sessions.
func (e *Engine) All() iter.Seq[*table.Entry] { return e.tab.All() }

// Now is the time by the clock of the sessions.
func (e *Engine) Now() time.Duration { return e.tab.Now() }

// Count returns how many sessions there are.
func (e *Engine) Count() int { return e.tab.Count() }

// Wrote is told of a write. The caller holds h.Mu.
func (e *Engine) Wrote(*table.Entry) {}

// Renamed is told of a new id. The caller holds h.Mu.
func (e *Engine) Renamed(h *table.Entry, old string) {
	if table.Random(old) != table.Random(h.Rec.ID()) {
		e.tab.Unname(old, h)
	}
	if !h.Gone() && e.tab.Name(h.Rec.ID(), h) != nil {
		e.tab.Remove(h) // closed in between
	}
}

// End ends a session. It fails with record.ErrEnded. The caller holds h.Mu. That it was
// invalidated goes out with the next Commit.
func (e *Engine) End(h *table.Entry, why record.Reason) error {
	id, touch, timeout := h.Rec.ID(), lastTouch(h), h.Rec.Timeout()
	if err := h.Rec.End(why); err != nil {
		return err
	}
	if why == record.Expired {
		e.tab.Remove(h, id)
		h.Rec.Take(e.Now())
		e.mu.Lock()
		e.ends[h.Rec.Key()] = sessionwire.End{Key: h.Rec.Key(), End: record.End{Version: touch, Reason: why}}
		e.mu.Unlock()
		return nil
	}
	end, _ := h.Rec.Ended()
	e.tombs.add(h.Rec.Key(), end, e.Now(), timeout) // before it can be received anew
	e.tab.Remove(h, id)
	return nil
}

// lastTouch returns a version that says when the session was last in use.
func lastTouch(h *table.Entry) record.Version {
	v, _ := h.Rec.LastTouch()
	return v
}

// Commit sends what was written to a session and returns when that is as safe as
// Config.Wait says. It fails with table.ErrClosed once the engine is closed.
func (e *Engine) Commit(ctx context.Context, h *table.Entry) error {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return table.ErrClosed
	}
	e.commits.Add(1)
	e.mu.Unlock()
	defer e.commits.Done()
	h.Order.Lock()
	f := e.take(h)
	h.Order.Unlock()
	if f == nil {
		return nil
	}
	err := f.Wait(ctx)
	if ff, ok := f.(*flight); ok && err == nil && e.cfg.Wait < None && ff.degraded() {
		e.n.degraded.Add(1)
	}
	return err
}

// take sends what is to be sent, and returns what there is to wait for. The caller holds
// h.Order.
func (e *Engine) take(h *table.Entry) table.Waiter {
	now := e.Now()
	h.Mu.Lock()
	if !h.Rec.Pending() && !(e.cfg.Full && e.cfg.Always && !h.Gone()) {
		defer h.Mu.Unlock()
		if f, ok := h.Sent.(*flight); ok && f.over() {
			h.Sent = nil
		}
		return h.Sent
	}
	h.Due(now, 0)
	var m sessionwire.Message
	_, ended := h.Rec.Ended()
	c := h.Rec.Take(now)
	if e.cfg.Full && !ended {
		m = &sessionwire.StateBlock{Last: true, Sessions: []record.Snapshot{*h.Rec.Snapshot(now)}}
	} else if c != nil {
		m = &sessionwire.Change{Change: *c}
	}
	prev, _ := h.Sent.(*flight)
	h.Mu.Unlock()
	if m == nil {
		return nil
	}
	// A node without the id asks nobody, and of what has ended nobody says anything.
	f := e.fly(m, prev, e.cfg.Wait == One && c != nil && (len(c.IDs) > 0 || ended))
	h.Mu.Lock()
	h.Sent = f
	h.Mu.Unlock()
	return f
}
