// Command topics has two kinds of messages in one group, each on a topic of its
// own: prices, which need no answer, and orders, which the others must confirm.
// Start it twice.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"

	"github.com/gotribes/tribes/group"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout, group.WithBind("127.0.0.1")); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out io.Writer, options ...group.Option) error {
	g, err := group.New(options...)
	if err != nil {
		return err
	}
	prices, err := g.Topic("prices")
	if err != nil {
		return err
	}
	orders, err := g.Topic("orders")
	if err != nil {
		return err
	}
	prices.Listen(func(_ context.Context, m *group.Message) error {
		fmt.Fprintf(out, "price: %s\n", m.Payload())
		return nil
	})
	orders.Listen(func(_ context.Context, m *group.Message) error {
		if len(m.Payload()) == 0 {
			return fmt.Errorf("empty order") // the sender gets this as its error
		}
		fmt.Fprintf(out, "order: %s\n", m.Payload())
		return nil
	})
	if err := g.Start(ctx); err != nil {
		return err
	}
	defer g.Stop(context.Background())
	if err := g.WaitMembers(ctx, 1); err != nil {
		return err
	}
	if _, err := prices.SendAll(ctx, []byte("tea 3.20"), group.NoAck); err != nil {
		return err
	}
	if _, err := orders.SendAll(ctx, []byte("two teas"), group.Sync); err != nil {
		return err
	}
	_, err = orders.SendAll(ctx, nil, group.Sync)
	fmt.Fprintln(out, "the empty order:", err)
	<-ctx.Done()
	return nil
}
