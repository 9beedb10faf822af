package peers

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// town is some nodes that have a set of words, and a network between them that can be cut.
type town struct {
	t *testing.T

	mu    sync.Mutex
	nodes map[membership.ID]*node
	deaf  map[*node]bool // what they are sent does not arrive
}

func inTown(t *testing.T, run func(w *town)) {
	t.Helper()
	bubble.Test(t, func(t *testing.T) {
		w := &town{t: t, nodes: make(map[membership.ID]*node), deaf: make(map[*node]bool)}
		defer w.end()
		run(w)
	})
}

func (w *town) end() {
	for _, n := range w.all() {
		n.close()
	}
}

func (w *town) all() []*node {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Collect(maps.Values(w.nodes))
}

// hears says whether a node gets what it is sent.
func (w *town) hears(n *node, yes bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.deaf[n] = !yes
}

// node is a member that has the words.
type node struct {
	*Set[*neighbour]
	w      *town
	m      *membership.Member
	cancel context.CancelFunc
	wg     sync.WaitGroup
	ready  chan struct{}

	leftOut, refused, resent atomic.Uint64
	moved, back, greetings   atomic.Int64

	mu       sync.Mutex
	closed   bool
	mute     bool // it takes greetings and has nothing
	words    map[string]bool
	unloaded error // why it gives nothing
	says     error // what it answers to each change
}

// neighbour is what a node has of a peer.
type neighbour struct{ *Peer }

func member(t *testing.T, id byte) *membership.Member {
	t.Helper()
	m, err := membership.New(membership.Attributes{Host: netip.AddrFrom4([4]byte{10, 0, 0, id}), Port: 4000, ID: membership.ID{id}})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

var (
	errStranger = errors.New("who are you?")
	errLacks    = errors.New("what is that built on?")
)

// node makes a node that is not started.
func (w *town) node(id byte, set func(c *Config)) *node {
	w.t.Helper()
	n := &node{w: w, m: member(w.t, id), ready: make(chan struct{}), words: make(map[string]bool)}
	c := Config{
		Topic: n, Options: message.Sync, View: n.view, Go: n.run,
		Logger:    slog.New(slog.DiscardHandler),
		Strangers: []error{errStranger},
		Budget:    time.Second, Patience: time.Second, Stall: time.Second, Discover: 300 * time.Millisecond,
		LeftOut: &n.leftOut, Refused: &n.refused, Lacks: errLacks, Resent: &n.resent,
		Moved: func() { n.moved.Add(1) },
	}
	if set != nil {
		set(&c)
	}
	var ctx context.Context
	ctx, n.cancel = context.WithCancel(context.Background())
	n.Set = New(ctx, c, Owner[*neighbour]{
		New:    func(p *Peer) *neighbour { return &neighbour{p} },
		Hello:  hello,
		Awaits: func(greeted bool, since time.Time) bool { return !greeted || !since.IsZero() },
		Load:   n.load, Ready: func() { close(n.ready) }, Repair: n.repair,
		Late: func() bool { return true }, Back: func(*neighbour) { n.back.Add(1) },
	})
	n.Begin(n.m.ID())
	w.mu.Lock()
	defer w.mu.Unlock()
	w.nodes[n.m.ID()] = n
	return n
}

// start makes nodes that are ready, one after the other, and have heard of each other.
func (w *town) start(ids ...byte) (all []*node) {
	w.t.Helper()
	for _, id := range ids {
		n := w.node(id, nil)
		n.Go(n.Join)
		<-n.ready
		all = append(all, n)
		time.Sleep(time.Minute)
	}
	return all
}

// close ends a node and waits for it.
func (n *node) close() {
	n.mu.Lock()
	n.closed = true
	n.mu.Unlock()
	n.Close()
	n.cancel()
	n.Leave()
	n.wg.Wait()
}

func (n *node) run(f func(context.Context)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.closed {
		n.wg.Go(func() { f(n.ctx) })
	}
}

// view is what the group has: all nodes, whoever hears.
func (n *node) view() *membership.View {
	v := &membership.View{}
	for _, x := range n.w.all() {
		if x != n {
			v.Members = append(v.Members, x.m)
		}
	}
	return v
}

// Send implements Topic.
func (n *node) Send(ctx context.Context, to []*membership.Member, payload []byte, _ message.Options) (message.ID, error) {
	n.w.mu.Lock()
	x := n.w.nodes[to[0].ID()]
	lost := x == nil || n.w.deaf[x]
	n.w.mu.Unlock()
	if lost {
		<-ctx.Done()
		return message.ID{}, context.Cause(ctx)
	}
	if err := x.receive(n.m, payload); err != nil {
		return message.ID{}, &message.RemoteError{Reason: err.Error()}
	}
	return message.ID{}, nil
}

// Post implements Topic.
func (n *node) Post(ctx context.Context, to []*membership.Member, payload []byte, o message.Options, done func(message.ID, error)) (message.ID, error) {
	body := slices.Clone(payload)
	n.wg.Go(func() { done(n.Send(ctx, to, body, o)) })
	return message.ID{}, nil
}

func hello(known bool, s State) []byte {
	if known {
		return []byte{'h', byte(s), 1}
	}
	return []byte{'h', byte(s), 0}
}

// receive takes a greeting, or a word.
func (n *node) receive(from *membership.Member, b []byte) error {
	if b[0] == 'h' {
		n.greetings.Add(1)
		if n.mute {
			return nil
		}
		if p, isNew, _ := n.Met(from, State(b[1])); p != nil && (isNew || b[2] == 0) {
			n.Meet(from)
		}
		return nil
	}
	if n.Get(from.ID()) == nil {
		return errStranger
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.says == nil {
		n.words[string(b)] = true
	}
	return n.says
}

// write gives a word to all.
func (n *node) write(mode Wait, word string) (acked int, err error) {
	n.mu.Lock()
	n.words[word] = true
	n.mu.Unlock()
	return Tell(mode, []byte(word), n.All()).Wait(context.Background())
}

// answer sets what the node answers to each change.
func (n *node) answer(err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.says = err
}

func (n *node) has(word string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.words[word]
}

// other returns the node that a peer is, if it can be reached.
func (n *node) other(p *neighbour) (*node, error) {
	n.w.mu.Lock()
	defer n.w.mu.Unlock()
	x := n.w.nodes[p.Node]
	if x == nil || n.w.deaf[x] || n.w.deaf[n] {
		return nil, errors.New("cannot be reached")
	}
	return x, nil
}

func (n *node) load(_ context.Context, p *neighbour) error {
	x, err := n.other(p)
	if err != nil {
		return err
	}
	if x.unloaded != nil {
		return x.unloaded
	}
	n.take(x.copy())
	return nil
}

func (n *node) repair(_ context.Context, p *neighbour) error {
	x, err := n.other(p)
	if err != nil {
		return err
	}
	n.take(x.copy())
	x.take(n.copy())
	return nil
}

func (n *node) copy() map[string]bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return maps.Clone(n.words)
}

func (n *node) take(words map[string]bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	maps.Copy(n.words, words)
}
