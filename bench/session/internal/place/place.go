package place

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
)

// Service is what listens on a host; each has one port.
type Service int

// The services of a host.
const (
	HTTP Service = iota
	Channel
	Multicast
	Redis
	Front // what stands before the nodes
	Postgres
	Keeper // a node that holds the sessions of others; it has no port of its own
	SecondKeeper
	MariaDB
	Memcached
)

// network is what hosts are made of.
type network interface {
	addr(host int) string
	// argv is the command line that runs args on the host.
	argv(host int, args []string) []string
	dial(ctx context.Context, from int, addr string) (net.Conn, error)
	// moved is what the host has got from others and sent to them, in bytes.
	moved(host int) (in, out uint64, err error)
	cable(ctx context.Context, host int, in bool) error
	close() error
}

// Place is a number of hosts, numbered from 0, and the processes on them. Its methods
// may be called by several goroutines, except Close.
type Place struct {
	hosts int
	dir   string
	net   network
	base  int // first port on loopback; 0 if hosts have addresses of their own
	outer bool
}

// Config says what Place to make.
type Config struct {
	Hosts int
	// Dir gets a folder with the files and logs of each process.
	Dir string
	// Namespaces asks for hosts with a network of their own, which needs root.
	Namespaces bool
	// Outside makes connections from one more host instead of the node's own.
	Outside bool
}

// blocks counts the places on loopback, which must not share ports.
var blocks atomic.Int64

const (
	firstPort = 21000
	blockSize = 200
	perHost   = 10
)

// New makes hosts. The caller must Close the place.
func New(ctx context.Context, c Config) (*Place, error) {
	p := &Place{hosts: c.Hosts, dir: c.Dir, outer: c.Outside}
	if !c.Namespaces {
		n := int(blocks.Add(1) - 1)
		p.base = firstPort + n*blockSize
		if c.Hosts*perHost > blockSize || p.base+blockSize > 1<<15 {
			return nil, fmt.Errorf("no ports for %d more hosts on loopback", c.Hosts)
		}
		p.net = loopback{}
		return p, nil
	}
	hosts := c.Hosts
	if c.Outside {
		hosts++
	}
	var err error
	p.net, err = namespaces(ctx, hosts)
	return p, err
}

// Counted tells whether Wire works.
func (p *Place) Counted() bool { return p.base == 0 && !p.outer }

// Addr is the address of a host.
func (p *Place) Addr(host int) string { return p.net.addr(host) }

// Port is where a service of a host listens. Multicast has one for all.
func (p *Place) Port(host int, s Service) int {
	switch {
	case p.base == 0:
		return map[Service]int{HTTP: 8080, Channel: 4000, Multicast: 45564, Redis: 6379, Front: 8000, Postgres: 5432, MariaDB: 3306, Memcached: 11211}[s]
	case s == Multicast:
		return p.base + int(s)
	}
	return p.base + host*perHost + int(s)
}

// Dial connects to a service of a host.
func (p *Place) Dial(host int, s Service) func(context.Context) (net.Conn, error) {
	addr := net.JoinHostPort(p.Addr(host), strconv.Itoa(p.Port(host, s)))
	from := host
	if p.outer {
		from = p.hosts
	}
	return func(ctx context.Context) (net.Conn, error) { return p.net.dial(ctx, from, addr) }
}

// Wire is how many bytes the hosts have sent to each other, frames included. It is
// an error unless Counted.
func (p *Place) Wire() (uint64, error) {
	if !p.Counted() {
		return 0, errors.New("bytes between nodes are not counted here")
	}
	var sum uint64
	for i := range p.hosts {
		_, n, err := p.net.moved(i)
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}

// Moved is how many bytes a host has got from others and sent to them, frames included,
// whoever they are. On loopback that is an error.
func (p *Place) Moved(host int) (in, out uint64, err error) { return p.net.moved(host) }

// Cable pulls the cable of a host, or puts it in again.
func (p *Place) Cable(ctx context.Context, host int, in bool) error {
	return p.net.cable(ctx, host, in)
}

// Close removes the hosts. Processes must have ended.
func (p *Place) Close() error { return p.net.close() }

// Folder makes a folder for a process of a host, empty at first, and returns its
// absolute path.
func (p *Place) Folder(name string) (string, error) {
	dir, err := filepath.Abs(filepath.Join(p.dir, name))
	if err != nil {
		return "", err
	}
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	return dir, os.MkdirAll(dir, 0o755)
}

// loopback is the network of one machine.
type loopback struct{}

func (loopback) addr(int) string                        { return "127.0.0.1" }
func (loopback) argv(_ int, args []string) []string     { return args }
func (loopback) moved(int) (in, out uint64, err error)  { return 0, 0, errors.ErrUnsupported }
func (loopback) cable(context.Context, int, bool) error { return errors.ErrUnsupported }
func (loopback) close() error                           { return nil }

func (loopback) dial(ctx context.Context, _ int, addr string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "tcp", addr)
}
