// Command scs is a small web application on github.com/alexedwards/scs, with its
// memory, Redis or PostgreSQL store, that speaks the contract of package web.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/alexedwards/scs/v2"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "`HOST:PORT` to serve")
	name := flag.String("name", "node", "`name` of this node")
	redisAt := flag.String("redis", "", "`HOST:PORT` of Redis; without it and -postgres sessions are in memory")
	postgres := flag.String("postgres", "", "`URL` of PostgreSQL; the table is made")
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "scs: unexpected argument %q\n", flag.Arg(0))
		os.Exit(2)
	}
	if err := serve(*listen, *name, *redisAt, *postgres); err != nil {
		fmt.Fprintln(os.Stderr, "scs:", err)
		os.Exit(1)
	}
}

func serve(listen, name, redisAt, postgres string) error {
	a := &app{name: name, manager: scs.New()}
	a.manager.Lifetime = time.Hour
	end, err := a.open(redisAt, postgres)
	if err != nil {
		return err
	}
	defer end()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	s := &http.Server{Addr: listen, Handler: a.routes()}
	ended := make(chan error, 1)
	go func() { ended <- s.ListenAndServe() }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		return err
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
