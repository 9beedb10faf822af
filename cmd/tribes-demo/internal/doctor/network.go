package doctor

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"time"

	"golang.org/x/net/ipv4"
)

// echoWait is how long a datagram may take to come back on one machine.
const echoWait = time.Second

// interfaces lists the network interfaces and says which can multicast.
func (d *doctor) interfaces() {
	d.section("Interfaces")
	all, err := net.Interfaces()
	if err != nil {
		d.say(fail, "cannot list them: %v", err)
		return
	}
	able := 0
	for _, i := range all {
		can := "no multicast"
		if i.Flags&net.FlagMulticast != 0 {
			can = "multicast"
		}
		if i.Flags&(net.FlagUp|net.FlagMulticast) == net.FlagUp|net.FlagMulticast {
			able++
		}
		d.say(note, "%-12s %-10s %-12s  %s", i.Name, state(i), can, strings.Join(addressesOf(i), " "))
	}
	if able == 0 {
		d.say(note, "no interface that is up has the multicast flag; whether datagrams come back all the same is tried below")
	}
}

// state is what an interface is good for now.
func state(i net.Interface) string {
	switch {
	case i.Flags&net.FlagUp == 0:
		return "down"
	case i.Flags&net.FlagRunning == 0:
		return "no carrier"
	}
	return "up"
}

func addressesOf(i net.Interface) []string {
	addrs, err := i.Addrs()
	if err != nil {
		return nil // gone since it was listed
	}
	var all []string
	for _, a := range addrs {
		all = append(all, a.String())
	}
	return all
}

// candidates are the addresses that members on other machines could reach.
func candidates() []netip.Addr {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	var found []netip.Addr
	for _, a := range all {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().IsGlobalUnicast() && p.Addr().Is4() {
			found = append(found, p.Addr())
		}
	}
	return found
}

// route says by which address datagrams to the group leave where no bind address
// decides it.
func (d *doctor) route() {
	d.section("Route")
	c, err := net.Dial("udp4", d.group.String())
	switch {
	case err != nil && d.bind.IsUnspecified():
		d.say(warn, "no route to %s: %v", d.group.Addr(), err)
		d.advise("bind to an address (-bind), or add one: 'ip route add %s/32 dev INTERFACE'", d.group.Addr())
		return
	case err != nil:
		d.say(note, "no route to %s (%v): datagrams leave by the interface of %s without one;", d.group.Addr(), err, d.bind)
		d.say(note, "Java nodes without a bind address would need one")
		return
	}
	defer c.Close()
	from := c.LocalAddr().(*net.UDPAddr).AddrPort().Addr()
	d.say(fine, "datagrams to %s leave from %s unless a bind address says otherwise", d.group.Addr(), from)
	if from != d.bind && !d.bind.IsUnspecified() {
		d.say(note, "the bind address is %s, so they leave from there", d.bind)
	}
}

// echo sends a datagram to the group and waits for it.
func (d *doctor) echo(ctx context.Context) {
	d.section("Multicast")
	from := d.multicastAddress()
	took, err := Echo(ctx, d.group, from)
	if err == nil {
		d.say(fine, "a datagram sent to %s on %s came back after %v", d.group, from, took.Round(time.Microsecond))
		d.say(note, "that says nothing of switches and clouds in between; members heard (below) do")
		return
	}
	d.say(fail, "a datagram sent to %s on %s did not come back: %v", d.group, from, err)
	switch {
	case errors.Is(err, ErrNoInterface):
		d.advise("use an address of this machine (-bind)")
	case errors.Is(err, syscall.EADDRINUSE):
		d.advise("another program has UDP port %d for itself: stop it, or use another (-mcast-port)", d.group.Port())
	case errors.Is(err, syscall.EPERM):
		d.advise("a firewall on this machine forbids sending to UDP port %d: see 'nft list ruleset'", d.group.Port())
	default:
		d.advise("a firewall on this machine drops UDP port %d (see 'nft list ruleset'), or the interface cannot multicast", d.group.Port())
	}
	d.advise("where multicast does not work, members can be listed: -static ADDRESS:PORT,...")
}

// multicastAddress is the bind address, or, if that stands for all, the one that
// a member would multicast from: that of the route, else one of the network,
// else the loopback interface's.
func (d *doctor) multicastAddress() netip.Addr {
	if !d.bind.IsUnspecified() {
		return d.bind
	}
	if c, err := net.Dial("udp4", d.group.String()); err == nil {
		defer c.Close()
		return c.LocalAddr().(*net.UDPAddr).AddrPort().Addr()
	}
	if all := candidates(); len(all) > 0 {
		return all[0]
	}
	return netip.AddrFrom4([4]byte{127, 0, 0, 1})
}

