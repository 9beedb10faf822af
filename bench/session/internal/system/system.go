package system

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/gotribes/tribes/bench/session/internal/place"
	"github.com/gotribes/tribes/bench/session/internal/web"
)

// System is a store under test with its nodes, numbered from 0. Its methods may be
// called by several goroutines, but those that start or end a node only by one at a
// time for each node.
type System struct {
	Column Column

	driver driver
	place  *place.Place
	nodes  []*place.Process // nil where none runs
	asides []*web.Conn      // for figures; one goroutine at a time
	// others are what the store needs beside its nodes, by what they are.
	others  map[place.Service]*other
	shared  string // a folder for all nodes; "" is none
	planned bool
	spread  bool
}

// startLimit bounds the start of a node, awaitStep is how often it is asked.
const (
	startLimit = 90 * time.Second
	awaitStep  = 10 * time.Millisecond
)

// Config says how a System is to be started.
type Config struct {
	Nodes int
	// Spare is how many hosts more there are to be, for nodes that are started later.
	Spare int
	// Spread says that the requests of a session go to all nodes, so that nothing is to
	// bind it to the node that it comes to.
	Spread bool
	// Balancer puts HAProxy in front of the nodes; see System.Front.
	Balancer bool
	// Planned says that nodes which the balancer finds to be down have been told to end,
	// so that it does not break the requests that they have.
	Planned bool
	// Place has Dir, Namespaces and Outside set.
	Place place.Config
}

// Start starts a store with its nodes and waits until each of them answers and knows
// the others. The caller must Close it.
func (k Kit) Start(ctx context.Context, c Column, conf Config) (*System, error) {
	d, err := k.driver(c.Driver)
	if err != nil {
		return nil, err
	}
	hosts := conf.Nodes + conf.Spare
	s := &System{Column: c, driver: d, nodes: make([]*place.Process, hosts), others: make(map[place.Service]*other), planned: conf.Planned, spread: conf.Spread}
	for _, service := range needs(c, conf.Balancer) {
		s.others[service] = &other{host: hosts}
		hosts++
	}
	conf.Place.Hosts = hosts
	if s.place, err = place.New(ctx, conf.Place); err != nil {
		return nil, err
	}
	for i := range s.nodes {
		s.asides = append(s.asides, &web.Conn{Dial: s.Dial(i), Timeout: 30 * time.Second, Cautious: true})
	}
	if err := s.startAll(ctx, conf.Nodes); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", c.Name, err), s.Close())
	}
	return s, nil
}

func (s *System) startAll(ctx context.Context, nodes int) error {
	if err := s.startStores(ctx); err != nil {
		return err
	}
	for i := range nodes {
		if err := s.Launch(i); err != nil {
			return err
		}
		// One after another: nodes that ask each other for their sessions at the same
		// time are a scenario of its own.
		if err := s.Await(ctx, i, i); err != nil {
			return err
		}
	}
	for i := range nodes {
		if err := s.Await(ctx, i, nodes-1); err != nil {
			return err
		}
	}
	if s.others[place.Front] != nil {
		return s.startBalancer(ctx)
	}
	return nil
}

func nodeName(host int) string { return "n" + strconv.Itoa(host+1) }

// listen is the address that the node on a host serves.
func (s *System) listen(host int) string {
	return net.JoinHostPort(s.place.Addr(host), strconv.Itoa(s.place.Port(host, place.HTTP)))
}

// Launch starts the process of a node and does not wait for anything.
func (s *System) Launch(host int) error {
	folder := s.Column.Name + "-" + nodeName(host)
	dir, err := s.place.Folder(folder)
	if err != nil {
		return err
	}
	args, err := s.driver.node(s, host, dir)
	if err != nil {
		return err
	}
	p, err := s.place.Start(host, folder, args, nil)
	if err != nil {
		return err
	}
	s.nodes[host] = p
	return nil
}

// Await waits until a node answers, is ready, and sees that many other nodes.
func (s *System) Await(ctx context.Context, host, peers int) error {
	if peers += s.keepers(); !s.driver.peers(s.Column.Opts) {
		peers = 0
	}
	return s.await(ctx, host, awaitStep, fmt.Sprintf("does not answer, or sees fewer than %d others", peers),
		func() bool { return s.asides[host].Reply.Peers >= int64(peers) })
}

// keepers are the members that are no nodes.
func (s *System) keepers() (n int) {
	for _, service := range []place.Service{place.Keeper, place.SecondKeeper} {
		if s.others[service] != nil {
			n++
		}
	}
	return n
}

