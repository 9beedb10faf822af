// Command attributes has attributes of the whole application on all nodes of a web
// server: what Tomcat's servlet context holds, replicated. Here it is a notice that every
// page shows. Start it twice, with -http 127.0.0.1:8081 and :8082:
//
//	curl -X PUT -d 'closed at ten' http://127.0.0.1:8081/attributes/notice
//	curl http://127.0.0.1:8082/
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/signal"

	"github.com/gotribes/tribes/group"
	"github.com/gotribes/tribes/replmap"
)

func main() {
	addr := flag.String("http", "127.0.0.1:8081", "address of the web server")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	g, err := group.New(group.WithBind("127.0.0.1"))
	check(err)
	check(g.Start(ctx))
	attributes, err := open(ctx, g)
	check(err)
	server := &http.Server{Addr: *addr, Handler: handler(attributes)}
	go func() {
		if err := server.ListenAndServe(); err != http.ErrServerClosed {
			log.Fatal(err)
		}
	}()
	<-ctx.Done()
	check(server.Shutdown(context.Background()))
	check(attributes.Close(context.Background()))
	check(g.Stop(context.Background()))
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// open returns the attributes of the application. Connections, pools and the like stay
// with each node: what all nodes have must be data.
func open(ctx context.Context, g *group.Group) (*replmap.Map[string, string], error) {
	m, err := replmap.New(replmap.Config[string, string]{
		Group: g, Name: "shop/attributes", Keys: replmap.String(), Values: replmap.String(), MaxValue: 1 << 20,
	})
	if err != nil {
		return nil, err
	}
	if err := m.Start(ctx); err != nil {
		return nil, err
	}
	m.Watch(func(_ context.Context, e replmap.Event[string, string]) {
		log.Printf("attribute %s is %s: %q", e.Key, e.Kind, e.New)
	})
	return m, nil
}

func handler(attributes *replmap.Map[string, string]) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		notice, there, err := attributes.Get(r.Context(), "notice") // from this node's memory
		switch {
		case err != nil:
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		case there:
			fmt.Fprintf(w, "Welcome. Notice: %s\n", notice)
		default:
			fmt.Fprintln(w, "Welcome.")
		}
	})
	mux.HandleFunc("PUT /attributes/{name}", func(w http.ResponseWriter, r *http.Request) {
		value, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err == nil {
			err = attributes.Put(r.Context(), r.PathValue("name"), string(value))
		}
		answer(w, err)
	})
	mux.HandleFunc("DELETE /attributes/{name}", func(w http.ResponseWriter, r *http.Request) {
		_, err := attributes.Delete(r.Context(), r.PathValue("name"))
		answer(w, err)
	})
	return mux
}

// answer says that all nodes have it, or why not.
func answer(w http.ResponseWriter, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
