package interceptor_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/interceptor"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/transport/mem"
)

// Two members: the first works until it stops, then the second does.
func ExampleNonBlockingCoordinator() {
	network := mem.NewNetwork(mem.Config{})
	start := func(name string) (*channel.Channel, *interceptor.NonBlockingCoordinator) {
		election := new(interceptor.NonBlockingCoordinator)
		cfg := network.Node(name).Config()
		cfg.Interceptors = []channel.Interceptor{election, new(interceptor.TCPFailureDetector)}
		c, err := channel.New(cfg)
		if err == nil {
			err = c.Start(context.Background())
		}
		if err != nil {
			panic(err)
		}
		return c, election
	}
	a, electionA := start("a")
	b, electionB := start("b")
	ctx := context.Background()
	if _, err := b.WaitAgreed(ctx, func(v *membership.Agreed) bool { return v.Len() == 2 }); err != nil {
		panic(err)
	}
	for now := range electionB.Changes(ctx) {
		if now.Coordinator != nil {
			fmt.Println("of", len(now.Members), "members b coordinates:", now.Local)
			break
		}
	}
	err := electionA.Lead(ctx, func(ctx context.Context, term uint64) error {
		fmt.Println("a works")
		a.Close()
		<-ctx.Done()
		return context.Cause(ctx)
	})
	fmt.Println("a has stopped working:", errors.Is(err, interceptor.ErrNotCoordinator))
	err = electionB.Lead(ctx, func(context.Context, uint64) error {
		fmt.Println("b works")
		return nil
	})
	if err != nil {
		panic(err)
	}
	<-a.Done()
	if err := b.Stop(ctx); err != nil {
		panic(err)
	}
	// Output:
	// of 2 members b coordinates: false
	// a works
	// a has stopped working: true
	// b works
}
