package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/signal"

	"github.com/gotribes/tribes/group"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	g, err := group.New(group.WithBind("127.0.0.1")) // without it: an address of the network
	if err != nil {
		log.Fatal(err)
	}
	g.Listen(group.ListenerFunc(func(ctx context.Context, m *group.Message) error {
		fmt.Printf("%s says %q\n", m.Source, m.Payload())
		return nil
	}))
	if err := g.Start(ctx); err != nil {
		log.Fatal(err)
	}
	defer g.Stop(context.Background())
	if err := g.WaitMembers(ctx, 1); err != nil { // start the program twice
		log.Fatal(err)
	}
	if _, err := g.SendAll(ctx, []byte("hello"), group.Sync); err != nil {
		log.Print(err) // a *group.SendError: the outcome at each destination
	}
	<-ctx.Done()
}