// ErrNoInterface means that no interface has an address, or that it is down.
var ErrNoInterface = errors.New("no interface has the address")

// Echo sends a datagram, which members ignore, to the group on the interface
// that has the address bind, and waits until it comes back.
func Echo(ctx context.Context, group netip.AddrPort, bind netip.Addr) (time.Duration, error) {
	ifi, err := interfaceOf(bind)
	if err != nil {
		return 0, err
	}
	lc := net.ListenConfig{Control: shareAddress}
	conn, err := lc.ListenPacket(ctx, "udp4", group.String())
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	p := ipv4.NewPacketConn(conn)
	to := net.UDPAddrFromAddrPort(group)
	err = errors.Join(p.JoinGroup(ifi, to), p.SetMulticastInterface(ifi), p.SetMulticastLoopback(true))
	if err != nil {
		return 0, err
	}
	text := fmt.Appendf(nil, "tribes-demo doctor %s", rand.Text())
	begin := time.Now()
	deadline := begin.Add(echoWait)
	if t, ok := ctx.Deadline(); ok && t.Before(deadline) {
		deadline = t
	}
	if err := conn.SetDeadline(deadline); err != nil {
		return 0, err
	}
	if _, err := conn.WriteTo(text, to); err != nil {
		return 0, err
	}
	for buf := make([]byte, 2048); ; {
		n, _, err := conn.ReadFrom(buf)
		switch {
		case err != nil:
			return 0, err
		case string(buf[:n]) == string(text):
			return time.Since(begin), nil
		}
	}
}

func interfaceOf(addr netip.Addr) (*net.Interface, error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	for _, i := range all {
		for _, a := range addressesOf(i) {
			if p, err := netip.ParsePrefix(a); err == nil && p.Addr().Unmap() == addr {
				return &i, nil
			}
		}
	}
	return nil, fmt.Errorf("%w %s", ErrNoInterface, addr)
}

// port says whether the receiver can listen.
func (d *doctor) port() {
	d.section("Port")
	last := d.settings.Port + d.settings.AutoBind - 1
	taken := false
	for port := d.settings.Port; port <= last; port++ {
		l, err := net.Listen("tcp", netip.AddrPortFrom(d.bind, uint16(port)).String())
		if err != nil {
			d.say(note, "%s:%d: %v", d.bind, port, err)
			taken = taken || errors.Is(err, syscall.EADDRINUSE)
			continue
		}
		l.Close()
		d.say(fine, "%s:%d is free", d.bind, port)
		return
	}
	d.say(fail, "no free port from %d to %d on %s", d.settings.Port, last, d.bind)
	if taken {
		d.advise("something listens there, perhaps the member itself: stop it, choose another with -port, or more tries with -autobind")
	}
}

// addresses looks for names and addresses that mislead other members.
func (d *doctor) addresses(hostname string) {
	d.section("Addresses")
	_, err := interfaceOf(d.bind)
	switch {
	case d.bind.IsUnspecified():
		d.say(note, "bound to %s, all addresses of this machine, of which one is advertised; it has %v", d.bind, candidates())
		d.advise("if others cannot reach that one, name another with -bind")
	case errors.Is(err, ErrNoInterface):
		d.say(fail, "%v, or that interface is down", err)
		d.advise("give one of those above to -bind, or 'ip link set INTERFACE up'")
	case d.bind.IsLoopback():
		d.say(note, "%s is bound and advertised: only members on this machine can connect", d.bind)
		for _, c := range candidates() {
			d.advise("for members elsewhere: -bind %s", c)
		}
	default:
		d.say(fine, "%s is bound and advertised", d.bind)
	}
	d.hostname(hostname)
}

// hostname says what a Java node that asks for the name of the host gets.
func (d *doctor) hostname(hostname string) {
	found, err := net.LookupHost(hostname)
	if err != nil {
		d.say(note, "the host name %q does not resolve: %v", hostname, err)
		return
	}
	d.say(note, "the host name %q is %s (where Java nodes with address auto listen)", hostname, strings.Join(found, " "))
	for _, a := range found {
		if ip, err := netip.ParseAddr(a); err == nil && ip.IsLoopback() && !d.bind.IsLoopback() {
			d.say(warn, "a Java node with address auto would advertise %s, which only this machine can reach", ip)
		}
	}
}
