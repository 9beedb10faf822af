// Command scs is a small web application on github.com/alexedwards/scs, with its
// memory or its Redis store, that speaks the contract of package web.
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

	"github.com/alexedwards/scs/redisstore"
	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"
	"github.com/gomodule/redigo/redis"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "`HOST:PORT` to serve")
	name := flag.String("name", "node", "`name` of this node")
	redisAt := flag.String("redis", "", "`HOST:PORT` of Redis; without it sessions are in memory")
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "scs: unexpected argument %q\n", flag.Arg(0))
		os.Exit(2)
	}
	if err := serve(*listen, *name, *redisAt); err != nil {
		fmt.Fprintln(os.Stderr, "scs:", err)
		os.Exit(1)
	}
}

func serve(listen, name, redisAt string) error {
	a := &app{name: name, manager: scs.New()}
	a.manager.Lifetime = time.Hour
	if redisAt == "" {
		a.describe, a.count = "scs memory", a.countMemory
		store := memstore.New()
		defer store.StopCleanup()
		a.manager.Store, a.memory = store, store
	} else {
		pool := &redis.Pool{MaxIdle: 128, IdleTimeout: time.Minute,
			Dial: func() (redis.Conn, error) { return redis.Dial("tcp", redisAt) }}
		defer pool.Close() // the process ends
		a.describe, a.manager.Store = "scs Redis", redisstore.New(pool)
		a.count = func() (int, error) {
			c := pool.Get()
			defer c.Close()
			return redis.Int(c.Do("DBSIZE"))
		}
	}
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
