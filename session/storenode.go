package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gotribes/tribes/group"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/replmap"
	"github.com/gotribes/tribes/session/internal/mapstore"
	"github.com/gotribes/tribes/session/internal/stored"
	"github.com/gotribes/tribes/session/internal/storewire"
	"github.com/gotribes/tribes/session/store"
)

// StoreNodeConfig is how a [StoreNode] is set up.
type StoreNodeConfig struct {
	// Group is the member of the group. It must run before [StoreNode.Start], and be
	// stopped after [StoreNode.Close]. Required.
	Group *group.Group
	// Name is that of the sessions, the same on all store nodes and clients, at most 150
	// bytes: that of the application, so that several can have their sessions on the same
	// nodes, with a StoreNode each.
	Name string
	// Backups is how many other nodes have each session; 0 means 1, and negative that all
	// nodes have all sessions; at most 100. The same on all store nodes.
	Backups int
	// Wait says what a save promises when it has succeeded: that all those backups have it,
	// that one has, or nothing. [WaitWritten] is an error.
	Wait Wait
	// Budget is how long a node may be silent while saves wait for it; 0 means 500 ms.
	Budget time.Duration
	// MaxData is the most bytes that a session may have; 0 means 16 MiB, at most 48 MiB.
	MaxData int
	// Concurrency is how many calls of clients are processed at the same time; 0 means 64.
	// Some hundreds more may wait, in a bounded number of bytes; the rest is refused, and
	// tries another node.
	Concurrency int
	// Logger is told of nodes that come, go and do not answer; nil discards.
	Logger *slog.Logger
}

const maxStoreData = 48 << 20

func (c StoreNodeConfig) withDefaults() (StoreNodeConfig, error) {
	def(&c.Backups, 1)
	def(&c.MaxData, mapstore.DefaultMaxData)
	def(&c.Concurrency, 64)
	c.Backups = max(c.Backups, 0)
	var all []error
	check := func(bad bool, format string, args ...any) {
		if bad {
			all = append(all, fmt.Errorf("tribes: session: store node: "+format, args...))
		}
	}
	check(c.Group == nil, "no group")
	check(len(c.Name) > mapstore.MaxName, "name of %d bytes, want at most %d", len(c.Name), mapstore.MaxName)
	check(c.MaxData < 0 || c.MaxData > maxStoreData, "MaxData %d: want 1 to %d", c.MaxData, maxStoreData)
	check(c.Concurrency < 0, "Concurrency %d: want more than 0", c.Concurrency)
	check(c.Budget < 0, "negative budget")
	if _, ok := mapWaits[c.Wait]; !ok {
		check(true, "wait mode %v: want all, one or none", c.Wait)
	}
	return c, errors.Join(all...)
}

// mapWaits are the wait modes of maps.
var mapWaits = map[Wait]replmap.Wait{WaitAll: replmap.WaitAll, WaitOne: replmap.WaitOne, WaitNone: replmap.WaitNone}

// StoreNode holds sessions in its memory, together with the other store nodes of a group,
// for web nodes that hold none and have a [Client]. Web nodes come and go without moving a
// session, and so does a store node, as long as no more of them are lost at the same time
// than there are backups. Its methods can be called from any number of goroutines.
type StoreNode struct {
	cfg    StoreNodeConfig
	m      *mapstore.Store
	rpc    *group.TypedRPC[*storewire.Request, *storewire.Answer]
	remove func()
	n      storeCounters

	mu             sync.Mutex
	begun, leaving bool
	active         int
	idle           chan struct{} // closed when nothing is active, while somebody waits for it
}

type storeCounters struct {
	loads, misses, saves, conflicts, touches, deletes, elsewhere, failed atomic.Uint64
}

// NewStoreNode returns a store node that tells nobody of itself before Start. The error
// joins everything that is wrong with the configuration.
func NewStoreNode(c StoreNodeConfig) (*StoreNode, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	m, err := mapstore.New(mapstore.Config{
		Group: c.Group, Name: c.Name, Backups: c.Backups, Wait: mapWaits[c.Wait], Budget: c.Budget,
		MaxData: c.MaxData, Merge: stored.Merge, Logger: c.Logger,
	})
	if err != nil {
		return nil, err
	}
	n := &StoreNode{cfg: c, m: m}
	n.rpc, err = storeRPC(c.Group, c.Name)
	return n, err
}

// storeRPC is the remote call of store nodes.
func storeRPC(g *group.Group, name string) (*group.TypedRPC[*storewire.Request, *storewire.Answer], error) {
	rpc, err := g.RPC("sessions:" + name)
	if err != nil {
		return nil, err
	}
	return group.NewTypedRPC[*storewire.Request, *storewire.Answer](rpc, storewire.Codec{}), nil
}

// Start joins the other store nodes, and returns when this one can find all sessions. If
// ctx ends before, the node goes on to try, and clients ask others meanwhile.
func (n *StoreNode) Start(ctx context.Context) error {
	if err := n.begin(); err != nil {
		return err
	}
	return n.m.Start(ctx)
}

