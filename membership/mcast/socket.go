package mcast

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/net/ipv4"
)

// maxDatagram is the largest payload of a UDP datagram over IPv4, in bytes.
const maxDatagram = 65507

// readBuffer is the size in bytes that the system is asked for; it gives less if
// it is set up so.
const readBuffer = 1 << 20

// socket is an open packet connection to the group.
type socket struct {
	conn  net.PacketConn
	udp   *net.UDPConn // conn if it is one, for writes that allocate nothing
	group netip.AddrPort
	to    net.Addr // group for other connections
	iface string   // empty if the caller supplied conn
	loops bool     // what is sent comes back

	opened time.Time
	broken sync.Once
	cause  error         // why it was given up; set before gone is closed
	gone   chan struct{} // closed when it was given up
}

func newSocket(conn net.PacketConn, group netip.AddrPort) *socket {
	k := &socket{conn: conn, group: group, to: net.UDPAddrFromAddrPort(group), opened: time.Now(), gone: make(chan struct{})}
	k.udp, _ = conn.(*net.UDPConn)
	return k
}

// write sends b to the group as one datagram. b is borrowed.
func (k *socket) write(b []byte) error {
	var err error
	if k.udp != nil {
		_, err = k.udp.WriteToUDPAddrPort(b, k.group)
	} else {
		_, err = k.conn.WriteTo(b, k.to)
	}
	return err
}

// giveUp closes the socket, which ends the reads and writes on it; the first
// cause is kept.
func (k *socket) giveUp(cause error) {
	k.broken.Do(func() {
		k.cause = cause
		close(k.gone)
		_ = k.conn.Close() // it is of no use any more, whatever the error
	})
}

// opener opens sockets as cfg says.
type opener struct {
	cfg    *Config
	listen bool       // the group is to be joined
	local  netip.Addr // of the local member
}

// system opens a socket of the system on that interface.
func (o opener) system(ctx context.Context, ifi *net.Interface) (*socket, error) {
	conn, err := bindGroup(ctx, o.cfg.group())
	if err != nil {
		return nil, fmt.Errorf("tribes: mcast: bind %s: %w", o.cfg.group(), err)
	}
	if err := o.setUp(conn, ifi); err != nil {
		return nil, errors.Join(fmt.Errorf("tribes: mcast: interface %s: %w", ifi.Name, err), conn.Close())
	}
	k := newSocket(conn, o.cfg.group())
	k.iface, k.loops = ifi.Name, !o.cfg.NoLoopback
	return k, nil
}

func (o opener) setUp(conn *net.UDPConn, ifi *net.Interface) error {
	p := ipv4.NewPacketConn(conn)
	if err := p.SetMulticastInterface(ifi); err != nil {
		return fmt.Errorf("set for sending: %w", err)
	}
	if from := o.sourceOn(ifi); from.IsValid() {
		if err := setSource(conn, ifi, from); err != nil {
			return fmt.Errorf("set source address %s: %w", from, err)
		}
	}
	if err := p.SetMulticastTTL(max(o.cfg.TTL, 0)); err != nil {
		return fmt.Errorf("set TTL: %w", err)
	}
	if err := p.SetMulticastLoopback(!o.cfg.NoLoopback); err != nil {
		return fmt.Errorf("set loopback: %w", err)
	}
	if !o.listen {
		return nil
	}
	_ = conn.SetReadBuffer(readBuffer) // the system's choice does as well
	if err := p.JoinGroup(ifi, &net.UDPAddr{IP: o.cfg.Address.AsSlice()}); err != nil {
		return fmt.Errorf("join group %s: %w", o.cfg.Address, err)
	}
	return nil
}

// sourceOn is the address to send from: on that interface, and if possible the
// one that the local member tells others.
func (o opener) sourceOn(ifi *net.Interface) netip.Addr {
	own := addresses(*ifi)
	asked, _ := netip.ParseAddr(o.cfg.Interface) // the zero address if it is a name
	for _, a := range []netip.Addr{o.local, asked} {
		if contains(own, a) {
			return a.Unmap()
		}
	}
	if len(own) == 0 {
		return netip.Addr{}
	}
	return own[0]
}

// custom opens the caller's connection.
func (o opener) custom(ctx context.Context) (*socket, error) {
	conn, err := o.cfg.Open(ctx)
	if err != nil {
		return nil, fmt.Errorf("tribes: mcast: open: %w", err)
	}
	return newSocket(conn, o.cfg.group()), nil
}

// bindAny opens a socket on the group's port, for every address of this machine,
// that others may open as well. Unlike one bound to the group it can also hear
// datagrams that were sent to other addresses.
func bindAny(ctx context.Context, group netip.AddrPort) (*net.UDPConn, error) {
	var lc net.ListenConfig
	conn, err := lc.ListenPacket(ctx, "udp4", group.String()) // of a multicast address, only the port is bound
	if err != nil {
		return nil, err
	}
	return conn.(*net.UDPConn), nil // what ListenPacket returns for udp4
}
