package group_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/gotribes/tribes/group"
	"github.com/gotribes/tribes/transport/mem"
)

// Two members are asked; one has a handler.
func ExampleRPC_Call() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	net := mem.NewNetwork(mem.Config{})
	join := func(host string) (*group.Group, *group.RPC) {
		c := net.Node(host).Config()
		g, err := group.New(group.WithTransport(c.Sender, c.Receiver), group.WithMembership(c.Membership))
		if err != nil {
			log.Fatal(err)
		}
		if err := g.Start(ctx); err != nil {
			log.Fatal(err)
		}
		r, err := g.RPC("greet") // in Java: new RpcChannel("greet".getBytes(), channel, callback)
		if err != nil {
			log.Fatal(err)
		}
		return g, r
	}
	a, asking := join("a")
	b, greeting := join("b")
	c, _ := join("c")
	_, err := greeting.Handle(func(_ context.Context, req *group.Request) ([]byte, error) {
		return fmt.Appendf(nil, "hello, %s", req.Bytes), nil
	}, group.HandlerConfig{})
	if err != nil {
		log.Fatal(err)
	}
	if err := a.WaitMembers(ctx, 2); err != nil {
		log.Fatal(err)
	}
	answers, err := asking.Call(ctx, []*group.Member{b.Local(), c.Local()}, []byte("you"), group.AllReplies)
	for _, x := range answers {
		fmt.Printf("%s: %q\n", x.Outcome, x.Bytes)
	}
	fmt.Println(errors.Is(err, group.ErrNoHandler))
	for _, g := range []*group.Group{a, b, c} {
		if err := g.Stop(ctx); err != nil {
			log.Fatal(err)
		}
	}
	// Output:
	// replied: "hello, you"
	// no handler: ""
	// true
}