// begin makes clients find this node.
func (n *StoreNode) begin() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.leaving {
		return ErrClosed
	}
	if n.begun {
		return nil
	}
	remove, err := n.rpc.Handle(n.serve, group.HandlerConfig{
		Concurrency: n.cfg.Concurrency, QueueBytes: 4 * n.cfg.MaxData,
	})
	n.begun, n.remove = err == nil, remove
	return err
}

// Ready reports whether clients are served.
func (n *StoreNode) Ready() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.begun && !n.leaving && n.m.Ready()
}

// Drain sends clients to other nodes from now on, and returns when those that are served
// have their answers, or when ctx ends, with its cause.
func (n *StoreNode) Drain(ctx context.Context) error {
	n.mu.Lock()
	n.leaving = true
	if n.active == 0 {
		n.mu.Unlock()
		return nil
	}
	if n.idle == nil {
		n.idle = make(chan struct{})
	}
	idle := n.idle
	n.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Close is Drain, and then leaves the other store nodes, which have the sessions then. It
// waits until everything has ended that the node began, or until ctx ends. A second call
// does no harm.
func (n *StoreNode) Close(ctx context.Context) error {
	err := n.Drain(ctx)
	n.mu.Lock()
	remove := n.remove
	n.remove = nil
	n.mu.Unlock()
	if remove != nil {
		remove()
	}
	return errors.Join(err, n.m.Close(ctx))
}

// enter lets a call in, if this node answers.
func (n *StoreNode) enter() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.leaving || !n.m.Ready() {
		return false
	}
	n.active++
	return true
}

func (n *StoreNode) exit() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.active--; n.active == 0 && n.idle != nil {
		close(n.idle)
		n.idle = nil
	}
}

// serve answers a client.
func (n *StoreNode) serve(ctx context.Context, _ *membership.Member, r *storewire.Request) (*storewire.Answer, error) {
	if !n.enter() {
		n.n.elsewhere.Add(1)
		return &storewire.Answer{Status: storewire.Elsewhere}, nil
	}
	defer n.exit()
	a := &storewire.Answer{}
	var err error
	switch id := r.Session.ID; r.Op {
	case storewire.Hello:
		a.MaxData = uint64(n.cfg.MaxData)
	case storewire.Load:
		var s *store.Session
		if s, err = n.m.Load(ctx, id); err == nil {
			a.Session = *s
		}
		n.n.loads.Add(1)
	case storewire.Save:
		err = n.m.SaveOnce(ctx, &r.Session, r.Base, r.Once, r.Age)
		n.n.saves.Add(1)
	case storewire.Touch:
		err = n.m.TouchAged(ctx, id, r.Session.Accessed, r.Age)
		n.n.touches.Add(1)
	case storewire.Delete:
		err = n.m.Delete(ctx, id)
		n.n.deletes.Add(1)
	}
	if err != nil {
		a = n.failure(err)
	}
	return a, nil
}

// failure is how a client is told of an error.
func (n *StoreNode) failure(err error) *storewire.Answer {
	switch {
	case errors.Is(err, store.ErrNotFound):
		n.n.misses.Add(1)
		return &storewire.Answer{Status: storewire.NotFound}
	case errors.Is(err, store.ErrConflict):
		n.n.conflicts.Add(1)
		return &storewire.Answer{Status: storewire.Conflict}
	case errors.Is(err, store.ErrTooLarge):
		return &storewire.Answer{Status: storewire.TooLarge, Text: err.Error()}
	case errors.Is(err, store.ErrBadID):
		return &storewire.Answer{Status: storewire.BadID}
	case errors.Is(err, replmap.ErrNotReady), errors.Is(err, replmap.ErrClosed):
		n.n.elsewhere.Add(1)
		return &storewire.Answer{Status: storewire.Elsewhere}
	}
	n.n.failed.Add(1)
	return &storewire.Answer{Status: storewire.Failed, Text: err.Error()}
}

// StoreNodeStats are numbers of a store node, since it was made except for the first ones.
type StoreNodeStats struct {
	Sessions int // that all store nodes have together
	Held     int // of those, the ones that this node has as primary or backup
	Nodes    int // other store nodes
	Current  int // of those, the ones that saves wait for

	Loads     uint64 // calls of clients
	Misses    uint64 // for sessions that are not there
	Saves     uint64
	Conflicts uint64 // saves that had been overtaken
	Touches   uint64
	Deletes   uint64
	Elsewhere uint64 // calls that were sent to another node
	Failed    uint64 // calls that did not work
	Alone     uint64 // saves that no other node has, though one should
	LeftOut   uint64 // times that another store node did not answer and was left out
	Moved     uint64 // sessions that came because this node is to have them now; not those it began with
}

// Stats returns the numbers now. They are read one after the other.
func (n *StoreNode) Stats() StoreNodeStats {
	m := n.m.Stats()
	return StoreNodeStats{
		Sessions: n.m.Len(), Held: m.Held, Nodes: m.Members, Current: m.Current, Alone: m.Alone,
		LeftOut: m.LeftOut, Moved: m.Relocated,
		Loads: n.n.loads.Load(), Misses: n.n.misses.Load(), Saves: n.n.saves.Load(), Conflicts: n.n.conflicts.Load(),
		Touches: n.n.touches.Load(), Deletes: n.n.deletes.Load(), Elsewhere: n.n.elsewhere.Load(), Failed: n.n.failed.Load(),
	}
}
