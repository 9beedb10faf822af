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
	"github.com/gotribes/tribes/session/internal/mapstore"
	"github.com/gotribes/tribes/session/internal/storewire"
	"github.com/gotribes/tribes/session/store"
)

// ClientConfig is how a [Client] is set up.
type ClientConfig struct {
	// Group is the member of the group. It must run before [Client.Start], and be stopped
	// after [Client.Close]. Required.
	Group *group.Group
	// Name is that of the [StoreNode] of the application, on whatever nodes there are; at
	// most 150 bytes.
	Name string
	// Timeout is how long a call may take in all, with all nodes that it tries; 0 means 5 s.
	// Persist.Timeout is one too: with a Client it should be as long.
	Timeout time.Duration
	// Try is how long one node may take before the next is tried; 0 means 1 s.
	Try time.Duration
	// Logger is told of store nodes that come, go and do not answer; nil discards.
	Logger *slog.Logger
}

// ErrNoStoreNode is the error of a call of a [Client] that no store node has answered in
// time. It wraps what the last one that was tried said, if any was. Whether something was
// saved is not known.
var ErrNoStoreNode = errors.New("tribes: session: no store node answers")

// Client is a [store.Store] on a node that holds no sessions: those are on the members of
// the group that have a [StoreNode] of its name. It is for Persist.Store.
//
// A call goes to one node: the same one for a session from all clients that see the same
// nodes. If that does not answer, has left or has failed, it goes to the next. A save
// that is repeated in this way, because its answer was lost, does not take place twice, and
// does not find itself in conflict with itself.
//
// Its methods can be called from any number of goroutines.
type Client struct {
	cfg ClientConfig
	rpc *group.TypedRPC[*storewire.Request, *storewire.Answer]
	n   clientCounters

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup
	poke   chan struct{} // something is to be looked at

	mu sync.Mutex
	// The rest is guarded by mu.
	begun, closed bool
	unwatch       func()
	nodes         map[membership.ID]*knownNode
	changed       chan struct{} // closed and replaced when another node can be asked
}

type clientCounters struct{ calls, repeated, failed atomic.Uint64 }

var _ store.Store = (*Client)(nil)

// NewClient returns a client that is not started. The error joins everything that is wrong
// with the configuration.
func NewClient(c ClientConfig) (*Client, error) {
	def(&c.Timeout, 5*time.Second)
	def(&c.Try, time.Second)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	var all []error
	check := func(bad bool, format string, args ...any) {
		if bad {
			all = append(all, fmt.Errorf("tribes: session: client: "+format, args...))
		}
	}
	check(c.Group == nil, "no group")
	check(len(c.Name) > mapstore.MaxName, "name of %d bytes, want at most %d", len(c.Name), mapstore.MaxName)
	check(c.Timeout < 0 || c.Try < 0, "negative duration")
	if err := errors.Join(all...); err != nil {
		return nil, err
	}
	rpc, err := storeRPC(c.Group, c.Name)
	if err != nil {
		return nil, err
	}
	k := &Client{
		cfg: c, rpc: rpc, poke: make(chan struct{}, 1),
		nodes: make(map[membership.ID]*knownNode), changed: make(chan struct{}),
	}
	k.ctx, k.cancel = context.WithCancel(context.Background())
	return k, nil
}

// Load implements [store.Store].
func (c *Client) Load(ctx context.Context, id string) (*store.Session, error) {
	a, err := c.call(ctx, &storewire.Request{Op: storewire.Load, Session: store.Session{ID: id}})
	if err != nil {
		return nil, err
	}
	s := a.Session
	s.ID = id
	return &s, nil
}

// Save implements [store.Store].
func (c *Client) Save(ctx context.Context, s *store.Session, base uint64) error {
	if err := s.Check(base); err != nil {
		return err
	}
	_, err := c.call(ctx, &storewire.Request{
		Op: storewire.Save, Session: *s, Base: base, Once: mapstore.NewOnce(), Age: time.Since(s.Accessed),
	})
	return err
}

// Touch implements [store.Store].
func (c *Client) Touch(ctx context.Context, id string, accessed time.Time) error {
	_, err := c.call(ctx, &storewire.Request{
		Op: storewire.Touch, Session: store.Session{ID: id, Accessed: accessed}, Age: time.Since(accessed),
	})
	return err
}

// Delete implements [store.Store].
func (c *Client) Delete(ctx context.Context, id string) error {
	_, err := c.call(ctx, &storewire.Request{Op: storewire.Delete, Session: store.Session{ID: id}})
	return err
}

// call asks the store nodes, one after the other, until one has an answer.
func (c *Client) call(ctx context.Context, r *storewire.Request) (*storewire.Answer, error) {
	if err := store.CheckID(r.Session.ID); err != nil {
		return nil, err
	}
	c.n.calls.Add(1)
	within, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	defer context.AfterFunc(c.ctx, cancel)()
	var last error
	for tries := 0; ; {
		changed, nodes := c.ranked(r.Session.ID)
		for _, n := range nodes {
			if tries++; tries > 1 {
				c.n.repeated.Add(1)
			}
			a, err := c.ask(within, n, r)
			if err == nil {
				return a, result(a)
			}
			if last = err; within.Err() != nil || errors.Is(err, store.ErrTooLarge) {
				break
			}
		}
		if errors.Is(last, store.ErrTooLarge) {
			return nil, last
		}
		pause := time.NewTimer(20 * time.Millisecond)
		select {
		case <-changed:
		case <-pause.C:
		case <-within.Done():
		case <-c.ctx.Done():
		}
		pause.Stop()
		switch {
		case c.ctx.Err() != nil:
			return nil, ErrClosed
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case within.Err() != nil:
			c.n.failed.Add(1)
			if last == nil {
				return nil, ErrNoStoreNode
			}
			return nil, fmt.Errorf("%w: %w", ErrNoStoreNode, last)
		}
	}
}

// result is the error that an answer is.
func result(a *storewire.Answer) error {
	switch a.Status {
	case storewire.NotFound:
		return store.ErrNotFound
	case storewire.Conflict:
		return store.ErrConflict
	case storewire.BadID:
		return store.ErrBadID
	case storewire.TooLarge:
		return store.ErrTooLarge
	}
	return nil
}

// ask asks one node. An error says that another is to be asked.
func (c *Client) ask(ctx context.Context, n *knownNode, r *storewire.Request) (*storewire.Answer, error) {
	if most := n.maxData.Load(); uint64(len(r.Session.Data)) > most {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", store.ErrTooLarge, len(r.Session.Data), most)
	}
	a, outcome, err := c.send(ctx, n.m, r)
	switch {
	case err != nil && (outcome == group.CallBusy || ctx.Err() != nil):
	case err != nil:
		c.doubt(n, outcome, err)
	case a.Status == storewire.Elsewhere:
		c.doubt(n, outcome, errElsewhere)
		err = errElsewhere
	case a.Status == storewire.Failed:
		err = fmt.Errorf("store node %v: %s", n.m, a.Text)
	}
	return a, err
}

var errElsewhere = errors.New("store node does not serve")

// send sends a request to a member, and waits for its answer for a while.
func (c *Client) send(ctx context.Context, m *membership.Member, r *storewire.Request) (*storewire.Answer, group.CallOutcome, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Try)
	defer cancel()
	answers, err := c.rpc.Call(ctx, []*membership.Member{m}, r, group.AllReplies)
	if len(answers) == 0 {
		return nil, group.CallSendFailed, err
	}
	a := &answers[0]
	if a.Outcome != group.CallReplied {
		return nil, a.Outcome, err
	}
	return a.Value, a.Outcome, nil
}
