package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/gotribes/tribes/group"
	"github.com/gotribes/tribes/membership/mcast"
	"github.com/gotribes/tribes/session"
)

func main() {
	addr := flag.String("http", "127.0.0.1:8081", "address of the web server")
	route := flag.String("route", "a", "name of this node, for load balancers")
	app := flag.String("app", "shop", "name of the application, the same on all nodes")
	port := flag.Int("group", 45564, "multicast port, the same on all nodes and on no others")
	turn := flag.Duration("turn", 5*time.Second, "time that load balancers need to turn away")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	g, err := group.New(group.WithMulticast(mcast.Config{Port: *port}),
		group.WithBind("127.0.0.1")) // without it: an address of the network
	check(err)
	check(g.Start(ctx))
	sessions, err := session.New(session.Config{Route: *route,
		Cluster: &session.Cluster{Group: g, Name: *app}})
	check(err)
	http.Handle("/ready", sessions.ReadyHandler())
	http.Handle("/", sessions.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := session.From(r).Add("visits", 1)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		fmt.Fprintf(w, "visit %d, node %s\n", n, *route)
	})))
	server := &http.Server{Addr: *addr}
	go func() {
		if err := server.ListenAndServe(); err != http.ErrServerClosed {
			log.Fatal(err)
		}
	}()
	check(sessions.Start(ctx)) // until it returns, /ready and requests get 503

	<-ctx.Done() // SIGTERM: /ready says 503, and the other nodes get what they lack
	end, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	check(sessions.Drain(end))
	time.Sleep(*turn)
	check(server.Shutdown(end))
	check(sessions.Drain(end)) // what came meanwhile
	check(sessions.Close())
	check(g.Stop(end))
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
