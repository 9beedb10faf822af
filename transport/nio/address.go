package nio

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
)

// checkAdvertise says what is wrong with an address to be told to others, as far
// as that can be seen without resolving names.
func checkAdvertise(s string) error {
	if s == "" {
		return nil
	}
	host, _, err := splitAdvertise(s)
	if err != nil {
		return err
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		return checkTold(ip)
	}
	return nil
}

// splitAdvertise splits host or host:port; port is 0 if there is none.
func splitAdvertise(s string) (host string, port int, err error) {
	if ip, err := netip.ParseAddr(s); err == nil {
		return ip.String(), 0, nil
	}
	host, digits, err := net.SplitHostPort(s)
	if err != nil { // no port
		host, digits = s, ""
	}
	if digits != "" {
		if port, err = strconv.Atoi(digits); err != nil || port < 1 || port > 65535 {
			return "", 0, errors.New("a port of 1 to 65535")
		}
	}
	return host, port, checkHost(host)
}

var errHost = errors.New("host, or host:port, with at most 253 printable characters")

// checkHost says whether s can be an address or a name at all.
func checkHost(s string) error {
	if s == "" || len(s) > 253 {
		return errHost
	}
	for _, x := range []byte(s) {
		if x <= ' ' || x == 0x7f {
			return errHost
		}
	}
	return nil
}

// checkTold says why others cannot be told to connect to ip.
func checkTold(ip netip.Addr) error {
	switch {
	case ip.IsUnspecified():
		return errors.New("an address that others can reach, not an unspecified one")
	case ip.IsMulticast():
		return errors.New("the address of one machine, not a multicast group")
	case ip.Zone() != "":
		return errors.New("an address without a zone: zones mean nothing on other machines")
	}
	return nil
}

// resolve returns the address of a host given as a number or a name. Of several
// it prefers IPv4.
func resolve(ctx context.Context, host string) (netip.Addr, error) {
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.Unmap(), nil
	}
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return netip.Addr{}, err
	}
	for i := range ips {
		ips[i] = ips[i].Unmap()
	}
	slices.SortStableFunc(ips, func(a, b netip.Addr) int { return cmp.Compare(a.BitLen(), b.BitLen()) })
	if len(ips) == 0 {
		return netip.Addr{}, fmt.Errorf("%s has no address", host)
	}
	return ips[0], nil
}

// localAddr is an address of this machine.
type localAddr struct {
	ip      netip.Addr
	up      bool // its interface is up
	virtual bool // its interface is a point-to-point link
	primary bool // packets of the default route come from it
}

// autoAddress chooses the address of this machine that others can most likely
// reach.
func autoAddress() (netip.Addr, error) {
	all, err := localAddrs()
	if err != nil {
		return netip.Addr{}, fmt.Errorf("tribes: address of this machine: %w", err)
	}
	return bestAddress(all)
}

// bestAddress prefers, of the interfaces that are up and in this order: what is
// no loopback, what is routed, IPv4, the source of the default route, what is no
// point-to-point link, and what the system names first.
func bestAddress(all []localAddr) (netip.Addr, error) {
	usable := slices.DeleteFunc(slices.Clone(all), func(a localAddr) bool {
		return !a.up || checkTold(a.ip) != nil || a.ip.Is6() && a.ip.IsLinkLocalUnicast() // which need a zone
	})
	if len(usable) == 0 {
		return netip.Addr{}, errors.New("tribes: address of this machine: no interface that is up has one that others can reach; set Address or Advertise")
	}
	best := slices.MinFunc(usable, func(a, b localAddr) int { return cmp.Compare(a.rank(), b.rank()) })
	return best.ip, nil
}

// rank is smaller for a better address.
func (a localAddr) rank() int {
	rank := 0
	for i, bad := range []bool{a.virtual, !a.primary, !a.ip.Is4(), a.ip.IsLinkLocalUnicast(), a.ip.IsLoopback()} {
		if bad {
			rank |= 1 << i
		}
	}
	return rank
}

// localAddrs asks the system.
func localAddrs() ([]localAddr, error) {
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	primary := []netip.Addr{routeSource("udp4", "192.0.2.1:9"), routeSource("udp6", "[2001:db8::1]:9")}
	var all []localAddr
	for _, i := range interfaces {
		addrs, err := i.Addrs()
		if err != nil {
			return nil, fmt.Errorf("interface %s: %w", i.Name, err)
		}
		for _, a := range addrs {
			n, ok := a.(*net.IPNet)
			if !ok {
				continue
			}
			ip, _ := netip.AddrFromSlice(n.IP)
			ip = ip.Unmap()
			all = append(all, localAddr{ip: ip, up: i.Flags&net.FlagUp != 0,
				virtual: i.Flags&net.FlagPointToPoint != 0, primary: slices.Contains(primary, ip)})
		}
	}
	return all, nil
}

// routeSource is the address that packets to an address far away come from; it
// is invalid if there is no route. The documentation addresses that it is asked
// for get no packet: connecting a UDP socket sends none.
func routeSource(network, far string) netip.Addr {
	c, err := net.Dial(network, far)
	if err != nil {
		return netip.Addr{}
	}
	local := addrPort(c.LocalAddr()).Addr()
	if err := c.Close(); err != nil {
		return netip.Addr{}
	}
	return local
}

// addrPort is a as an address and a port; it is invalid if a has none.
func addrPort(a net.Addr) netip.AddrPort {
	var ap netip.AddrPort
	switch a := a.(type) {
	case *net.TCPAddr:
		ap = a.AddrPort()
	case *net.UDPAddr:
		ap = a.AddrPort()
	}
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}
