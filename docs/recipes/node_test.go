//go:build recipes

package recipes

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"testing"

	"github.com/gotribes/tribes/group"
	"github.com/gotribes/tribes/internal/leak"
	"github.com/gotribes/tribes/membership/mcast"
	"github.com/gotribes/tribes/session"
)

// TestMain runs the tests or, in processes that they start, a node.
func TestMain(m *testing.M) {
	if addr := os.Getenv("RECIPE_ADDR"); addr != "" {
		fmt.Fprintln(os.Stderr, serve(addr))
		os.Exit(1)
	}
	leak.Main(m)
}

// serve is a node of the application; it ends by being killed.
func serve(addr string) error {
	port, err := strconv.Atoi(os.Getenv("RECIPE_GROUP"))
	if err != nil {
		return err
	}
	g, err := group.New(group.WithMulticast(mcast.Config{Port: port}), group.WithBind("127.0.0.1"),
		group.WithDomain(os.Getenv("RECIPE_DOMAIN")))
	if err != nil {
		return err
	}
	if err := g.Start(context.Background()); err != nil {
		return err
	}
	route := os.Getenv("RECIPE_ROUTE")
	sessions, err := session.New(session.Config{
		Route: route, Cookie: session.Cookie{RouteName: os.Getenv("RECIPE_COOKIE")},
		Cluster: &session.Cluster{Group: g},
	})
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { count(w, r, "visits", route) })
	mux.HandleFunc("/aborted", func(w http.ResponseWriter, r *http.Request) { show(w, r, "aborted") })
	mux.HandleFunc("/abort", func(w http.ResponseWriter, r *http.Request) {
		count(nil, r, "aborted", route)
		panic(http.ErrAbortHandler) // done, but no answer
	})
	outer := http.NewServeMux()
	outer.Handle("/", sessions.Handler(mux))
	outer.Handle("/ready", sessions.ReadyHandler())
	outer.HandleFunc("/has", func(w http.ResponseWriter, r *http.Request) {
		_, found := sessions.Lookup(r.FormValue("id"))
		fmt.Fprint(w, found)
	})
	outer.HandleFunc("POST /drain", func(w http.ResponseWriter, r *http.Request) {
		if err := sessions.Drain(r.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	failed := make(chan error, 1)
	go func() { failed <- http.ListenAndServe(addr, outer) }()
	if err := sessions.Start(context.Background()); err != nil {
		return err
	}
	return <-failed
}

// count adds one to a counter and answers with it and the node, if w is not nil.
func count(w http.ResponseWriter, r *http.Request, name, route string) {
	n, err := session.From(r).Add(name, 1)
	if err != nil {
		panic(err)
	}
	if w != nil {
		fmt.Fprintf(w, "%s %d", route, n)
	}
}

func show(w http.ResponseWriter, r *http.Request, name string) {
	n, _, err := session.Get[int64](session.From(r), name)
	if err != nil {
		panic(err)
	}
	fmt.Fprint(w, n)
}
