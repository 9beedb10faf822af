package mcast_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"

	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/membership/mcast"
)

// Two services on the loopback interface find each other. In a channel the
// service is given to the configuration, and the channel does the rest.
func Example() {
	cfg := mcast.Config{Address: netip.MustParseAddr("239.192.10.10"), Port: 45570, Interface: "127.0.0.1"}
	found := make(chan *membership.Member, 10)
	for port := 4101; port <= 4102; port++ {
		service, err := mcast.New(cfg)
		if err != nil {
			fmt.Println(err)
			return
		}
		local, err := membership.New(membership.Attributes{
			Host: netip.MustParseAddr("127.0.0.1"), Port: port, SecurePort: membership.NoPort,
			UDPPort: membership.NoPort, ID: membership.NewID(),
		})
		if err != nil {
			fmt.Println(err)
			return
		}
		err = service.Start(context.Background(), membership.Env{
			Local: local, Listen: true, Announce: true, Logger: slog.New(slog.DiscardHandler),
			Notify: func(ev membership.Event) {
				if ev.Kind == membership.Joined {
					found <- ev.Member
				}
			},
		})
		if err != nil {
			fmt.Println(err)
			return
		}
		defer func() { _ = service.Stop(context.Background()) }() // the example is over
	}
	one, two := <-found, <-found
	fmt.Println("ports found:", one.Port()+two.Port()-8200)
	// Output: ports found: 3
}
