package mem

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/message"
)

// Config describes a [Network]. The zero Config is a good one.
type Config struct {
	// Seed decides all that is left to chance. Zero takes one at random, which
	// Network.Seed tells.
	Seed uint64
	// Timeout is how long a sender waits for a connection, for room and for an
	// answer; zero means 3 s.
	Timeout time.Duration
	// MaxFrame is the largest frame in bytes, at least 1024; zero means
	// message.DefaultMaxFrame.
	MaxFrame int
	// Window is how many bytes of frames may be on their way from one node to
	// another, counted until a listener has returned; zero means 1 MiB. A larger
	// frame goes alone.
	Window int
	// Heartbeat is the time between two heartbeats of a member; zero means
	// 500 ms.
	Heartbeat time.Duration
	// DropTime is how long a member may be silent before it has Failed, at least
	// Heartbeat; zero means 3 s.
	DropTime time.Duration
	// Link is how every direction between two hosts behaves at first; zero is a
	// perfect wire.
	Link Link
}

const (
	defaultTimeout   = 3 * time.Second
	defaultWindow    = 1 << 20
	defaultHeartbeat = 500 * time.Millisecond
	defaultDropTime  = 3 * time.Second
	leastFrame       = 1024
)

// withDefaults returns a checked copy; the error joins all problems.
func (c Config) withDefaults() (Config, error) {
	setDefault(&c.Timeout, defaultTimeout)
	setDefault(&c.MaxFrame, message.DefaultMaxFrame)
	setDefault(&c.Window, defaultWindow)
	setDefault(&c.Heartbeat, defaultHeartbeat)
	setDefault(&c.DropTime, max(defaultDropTime, c.Heartbeat))
	for c.Seed == 0 {
		c.Seed = rand.Uint64()
	}
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("tribes: mem config: "+format, args...))
	}
	if c.Timeout < 0 {
		bad("Timeout %v: want a positive duration", c.Timeout)
	}
	if c.MaxFrame < leastFrame {
		bad("MaxFrame %d: want at least %d bytes", c.MaxFrame, leastFrame)
	}
	if c.Window < 0 {
		bad("Window %d: want a positive number of bytes", c.Window)
	}
	if c.Heartbeat < 0 {
		bad("Heartbeat %v: want a positive duration", c.Heartbeat)
	}
	if c.DropTime < c.Heartbeat {
		bad("DropTime %v: want at least Heartbeat, %v", c.DropTime, c.Heartbeat)
	}
	if err := c.Link.validate(); err != nil {
		bad("Link: %w", err)
	}
	return c, errors.Join(errs...)
}

func setDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// Network is a network in memory, on which nodes are made with Node and between
// whose hosts faults can be set at any time. It is safe for concurrent use. It
// owns no goroutine: those of its nodes end when their parts are stopped.
type Network struct {
	cfg    Config
	fx     sync.Pool // *effects
	tokens sync.Pool // chan struct{} with room for one

	mu        sync.Mutex // guards all below, and the state of every part of the network
	byName    map[string]*host
	byAddr    map[netip.Addr]*host
	hosts     []*host // in the order in which they were made
	edges     map[edgeKey]*edge
	receivers map[netip.AddrPort]*Receiver
	members   []*Membership // those running, in the order of their starts
	stats     Stats
}

// Stats are counts of what a network did, to see that a test had the faults
// that it asked for.
type Stats struct {
	Delivered  uint64 // frames and datagrams that reached a receiver, copies too
	Lost       uint64 // transmissions of a frame or an answer, and datagrams, that were lost
	Duplicated uint64 // copies that were made
	Reordered  uint64 // messages that others were allowed to overtake
	Heartbeats uint64 // heartbeats and goodbyes that reached a member
}

// NewNetwork returns a network without hosts. It panics if cfg is not valid,
// with a text that names every problem.
func NewNetwork(cfg Config) *Network {
	cfg, err := cfg.withDefaults()
	if err != nil {
		panic(err)
	}
	return &Network{
		cfg:       cfg,
		byName:    make(map[string]*host),
		byAddr:    make(map[netip.Addr]*host),
		edges:     make(map[edgeKey]*edge),
		receivers: make(map[netip.AddrPort]*Receiver),
	}
}

// Seed returns what all chance on the network follows from. A test that fails
// should print it.
func (n *Network) Seed() uint64 { return n.cfg.Seed }

// Stats returns the counts since the network was made.
func (n *Network) Stats() Stats {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.stats
}

// host is a machine with one address.
type host struct {
	name  string
	addr  netip.Addr
	nodes []*Node // those that have not crashed

	resumed chan struct{} // closed at the end of a pause; nil if there is none
}

// port is where every receiver listens, on its host's address.
const port = 4000

// Node is one run of a member: the parts for one channel.Config. None of them
// has been started.
type Node struct {
	Sender     *Sender
	Receiver   *Receiver
	Membership *Membership

	n    *Network
	host *host
	dead bool // the host has crashed since; guarded by n.mu
}

// Node makes the parts of a member on the host of that name, which is made with
// the first node on it. A host has one address, 10.0.0.0 plus its number; one
// node at a time can run there, so that the next one is what a restart of the
// process would be: the same address and, if the channel does not set it, a new
// identity.
func (n *Network) Node(name string) *Node {
	n.mu.Lock()
	defer n.mu.Unlock()
	h := n.byName[name]
	if h == nil {
		num := len(n.hosts) + 1
		h = &host{name: name, addr: netip.AddrFrom4([4]byte{10, byte(num >> 16), byte(num >> 8), byte(num)})}
		n.byName[name], n.byAddr[h.addr] = h, h
		n.hosts = append(n.hosts, h)
	}
	nd := &Node{n: n, host: h}
	nd.Sender = newSender(nd)
	nd.Receiver = newReceiver(nd)
	nd.Membership = newMembership(nd)
	h.nodes = append(slices.DeleteFunc(h.nodes, (*Node).over), nd)
	return nd
}

// over reports whether all parts of the node have ended. It is called with n.mu
// held.
func (nd *Node) over() bool {
	return nd.Sender.state == ended && nd.Receiver.state == ended && nd.Membership.state == ended
}

// state is how far a part of a node is in its life.
type state uint8

const (
	fresh state = iota
	running
	stopping
	ended
)

// Addr returns the address that the node's receiver has when it is started.
func (nd *Node) Addr() netip.AddrPort { return netip.AddrPortFrom(nd.host.addr, port) }

// Config returns the configuration of a channel that runs on the node: its parts
// and the name of its host. The caller adds what else it wants.
func (nd *Node) Config() channel.Config {
	return channel.Config{Name: nd.host.name, Sender: nd.Sender, Receiver: nd.Receiver, Membership: nd.Membership}
}

// find returns the host of that name; it panics if there is none. It is called
// with n.mu held.
func (n *Network) find(name string) *host {
	h := n.byName[name]
	if h == nil {
		panic(fmt.Sprintf("tribes: mem: no host %q: a host is made with the first node on it", name))
	}
	return h
}
