package show

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/gotribes/tribes/cmd/tribes-demo/internal/doctor"
)

const (
	loopback  = "127.0.0.1"
	groupAddr = "228.0.0.4"
)

// placement is where the members listen and how they find each other.
type placement struct {
	text  string
	ports [members]int
	mcast int // multicast port, 0 for static members
}

// echo tries whether multicast comes back on the interface with an address.
type echo func(ctx context.Context, group netip.AddrPort, bind netip.Addr) (time.Duration, error)

// findPlace looks for free ports and for multicast on the loopback interface.
func findPlace(ctx context.Context, mcastPort int, try echo) (placement, error) {
	p := placement{mcast: mcastPort}
	if err := p.choosePorts(); err != nil {
		return placement{}, err
	}
	group := netip.AddrPortFrom(netip.MustParseAddr(groupAddr), uint16(mcastPort))
	_, err := try(ctx, group, netip.MustParseAddr(loopback))
	switch {
	case errors.Is(err, doctor.ErrNoInterface):
		return placement{}, fmt.Errorf("%w: is the loopback interface up? On Linux, 'ip link set lo up'", err)
	case err != nil:
		p.mcast = 0
		p.text = fmt.Sprintf("no multicast on the loopback interface (%v): three members know each other from a list", err)
		return p, nil
	}
	p.text = fmt.Sprintf("three members on %s find each other by multicast on %s; others can join them there", loopback, group)
	return p, nil
}

// choosePorts finds a free port for each member. They are given to the member
// processes to open, so each is tried here and closed again.
func (p *placement) choosePorts() error {
	port := firstPort
	for i := range p.ports {
		for ; ; port++ {
			if port > firstPort+1000 {
				return fmt.Errorf("no free ports from %d on", firstPort)
			}
			l, err := net.Listen("tcp", net.JoinHostPort(loopback, strconv.Itoa(port)))
			if err == nil {
				l.Close()
				break
			}
		}
		p.ports[i] = port
		port++
	}
	return nil
}

// addr is where member i listens.
func (p *placement) addr(i int) string {
	return net.JoinHostPort(loopback, strconv.Itoa(p.ports[i]))
}

// env has the settings of member i.
func (p *placement) env(i int, name string) map[string]string {
	env := map[string]string{
		"RN_NAME":  name,
		"RN_BIND":  loopback,
		"RN_PORT":  strconv.Itoa(p.ports[i]),
		"RN_QUIET": "1",
	}
	if p.mcast != 0 {
		env["RN_MCAST_ADDR"], env["RN_MCAST_PORT"] = groupAddr, strconv.Itoa(p.mcast)
		return env
	}
	var peers []string
	for i := range p.ports {
		peers = append(peers, p.addr(i))
	}
	env["RN_STATIC"] = strings.Join(peers, ",")
	return env
}
