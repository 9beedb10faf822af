package mcast

import (
	"context"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"
)

const portRoom = 1000

// ether is a multicast network in memory: what one port sends, all ports get,
// the sender too, after the same delay. It works in a bubble of synctest.
type ether struct {
	delay time.Duration

	mu     sync.Mutex
	ports  map[*port]bool
	filter func(from, to *port, b []byte) bool // whether a datagram arrives; nil lets all
	room   int                                 // datagrams that wait in a port; more are lost
	sent   int
	flying []flight
}

type flight struct {
	from *port
	b    []byte
}

func newEther() *ether {
	return &ether{delay: time.Millisecond, room: portRoom, ports: make(map[*port]bool)}
}

// setFilter changes what arrives from now on.
func (e *ether) setFilter(f func(from, to *port, b []byte) bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.filter = f
}

// setRoom changes how many datagrams wait in a port.
func (e *ether) setRoom(n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.room = n
}

// openPorts counts the ports that are open.
func (e *ether) openPorts() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.ports)
}

// count returns the datagrams sent since the last call.
func (e *ether) count() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := e.sent
	e.sent = 0
	return n
}

// open makes a port with that source address.
func (e *ether) open(addr netip.Addr) *port {
	p := &port{net: e, addr: netip.AddrPortFrom(addr, DefaultPort), in: make(chan packet, portRoom), closed: make(chan struct{})}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.ports[p] = true
	return p
}

func (e *ether) send(from *port, b []byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.sent++
	e.flying = append(e.flying, flight{from, append([]byte(nil), b...)})
	time.AfterFunc(e.delay, e.arrive) // the delay is the same for all, so they arrive in order
}

func (e *ether) arrive() {
	e.mu.Lock()
	defer e.mu.Unlock()
	from, b := e.flying[0].from, e.flying[0].b
	e.flying = e.flying[1:]
	for to := range e.ports {
		if e.filter != nil && !e.filter(from, to, b) || len(to.in) >= e.room {
			continue // lost, as in a full socket
		}
		to.in <- packet{b, from.addr}
	}
}

type packet struct {
	b    []byte
	from netip.AddrPort
}

// port is a packet connection to an ether.
type port struct {
	net    *ether
	addr   netip.AddrPort
	in     chan packet
	once   sync.Once
	closed chan struct{}

	mu       sync.Mutex
	deadline time.Time
	readErr  error // of the next reads
	writeErr error
	gate     chan struct{} // if not nil, the next write waits until it is closed
	fail     chan struct{} // closed when readErr is set
}

func (p *port) ReadFrom(b []byte) (int, net.Addr, error) {
	p.mu.Lock()
	var expired <-chan time.Time
	if !p.deadline.IsZero() {
		wait := time.Until(p.deadline)
		if wait <= 0 {
			p.mu.Unlock()
			return 0, nil, os.ErrDeadlineExceeded
		}
		timer := time.NewTimer(wait)
		defer timer.Stop()
		expired = timer.C
	}
	if p.fail == nil {
		p.fail = make(chan struct{})
	}
	fail := p.fail
	p.mu.Unlock()
	select {
	case got := <-p.in:
		return copy(b, got.b), net.UDPAddrFromAddrPort(got.from), nil
	case <-expired:
		return 0, nil, os.ErrDeadlineExceeded
	case <-fail:
		p.mu.Lock()
		defer p.mu.Unlock()
		return 0, nil, p.readErr
	case <-p.closed:
		return 0, nil, net.ErrClosed
	}
}

func (p *port) WriteTo(b []byte, _ net.Addr) (int, error) {
	p.mu.Lock()
	err, gate := p.writeErr, p.gate
	p.gate = nil
	p.mu.Unlock()
	if gate != nil {
		select {
		case <-gate:
		case <-p.closed:
		}
	}
	select {
	case <-p.closed:
		err = net.ErrClosed
	default:
	}
	if err != nil {
		return 0, err
	}
	p.net.send(p, b)
	return len(b), nil
}

// failReads lets all reads fail, those under way too.
func (p *port) failReads(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.readErr = err
	if p.fail == nil {
		p.fail = make(chan struct{})
	}
	close(p.fail)
}

func (p *port) failWrites(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.writeErr = err
}

// holdWrite lets the next write wait until release is called.
func (p *port) holdWrite() (release func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	gate := make(chan struct{})
	p.gate = gate
	return func() { close(gate) }
}

func (p *port) Close() error {
	p.once.Do(func() {
		close(p.closed)
		p.net.mu.Lock()
		defer p.net.mu.Unlock()
		delete(p.net.ports, p)
	})
	return nil
}

func (p *port) SetReadDeadline(t time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.deadline = t
	return nil
}

func (p *port) LocalAddr() net.Addr              { return net.UDPAddrFromAddrPort(p.addr) }
func (p *port) SetDeadline(t time.Time) error    { return p.SetReadDeadline(t) }
func (p *port) SetWriteDeadline(time.Time) error { return nil }

// opener returns a Config.Open that opens ports with that address and tells each.
func (e *ether) opener(addr netip.Addr, opened func(*port)) func(context.Context) (net.PacketConn, error) {
	return func(context.Context) (net.PacketConn, error) {
		p := e.open(addr)
		if opened != nil {
			opened(p)
		}
		return p, nil
	}
}
