package doctor

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
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
		var text []string
		if addrs, err := i.Addrs(); err == nil {
			for _, a := range addrs {
				text = append(text, a.String())
			}
		}
		state := "down"
		if i.Flags&net.FlagUp != 0 {
			state = "up"
		}
		can := "no multicast"
		if i.Flags&net.FlagMulticast != 0 {
			can = "multicast"
		}
		if i.Flags&(net.FlagUp|net.FlagMulticast) == net.FlagUp|net.FlagMulticast {
			able++
		}
		d.say(note, "%-12s %-4s  %-12s  %s", i.Name, state, can, strings.Join(text, " "))
	}
	if able == 0 {
		d.say(warn, "no interface that is up has the multicast flag")
		d.advise("members on this machine can still meet on the loopback interface; on Linux, 'ip link set lo multicast on'")
	}
}

// route says by which address datagrams to the group leave.
func (d *doctor) route() {
	d.section("Route")
	c, err := net.Dial("udp4", d.group.String())
	if err != nil {
		d.say(warn, "no route to %s: %v", d.group.Addr(), err)
		d.advise("bind to an address (-bind), or add one: 'ip route add 224.0.0.0/4 dev eth0'")
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
	took, err := Echo(ctx, d.group, d.bind)
	if err != nil {
		d.say(fail, "a datagram sent to %s on %s did not come back: %v", d.group, d.bind, err)
		d.advise("use static members (-static), or an interface that can multicast (-bind)")
		return
	}
	d.say(fine, "a datagram sent to %s on %s came back after %v", d.group, d.bind, took.Round(time.Microsecond))
	d.say(note, "that says nothing of switches and clouds in between; members heard (below) do")
}

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
		addrs, err := i.Addrs()
		if err != nil {
			continue // gone since it was listed
		}
		for _, a := range addrs {
			if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().Unmap() == addr {
				return &i, nil
			}
		}
	}
	return nil, fmt.Errorf("no interface has the address %s", addr)
}

// port says whether the receiver can listen.
func (d *doctor) port() {
	d.section("Port")
	last := d.settings.Port + d.settings.AutoBind - 1
	for port := d.settings.Port; port <= last; port++ {
		l, err := net.Listen("tcp", netip.AddrPortFrom(d.bind, uint16(port)).String())
		if err != nil {
			d.say(note, "%s:%d: %v", d.bind, port, err)
			continue
		}
		l.Close()
		d.say(fine, "%s:%d is free", d.bind, port)
		return
	}
	d.say(fail, "no free port from %d to %d on %s", d.settings.Port, last, d.bind)
	d.advise("choose another with -port, or more tries with -autobind")
}

// addresses looks for names and addresses that mislead other members.
func (d *doctor) addresses(hostname string) {
	d.section("Addresses")
	switch {
	case d.bind.IsLoopback():
		d.say(note, "%s is bound and advertised: only members on this machine can connect", d.bind)
		d.advise("use -bind with an address of the network for others")
	default:
		d.say(fine, "%s is bound and advertised", d.bind)
	}
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
