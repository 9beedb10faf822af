package nio

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/membership"
)

// listen opens what the configuration asks for and returns where others can
// reach it. After an error nothing is open.
func (r *Receiver) listen(ctx context.Context) (bound channel.Bound, err error) {
	defer func() {
		if err != nil {
			err = closeAll(err, r.listener, r.guarded, r.packets)
		}
	}()
	r.listener, r.guarded, r.packets = r.cfg.Listener, r.cfg.SecureListener, r.cfg.PacketConn
	bind, err := r.bindAddress(ctx)
	if err != nil {
		return bound, err
	}
	if r.listener == nil {
		if r.listener, err = listenTCP(ctx, bind, r.cfg.Port, r.cfg.PortTries); err != nil {
			return bound, err
		}
	}
	bound.Port = int(addrPort(r.listener.Addr()).Port())
	bound.SecurePort, bound.UDPPort = membership.NoPort, membership.NoPort
	if err := r.listenTLS(ctx, bind, &bound); err != nil {
		return bound, err
	}
	if err := r.listenUDP(ctx, bind, &bound); err != nil {
		return bound, err
	}
	return bound, r.tell(ctx, bind, &bound)
}

func (r *Receiver) listenTLS(ctx context.Context, bind netip.Addr, bound *channel.Bound) (err error) {
	if r.cfg.TLS == nil {
		return nil
	}
	if r.guarded == nil {
		if r.guarded, err = listenTCP(ctx, bind, r.cfg.SecurePort, r.cfg.PortTries); err != nil {
			return err
		}
	}
	bound.SecurePort = int(addrPort(r.guarded.Addr()).Port())
	return nil
}

func (r *Receiver) listenUDP(ctx context.Context, bind netip.Addr, bound *channel.Bound) (err error) {
	if r.packets == nil {
		if r.cfg.UDPPort == 0 {
			return nil
		}
		if r.packets, err = listenPackets(ctx, bind, r.cfg.UDPPort, r.cfg.PortTries); err != nil {
			return err
		}
	}
	bound.UDPPort = int(addrPort(r.packets.LocalAddr()).Port())
	return nil
}

// bindAddress is the address to listen on.
func (r *Receiver) bindAddress(ctx context.Context) (netip.Addr, error) {
	if r.cfg.Listener != nil {
		return addrPort(r.cfg.Listener.Addr()).Addr(), nil
	}
	if r.cfg.Address == AutoAddress {
		return autoAddress()
	}
	ip, err := resolve(ctx, r.cfg.Address)
	if err != nil {
		return ip, fmt.Errorf("tribes: receiver: address %q: %w", r.cfg.Address, err)
	}
	return ip, nil
}

// tell fills in what others are told.
func (r *Receiver) tell(ctx context.Context, bind netip.Addr, bound *channel.Bound) error {
	if r.cfg.Advertise != "" {
		host, port, err := splitAdvertise(r.cfg.Advertise)
		if err == nil {
			bound.Host, err = resolve(ctx, host)
		}
		if err == nil {
			err = checkTold(bound.Host)
		}
		if err != nil {
			return fmt.Errorf("tribes: receiver: advertise %q: %w", r.cfg.Advertise, err)
		}
		if port != 0 {
			bound.Port = port
		}
		return nil
	}
	if bind.IsUnspecified() {
		var err error
		bound.Host, err = autoAddress()
		return err
	}
	if !bind.IsValid() {
		return fmt.Errorf("tribes: receiver: listener at %s: no IP address: set Advertise", r.listener.Addr())
	}
	if err := checkTold(bind); err != nil {
		return fmt.Errorf("tribes: receiver: address %s cannot be told to others: set Advertise to %w", bind, err)
	}
	bound.Host = bind
	return nil
}

func listenTCP(ctx context.Context, ip netip.Addr, port, tries int) (net.Listener, error) {
	var l net.Listener
	err := tryPorts("TCP", ip, port, tries, func(addr string) (err error) {
		l, err = new(net.ListenConfig).Listen(ctx, "tcp", addr)
		return err
	})
	return l, err
}

// packetBuffer is the buffer in bytes that is asked of the system for datagrams,
// so that a burst survives a pause of this process.
const packetBuffer = 1 << 20

func listenPackets(ctx context.Context, ip netip.Addr, port, tries int) (net.PacketConn, error) {
	var p net.PacketConn
	err := tryPorts("UDP", ip, port, tries, func(addr string) (err error) {
		p, err = new(net.ListenConfig).ListenPacket(ctx, "udp", addr)
		return err
	})
	if u, ok := p.(*net.UDPConn); ok {
		if err := u.SetReadBuffer(packetBuffer); err != nil {
			return nil, closeAll(fmt.Errorf("tribes: receiver: UDP buffer: %w", err), p)
		}
	}
	return p, err
}

// tryPorts calls open with successive ports as long as they are taken.
func tryPorts(network string, ip netip.Addr, port, tries int, open func(addr string) error) error {
	if port == AnyPort {
		port, tries = 0, 1
	}
	last := min(port+tries-1, 65535)
	var err error
	for p := port; p <= last; p++ {
		if err = open(net.JoinHostPort(ip.String(), strconv.Itoa(p))); err == nil {
			return nil
		}
		if !isPortTaken(err) {
			return fmt.Errorf("tribes: receiver: listen on %s: %w", network, err)
		}
	}
	if port == last {
		return fmt.Errorf("tribes: receiver: listen on %s %s port %d: %w", network, ip, port, err)
	}
	return fmt.Errorf("tribes: receiver: listen on %s %s ports %d to %d, all taken: %w", network, ip, port, last, err)
}
