package static_test

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"strings"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/membership/static"
	"github.com/gotribes/tribes/transport/mem"
)

// Two members with each other on their lists, on a network in memory.
func Example() {
	ctx := context.Background()
	list := []static.Peer{{Addr: "10.0.0.1:4000"}, {Addr: "10.0.0.2:4000"}}
	network := mem.NewNetwork(mem.Config{})
	for _, name := range []string{"a", "b"} {
		s, err := static.New(static.Config{Members: list})
		if err != nil {
			fmt.Println(err)
			return
		}
		cfg := network.Node(name).Config()
		cfg.Membership = s
		cfg.Interceptors = []channel.Interceptor{s}
		c, err := channel.New(cfg)
		if err != nil {
			fmt.Println(err)
			return
		}
		if err := c.Start(ctx); err != nil {
			fmt.Println(err)
			return
		}
		defer c.Stop(ctx)
		if name == "b" {
			err := c.WaitMembers(ctx, 1)
			fmt.Println("b sees", c.View().Members[0].AddrPort(), err)
		}
	}
	// Output: b sees 10.0.0.1:4000 <nil>
}

// A Resolver can find members by whatever a site has: here a file with one
// address in each line, which somebody keeps up to date.
func ExampleResolver() {
	file := func(context.Context) ([]netip.AddrPort, error) {
		text, err := os.ReadFile("testdata/members.txt")
		if err != nil {
			return nil, err
		}
		var members []netip.AddrPort
		for line := range strings.Lines(string(text)) {
			addr, err := netip.ParseAddrPort(strings.TrimSpace(line))
			if err != nil {
				return nil, err
			}
			members = append(members, addr)
		}
		return members, nil
	}
	found, err := static.ResolverFunc(file).Resolve(context.Background())
	fmt.Println(found, err)

	// group.New(group.WithStatic(cfg)) makes a member of it.
	cfg := static.Config{Resolver: static.ResolverFunc(file), Name: "shop"}
	_, err = static.New(cfg)
	fmt.Println(err)
	// Output:
	// [10.1.0.1:4000 10.1.0.2:4000] <nil>
	// <nil>
}

// In a cloud that publishes the members of a service by DNS, SRV records give
// their ports too.
func ExampleLookupSRV() {
	cfg := static.Config{
		Resolver: static.LookupSRV(nil, "tribes", "tcp", "shop.default.svc.cluster.local"),
		Name:     "shop",
	}
	_, err := static.New(cfg)
	fmt.Println(err)
	// Output: <nil>
}
