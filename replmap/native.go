package replmap

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gotribes/tribes/group"
	"github.com/gotribes/tribes/internal/peers"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/replmap/internal/entry"
	"github.com/gotribes/tribes/replmap/internal/mapwire"
)

// native is the replication among members of this module, over a topic of the group.
type native struct {
	*replica
	topic *group.Topic
	node  membership.ID

	ctx      context.Context // ends with close
	cancel   context.CancelFunc
	wg       sync.WaitGroup // goroutines
	writes   sync.WaitGroup // that others are being told of; none begins once it is closed
	busy     chan struct{}  // has room for those that answer others
	reads    chan struct{}  // the same, of those that wait for nobody else: the others may wait for them
	isReady  chan struct{}  // closed when all entries are here
	requests atomic.Uint64  // the last number of a question of ours
	peers    *peers.Set[*peer]
	loaded   entry.Place   // how far the state transfer has come; used by load alone
	epoch    atomic.Uint64 // counts what may move entries to other members
	leaving  atomic.Bool   // nothing is to be here any more
	att      *attention
	own      owned
	notices  notices
	recent   recent
	known    confirming
	speaks   uint8 // the highest version of the protocol; tests lower it before the start

	mu sync.Mutex
	// The rest is guarded by mu.
	begun, closed bool
	questions     map[uint64]*question
	conflicts     conflicts
	undo          []func() // what ends with close
}

// maxBusy is how many questions of others are answered at the same time, of each sort.
const maxBusy = 64

func newNative(r *replica) (*native, error) {
	topic, err := r.group.Topic("map:" + r.name)
	if err != nil {
		return nil, fmt.Errorf("tribes: replmap: %q: %w", r.name, err)
	}
	n := &native{
		replica: r, topic: topic, busy: make(chan struct{}, maxBusy), reads: make(chan struct{}, maxBusy), isReady: make(chan struct{}),
		questions: make(map[uint64]*question), conflicts: make(conflicts), speaks: mapwire.MaxVersion,
	}
	n.requests.Store(uint64(time.Now().UnixMicro())) // not those of a map before this one
	n.ctx, n.cancel = context.WithCancel(context.Background())
	n.peers = n.newPeers()
	n.att = newAttention()
	r.fetch, r.gather, r.placed, r.lacking = n.fetch, n.gather, n.holderMembers, n.att.lacking
	return n, nil
}

// start implements replication.
func (n *native) start(ctx context.Context) error {
	n.mu.Lock()
	if n.closed {
		n.mu.Unlock()
		return ErrClosed
	}
	if !n.begun {
		n.begun = true
		n.node = n.group.Local().ID()
		n.peers.Begin(n.node)
		n.undo = append(n.undo, n.topic.Listen(n.receive), n.group.Watch(n.peers))
		n.spawn(n.peers.Join)
		n.spawn(n.compareAll)
		if n.backups > 0 {
			n.spawn(n.keep)
		}
	}
	n.mu.Unlock()
	select {
	case <-n.isReady:
		return nil
	case <-n.ctx.Done():
		return ErrClosed
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrNotReady, context.Cause(ctx))
	}
}

// spawn runs f until close. The caller holds n.mu, or is run by spawn.
func (n *native) spawn(f func(context.Context)) { n.wg.Go(func() { f(n.ctx) }) }

// later runs f, which answers another member, unless too much of that goes on: then the
// other is told so, and asks again. It may be called from a listener.
func (n *native) later(f func(context.Context)) error { return n.laterIn(n.busy, f) }

func (n *native) laterIn(room chan struct{}, f func(context.Context)) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return ErrClosed
	}
	select {
	case room <- struct{}{}:
		n.wg.Go(func() {
			defer func() { <-room }()
			f(n.ctx)
		})
		return nil
	default:
		n.n.busy.Add(1)
		return errBusy
	}
}

// ready implements replication.
func (n *native) ready() bool {
	select {
	case <-n.isReady:
		return true
	default:
		return false
	}
}

// close implements replication.
func (n *native) close() {
	if n.backups > 0 && n.ready() {
		n.handOver()
	}
	n.mu.Lock()
	n.closed = true
	undo, begun := n.undo, n.begun
	n.mu.Unlock()
	n.finish()
	n.peers.Close()
	if begun {
		ctx, cancel := context.WithTimeout(n.ctx, n.budget)
		n.peers.Broadcast(ctx, mapwire.Append(nil, &mapwire.Bye{}))
		cancel()
	}
	for _, f := range undo {
		f()
	}
	n.cancel()
	n.peers.Leave()
	n.wg.Wait()
}

// publish implements replication.
func (n *native) publish(ctx context.Context, c *change) error {
	n.mu.Lock()
	if n.closed {
		n.mu.Unlock()
		return ErrClosed
	}
	n.writes.Add(1)
	n.mu.Unlock()
	defer n.writes.Done()
	if n.backups > 0 && !c.now.Gone {
		return n.deliver(ctx, c)
	}
	for end := time.Now().Add(n.stall); ; {
		if err := n.tellAll(ctx, &c.now); !conflicting(err) || !n.again(ctx, end) {
			return unresolved(err)
		}
	}
}

// tellAll gives all peers the same.
func (n *native) tellAll(ctx context.Context, e *entry.Entry) error {
	body := mapwire.Append(nil, &mapwire.Change{Entries: []entry.Entry{*e}})
	acked, err := peers.Tell(peers.Wait(n.wait), body, n.peers.All()).Wait(ctx)
	if err == nil && acked == 0 {
		err = n.alone()
	}
	return err
}

// alone is told of a write that no other member has. If this one is leaving, nobody has it soon.
func (n *native) alone() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case n.wait == WaitNone:
	case n.closed:
		return ErrClosed
	default:
		n.n.alone.Add(1)
	}
	return nil
}

// members implements replication.
func (n *native) members() (all []*membership.Member, current int) {
	for _, p := range n.peers.All() {
		all = append(all, p.Member())
	}
	_, current = n.peers.Count()
	return all, current
}
