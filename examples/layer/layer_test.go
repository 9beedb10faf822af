package layer

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/gotribes/tribes/group"
	"github.com/gotribes/tribes/interceptor"
	"github.com/gotribes/tribes/internal/leak"
	"github.com/gotribes/tribes/message"
	"github.com/gotribes/tribes/transport/mem"
)

func TestMain(m *testing.M) { leak.Main(m) }

func TestLimit(t *testing.T) {
	network := mem.NewNetwork(mem.Config{})
	limit := &Limit{Bytes: 5}
	start := func(host string, options ...group.Option) *group.Group {
		node := network.Node(host).Config()
		g, err := group.New(append(options, group.WithTransport(node.Sender, node.Receiver), group.WithMembership(node.Membership))...)
		if err != nil {
			t.Fatal(err)
		}
		if err := g.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { g.Stop(context.Background()) })
		return g
	}
	a := start("a", group.WithInterceptors(new(interceptor.Dispatch), limit))
	b := start("b")
	got := make(chan string, 10)
	b.Listen(group.ListenerFunc(func(_ context.Context, m *group.Message) error {
		got <- string(m.Payload())
		return nil
	}))
	if err := a.WaitMembers(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if _, err := a.SendAll(t.Context(), []byte("hello world"), group.Sync); !errors.Is(err, message.ErrTooLarge) {
		t.Errorf("SendAll of 11 bytes: %v, want ErrTooLarge", err)
	}
	if _, err := a.SendAll(t.Context(), []byte("hello"), group.Sync); err != nil {
		t.Errorf("SendAll of 5 bytes: %v", err)
	}
	if first := <-got; first != "hello" || limit.Refused() != 1 {
		t.Errorf("got %q, %d refused; want the small one alone", first, limit.Refused())
	}
}

func ExampleLimit() {
	_, err := group.New(group.WithInterceptors(
		new(interceptor.Dispatch),
		&Limit{Bytes: 1 << 20},
		new(interceptor.Gzip),
		new(interceptor.TCPFailureDetector),
	))
	fmt.Println(err)
	// Output: <nil>
}
