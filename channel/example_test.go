package channel_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
	"github.com/gotribes/tribes/transport/mem"
)

// Two members on a network in memory: one sends, the other listens. With Sync
// the sender learns what the listener thinks of the message.
func Example() {
	ctx := context.Background()
	n := mem.NewNetwork(mem.Config{})
	begin := func(host string) *channel.Channel {
		c, err := channel.New(n.Node(host).Config())
		if err == nil {
			err = c.Start(ctx)
		}
		if err != nil {
			panic(err)
		}
		return c
	}
	a, b := begin("a"), begin("b")
	b.Listen(channel.ListenerFunc(func(_ context.Context, m *message.Message) error {
		if len(m.Payload()) == 0 {
			return fmt.Errorf("nothing in it")
		}
		fmt.Printf("b got %q\n", m.Payload())
		return nil
	}))
	if err := a.WaitMembers(ctx, 1); err != nil {
		panic(err)
	}
	_, err := a.SendAll(ctx, []byte("hello"), message.Sync)
	fmt.Println("hello:", err)
	_, err = a.SendAll(ctx, nil, message.Sync)
	var failed *message.SendError
	if errors.As(err, &failed) {
		fmt.Println("nothing:", failed.Results[0].Outcome)
	}
	for _, c := range []*channel.Channel{a, b} {
		if err := c.Stop(ctx); err != nil {
			panic(err)
		}
	}
	// Output:
	// b got "hello"
	// hello: <nil>
	// nothing: refused
}

// Watch tells who is there, and then who comes and goes.
func ExampleChannel_Watch() {
	ctx := context.Background()
	n := mem.NewNetwork(mem.Config{})
	a, err := channel.New(n.Node("a").Config())
	if err != nil {
		panic(err)
	}
	told := make(chan membership.Event)
	a.Watch(channel.MembershipListenerFunc(func(_ context.Context, ev membership.Event) { told <- ev }))
	b, err := channel.New(n.Node("b").Config())
	if err != nil {
		panic(err)
	}
	for _, c := range []*channel.Channel{a, b} {
		if err := c.Start(ctx); err != nil {
			panic(err)
		}
	}
	ev := <-told
	fmt.Println(ev.Member.AddrPort(), ev.Kind)
	if err := b.Stop(ctx); err != nil {
		panic(err)
	}
	ev = <-told
	fmt.Println(ev.Member.AddrPort(), ev.Kind)
	if err := a.Stop(ctx); err != nil {
		panic(err)
	}
	// Output:
	// 10.0.0.2:4000 joined
	// 10.0.0.2:4000 left
}
