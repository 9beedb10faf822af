// Package balance is a small load balancer for the nodes of a demo: requests
// follow the route at the end of their session id, and go to another node when
// that one is gone.
package balance

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"strings"
	"sync"
	"time"
)

// Node is a node behind the proxy.
type Node struct {
	Name   string // also the route in session ids
	Domain string // sessions stay among the nodes of a domain while one of them is up
	Store  bool   // it holds sessions for the others, and gets no requests
}

// Control starts and ends the processes of nodes, for the status page. Its
// methods are called by any number of goroutines.
type Control interface {
	// PID is the process of a node, 0 if there is none.
	PID(name string) int
	// Kill ends it without a chance to do anything, and returns at once.
	Kill(name string) error
	// Stop asks it to end by itself, and returns at once.
	Stop(name string) error
	// Start begins a new process where there is none.
	Start(name string) error
}

// Config is how a proxy is set up. Zero is the default.
type Config struct {
	Nodes      []Node
	Cookie     string        // with the session id; default "sid"
	RoundRobin bool          // each request goes to the next node, whatever its session
	Every      time.Duration // between health checks of a node; default 250 ms
	Timeout    time.Duration // of a health check, and to connect; default 1 s
	Patience   time.Duration // for the header of a response; default 30 s
	Control    Control       // nil: the status page has no buttons
	Log        *slog.Logger  // default discards
}

// Proxy is the proxy, an http.Handler. Nodes get requests once SetAddr has said
// where they are and Run has found them ready.
type Proxy struct {
	config    Config
	transport *http.Transport // of requests
	probes    *http.Transport // of health checks
	proxy     *httputil.ReverseProxy

	mu sync.Mutex
	// The rest is guarded by mu.
	nodes []*node
	turns map[string]int // by domain; "" is that of the nodes without one
	turn  int            // of domains
}

// node is what the proxy knows of a node.
type node struct {
	Node
	addr     string // HOST:PORT, "" if it is not there
	up       bool
	draining bool   // gets no requests, whatever the checks say, until it has a new address
	requests uint64 // that it was given
	failed   uint64 // of them, without a response
	why      string // it is not up
}

// New returns a proxy for the nodes.
func New(c Config) *Proxy {
	c.Cookie = cmp.Or(c.Cookie, "sid")
	c.Every = cmp.Or(c.Every, 250*time.Millisecond)
	c.Timeout = cmp.Or(c.Timeout, time.Second)
	c.Patience = cmp.Or(c.Patience, 30*time.Second)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	p := &Proxy{config: c, turns: make(map[string]int)}
	p.transport = newTransport(c.Timeout, c.Patience)
	p.probes = newTransport(c.Timeout, c.Timeout)
	for _, n := range c.Nodes {
		p.nodes = append(p.nodes, &node{Node: n, why: "not started"})
	}
	p.proxy = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = "http", "node" // the courier finds which
			r.SetXForwarded()
		},
		Transport:    &courier{p},
		ErrorHandler: p.failed,
		ErrorLog:     slog.NewLogLogger(c.Log.Handler(), slog.LevelDebug),
	}
	return p
}

// ServeHTTP implements http.Handler: /_cluster is the status page, all else goes
// to a node.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == statusPath || strings.HasPrefix(r.URL.Path, statusPath+"/") {
		p.serveStatus(w, r)
		return
	}
	p.proxy.ServeHTTP(oneContinue{w}, r)
}

// SetAddr says where a node is, "" for nowhere. It gets requests when the next
// check finds it ready.
func (p *Proxy) SetAddr(name, addr string) {
	p.change(name, func(n *node) {
		n.addr, n.up, n.draining, n.why = addr, false, false, "not ready yet"
		if addr == "" {
			n.why = "no process"
		}
	})
}

// Drain keeps new requests from a node until SetAddr is called again; those that
// run go on.
func (p *Proxy) Drain(name string) {
	p.change(name, func(n *node) { n.up, n.draining, n.why = false, true, "stopping" })
}

// Up reports how many nodes get requests.
func (p *Proxy) Up() (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, node := range p.nodes {
		if node.up {
			n++
		}
	}
	return n
}

// Down lists the nodes that get no requests, each with the reason.
func (p *Proxy) Down() (all []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, n := range p.nodes {
		if !n.up {
			all = append(all, n.Name+": "+n.why)
		}
	}
	return all
}

// Close drops connections that are idle. Call it when no request runs any more.
func (p *Proxy) Close() {
	p.transport.CloseIdleConnections()
	p.probes.CloseIdleConnections()
}

func (p *Proxy) change(name string, f func(*node)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := p.named(name); n != nil {
		f(n)
	}
}

// named returns the node of that name, nil if there is none. The caller holds p.mu.
func (p *Proxy) named(name string) *node {
	for _, n := range p.nodes {
		if n.Name == name {
			return n
		}
	}
	return nil
}

// Run checks the nodes until ctx ends.
func (p *Proxy) Run(ctx context.Context) {
	var all sync.WaitGroup
	for _, n := range p.config.Nodes {
		all.Go(func() { p.watch(ctx, n.Name) }) // ends with ctx
	}
	all.Wait()
	p.probes.CloseIdleConnections()
}
