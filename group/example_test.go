package group_test

import (
	"context"
	"fmt"
	"log"

	"github.com/gotribes/tribes/group"
	"github.com/gotribes/tribes/transport/mem"
)

// Two members in one process, over a network in memory.
func Example() {
	ctx := context.Background()
	net := mem.NewNetwork(mem.Config{})
	join := func(host string) *group.Group {
		c := net.Node(host).Config()
		g, err := group.New(group.WithTransport(c.Sender, c.Receiver), group.WithMembership(c.Membership))
		if err != nil {
			log.Fatal(err)
		}
		if err := g.Start(ctx); err != nil {
			log.Fatal(err)
		}
		return g
	}
	a, b := join("a"), join("b")
	b.Listen(group.ListenerFunc(func(_ context.Context, m *group.Message) error {
		fmt.Printf("b hears %q\n", m.Payload())
		return nil
	}))
	if err := a.WaitMembers(ctx, 1); err != nil {
		log.Fatal(err)
	}
	if _, err := a.SendAll(ctx, []byte("hello"), group.Sync); err != nil {
		log.Fatal(err)
	}
	for _, g := range []*group.Group{a, b} {
		if err := g.Stop(ctx); err != nil {
			log.Fatal(err)
		}
	}
	// Output: b hears "hello"
}
