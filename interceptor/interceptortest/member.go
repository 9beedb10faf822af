package interceptortest

import (
	"fmt"
	"net/netip"

	"github.com/gotribes/tribes/membership"
)

// Member returns the member number n, 1 to 65000, of the tests: host 10.0.x.y,
// port 4000, and an id that is made of n. Equal numbers give equal members.
func Member(n int) *membership.Member {
	addr := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(n >> 8), byte(n)}), 4000)
	return MemberAt(addr, n)
}

// MemberAt returns the member on an address whose id is made of n: with one
// address and two numbers it gives what a restarted process looks like.
func MemberAt(addr netip.AddrPort, n int) *membership.Member {
	id := membership.ID{0: byte(n >> 8), 1: byte(n), 6: 0x40, 8: 0x80, 15: 1}
	m, err := membership.New(membership.Attributes{
		Host: addr.Addr(), Port: int(addr.Port()),
		SecurePort: membership.NoPort, UDPPort: membership.NoPort, ID: id,
	})
	if err != nil {
		panic(fmt.Sprintf("interceptortest: member %d: %v", n, err))
	}
	return m
}

// Members returns the members with the numbers from first to last.
func Members(first, last int) []*membership.Member {
	var all []*membership.Member
	for n := first; n <= last; n++ {
		all = append(all, Member(n))
	}
	return all
}