// AwaitReady waits until a node answers and is ready, whomever it sees. It asks with
// that pause.
func (s *System) AwaitReady(ctx context.Context, host int, step time.Duration) error {
	return s.await(ctx, host, step, "does not answer", func() bool { return true })
}

// AwaitGone waits until a node sees no more than that many other nodes.
func (s *System) AwaitGone(ctx context.Context, host, peers int) error {
	peers += s.keepers()
	return s.await(ctx, host, awaitStep, fmt.Sprintf("still sees more than %d others", peers),
		func() bool { return s.asides[host].Reply.Peers <= int64(peers) })
}

// await waits until a node is ready and what it says of itself holds.
func (s *System) await(ctx context.Context, host int, step time.Duration, what string, holds func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	for !s.Ready(ctx, host) || !holds() {
		select {
		case <-s.nodes[host].Done():
			return s.nodes[host].Complaint("node " + nodeName(host) + " ended")
		case <-ctx.Done():
			return s.nodes[host].Complaint("node " + nodeName(host) + " " + what)
		case <-time.After(step):
		}
	}
	return nil
}

// Ready tells whether a node answers and does not say that it wants no requests.
func (s *System) Ready(ctx context.Context, host int) bool {
	c := s.asides[host]
	var status *web.StatusError
	if err := c.Do(ctx, "GET", "/ready", nil, nil); err != nil && (!errors.As(err, &status) || status.Code != 404) {
		return false
	}
	return c.Do(ctx, "GET", "/whoami", nil, nil) == nil
}

// Ask sends a node a request without a session. The reply is valid until the next call.
func (s *System) Ask(ctx context.Context, host int, target string) (*web.Reply, error) {
	c := s.asides[host]
	if err := c.Do(ctx, "GET", target, nil, nil); err != nil {
		return nil, fmt.Errorf("%s: %s: %w", nodeName(host), target, err)
	}
	return &c.Reply, nil
}

// Dial connects to a node.
func (s *System) Dial(host int) web.Dial { return s.place.Dial(host, place.HTTP) }

// Up are the hosts on which a node was started and not ended.
func (s *System) Up() []int {
	var up []int
	for i, p := range s.nodes {
		if p != nil {
			up = append(up, i)
		}
	}
	return up
}

// CPU is the processor time that all nodes, and their database, have used; of PostgreSQL,
// which has a process for each connection, that of the first process alone.
func (s *System) CPU(ctx context.Context) (time.Duration, error) {
	var sum time.Duration
	for _, i := range s.Up() {
		r, err := s.Ask(ctx, i, "/stats")
		if err != nil {
			return 0, err
		}
		sum += time.Duration(r.CPU) * time.Microsecond
	}
	for service, o := range s.others {
		if service != place.Front {
			sum += o.process.CPU()
		}
	}
	return sum, nil
}

// Heap is the memory in use at all nodes after a collection, in bytes.
func (s *System) Heap(ctx context.Context) (int64, error) {
	var sum int64
	for _, i := range s.Up() {
		r, err := s.Ask(ctx, i, "/stats?gc=1")
		if err != nil {
			return 0, err
		}
		sum += r.Heap
	}
	return sum, nil
}

// Place is where the nodes are.
func (s *System) Place() *place.Place { return s.place }

// Kill ends a node without a word.
func (s *System) Kill(host int) {
	s.nodes[host].Kill()
	s.nodes[host] = nil
	s.asides[host].Close()
}

// Stop asks a node to end and waits until it has.
func (s *System) Stop(host int) error {
	err := s.nodes[host].Stop()
	s.nodes[host] = nil
	s.asides[host].Close()
	return err
}

// RestartStore ends what keeps the sessions beside the nodes without a word, one of the two
// if that is store nodes, and starts it again. It returns when it takes connections.
func (s *System) RestartStore(ctx context.Context) error {
	for _, service := range []place.Service{place.Redis, place.Memcached, place.MariaDB, place.Postgres, place.Keeper} {
		if o := s.others[service]; o != nil {
			o.process.Kill()
			return s.startOther(ctx, service)
		}
	}
	return fmt.Errorf("%s: nothing beside its nodes", s.Column.Name)
}

// Close ends everything.
func (s *System) Close() error {
	for _, i := range s.Up() {
		s.Kill(i)
	}
	var errs []error
	for _, o := range s.others {
		if o.process != nil {
			o.process.Kill()
		}
		if o.dir != "" {
			errs = append(errs, os.RemoveAll(o.dir))
		}
	}
	for _, c := range s.asides {
		c.Close()
	}
	return errors.Join(append(errs, s.place.Close())...)
}
