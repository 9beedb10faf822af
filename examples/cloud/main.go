// Command cloud is a member where multicast does not work: it finds the others
// on a list, by a DNS name that stands for all of them, or both.
//
//	cloud -bind 10.0.0.1 -port 4000 -members 10.0.0.1:4000,10.0.0.2:4000
//	cloud -port 4000 -dns shop.default.svc.cluster.local
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/gotribes/tribes/group"
	"github.com/gotribes/tribes/membership/static"
	"github.com/gotribes/tribes/transport/nio"
)

func main() {
	bind := flag.String("bind", "", "`address` to listen on and to announce (default one of the network)")
	port := flag.Int("port", 4000, "TCP `port`")
	members := flag.String("members", "", "`HOST:PORT,...` of the members, this one may be among them")
	dns := flag.String("dns", "", "`name` whose addresses are those of the members")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Stdout, *bind, *port, *members, *dns); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out io.Writer, bind string, port int, members, dns string) error {
	list := static.Config{Name: "cloud example"}
	for addr := range strings.SplitSeq(members, ",") {
		if addr != "" {
			list.Members = append(list.Members, static.Peer{Addr: addr})
		}
	}
	if dns != "" {
		list.Resolver = static.LookupHost(nil, dns, port) // members come and go with the answers
	}
	g, err := group.New(group.WithStatic(list), group.WithReceiver(nio.ReceiverConfig{Address: bind, Port: port, PortTries: 1}))
	if err != nil {
		return err
	}
	g.Watch(group.MembershipListenerFunc(func(_ context.Context, ev group.Event) {
		fmt.Fprintln(out, ev.Kind, ev.Member.AddrPort())
	}))
	if err := g.Start(ctx); err != nil {
		return err
	}
	defer g.Stop(context.Background())
	fmt.Fprintln(out, "started", g.Local().AddrPort())
	<-ctx.Done()
	return nil
}
