package interceptor_test

import (
	"context"
	"fmt"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/interceptor"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
	"github.com/gotribes/tribes/transport/mem"
)

// Two members on a network in memory: one posts messages that it does not wait
// for, and is told the outcome of each.
func Example() {
	network := mem.NewNetwork(mem.Config{})
	start := func(name string) *channel.Channel {
		cfg := network.Node(name).Config()
		cfg.Interceptors = []channel.Interceptor{
			&interceptor.Dispatch{WhenFull: interceptor.Refuse},
			&interceptor.TCPFailureDetector{ReadTest: interceptor.ReadAlways},
		}
		c, err := channel.New(cfg)
		if err == nil {
			err = c.Start(context.Background())
		}
		if err != nil {
			panic(err)
		}
		return c
	}
	a, b := start("a"), start("b")
	b.Listen(channel.ListenerFunc(func(_ context.Context, m *message.Message) error {
		fmt.Printf("b has got %q\n", m.Payload())
		return nil
	}))
	ctx := context.Background()
	if err := a.WaitMembers(ctx, 1); err != nil {
		panic(err)
	}
	done := make(chan struct{})
	_, err := a.Post(ctx, a.View().Members, []byte("hello"), message.Async|message.Sync, func(_ message.ID, err error) {
		fmt.Println("outcome:", err)
		close(done)
	})
	if err != nil {
		panic(err)
	}
	<-done
	left := make(chan struct{})
	a.Watch(channel.MembershipListenerFunc(func(_ context.Context, ev membership.Event) {
		if ev.Kind == membership.Left {
			close(left)
		}
	}))
	if err := b.Stop(ctx); err != nil {
		panic(err)
	}
	<-left
	fmt.Println("b has left")
	if err := a.Stop(ctx); err != nil {
		panic(err)
	}
	// Output:
	// b has got "hello"
	// outcome: <nil>
	// b has left
}
