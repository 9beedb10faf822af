package mcast

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
)

// candidates are the interfaces to try in turn, the best one first.
func (o opener) candidates(ctx context.Context) ([]net.Interface, error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("tribes: mcast: list interfaces: %w", err)
	}
	if o.cfg.Interface != "" {
		ifi, err := named(all, o.cfg.Interface)
		return []net.Interface{ifi}, err
	}
	found := choose(all, addresses, o.local, routed(ctx, o.cfg.group()))
	if len(found) == 0 {
		return nil, errors.New("tribes: mcast: no network interface is up")
	}
	return found, nil
}

// choose orders the interfaces that are up: that of the local member's address,
// that of the route to the group, others that can multicast, loopback.
func choose(all []net.Interface, addrs func(net.Interface) []netip.Addr, local, route netip.Addr) (found []net.Interface) {
	add := func(want func(ifi net.Interface, own []netip.Addr) bool) {
		for _, ifi := range all {
			own := addrs(ifi)
			if ifi.Flags&net.FlagUp != 0 && len(own) > 0 && !has(found, ifi) && want(ifi, own) {
				found = append(found, ifi)
			}
		}
	}
	able := func(ifi net.Interface) bool { return ifi.Flags&(net.FlagMulticast|net.FlagLoopback) != 0 }
	add(func(ifi net.Interface, own []netip.Addr) bool { return able(ifi) && contains(own, local) })
	add(func(ifi net.Interface, own []netip.Addr) bool { return able(ifi) && contains(own, route) })
	add(func(ifi net.Interface, _ []netip.Addr) bool {
		return ifi.Flags&net.FlagMulticast != 0 && ifi.Flags&net.FlagLoopback == 0
	})
	add(func(ifi net.Interface, _ []netip.Addr) bool { return ifi.Flags&net.FlagLoopback != 0 })
	return found
}

func has(list []net.Interface, ifi net.Interface) bool {
	for _, x := range list {
		if x.Index == ifi.Index {
			return true
		}
	}
	return false
}

func contains(list []netip.Addr, a netip.Addr) bool {
	for _, x := range list {
		if x == a.Unmap() {
			return true
		}
	}
	return false
}

// named finds an interface by its name or one of its addresses.
func named(all []net.Interface, want string) (net.Interface, error) {
	for _, ifi := range all {
		if ifi.Name == want {
			return ifi, nil
		}
	}
	if addr, err := netip.ParseAddr(want); err == nil {
		for _, ifi := range all {
			if contains(addresses(ifi), addr) {
				return ifi, nil
			}
		}
	}
	return net.Interface{}, fmt.Errorf("tribes: mcast: Interface %q: no such name or IPv4 address, want one of %s", want, list(all))
}

func list(all []net.Interface) string {
	var b strings.Builder
	for i, ifi := range all {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(ifi.Name)
		for _, a := range addresses(ifi) {
			fmt.Fprintf(&b, " (%s)", a)
		}
	}
	return b.String()
}

// addresses are the IPv4 addresses of an interface. One that vanishes meanwhile
// has none.
func addresses(ifi net.Interface) []netip.Addr {
	addrs, err := ifi.Addrs()
	if err != nil {
		return nil
	}
	var own []netip.Addr
	for _, a := range addrs {
		n, ok := a.(*net.IPNet)
		if !ok {
			continue
		}
		if addr, ok := netip.AddrFromSlice(n.IP); ok && addr.Unmap().Is4() {
			own = append(own, addr.Unmap())
		}
	}
	return own
}

// routed is the address from which the system would send to the group, the zero
// address if it has no route. Nothing is sent.
func routed(ctx context.Context, group netip.AddrPort) netip.Addr {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "udp4", group.String())
	if err != nil {
		return netip.Addr{}
	}
	defer func() { _ = conn.Close() }() // nothing was written
	return source(conn.LocalAddr()).Addr()
}
