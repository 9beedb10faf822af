package session_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/gotribes/tribes/group"
	"github.com/gotribes/tribes/session"
	"github.com/gotribes/tribes/transport/mem"
)

// join starts a member on a network in memory; on a real one it is group.New() and Start.
func join(network *mem.Network, name string) (*group.Group, error) {
	parts := network.Node(name)
	g, err := group.New(group.WithTransport(parts.Sender, parts.Receiver), group.WithMembership(parts.Membership))
	if err != nil {
		return nil, err
	}
	return g, g.Start(context.Background())
}

// visit is a request to a node by a client, whose cookie it returns.
func visit(sessions *session.Manager, cookie string) string {
	h := sessions.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		n, err := session.From(r).Add("visits", 1)
		fmt.Println("visit", n, err)
	}))
	r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
	r.Header.Set("Cookie", cookie)
	h.ServeHTTP(w, r)
	if set, _, ok := strings.Cut(w.Header().Get("Set-Cookie"), ";"); ok {
		return set
	}
	return cookie
}

// Three nodes, each session on two of them. Whatever node a client comes to finds its
// session, also when one of the nodes has left.
func ExampleBackup() {
	ctx := context.Background()
	network := mem.NewNetwork(mem.Config{})
	nodes := make(map[string]*session.Manager)
	for _, name := range []string{"a", "b", "c"} {
		g, err := join(network, name)
		if err != nil {
			log.Fatal(err)
		}
		defer g.Stop(ctx)
		nodes[name], err = session.New(session.Config{Route: name, Backup: &session.Backup{Group: g, Name: "shop"}})
		if err != nil {
			log.Fatal(err)
		}
		defer nodes[name].Close()
		if err := nodes[name].Start(ctx); err != nil {
			log.Fatal(err)
		}
	}
	cookie := visit(nodes["a"], "")
	cookie = visit(nodes["b"], cookie)
	if err := nodes["a"].Close(); err != nil {
		log.Fatal(err)
	}
	cookie = visit(nodes["b"], cookie)
	visit(nodes["c"], cookie)
	// Output:
	// visit 1 <nil>
	// visit 2 <nil>
	// visit 3 <nil>
	// visit 4 <nil>
}

// Two store nodes hold the sessions of a web node that holds none. One of the two leaves, the
// web node is started anew, and nothing is lost.
func ExampleStoreNode() {
	ctx := context.Background()
	network := mem.NewNetwork(mem.Config{})
	stores := make(map[string]*session.StoreNode)
	for _, name := range []string{"store1", "store2"} {
		g, err := join(network, name)
		if err != nil {
			log.Fatal(err)
		}
		defer g.Stop(ctx)
		stores[name], err = session.NewStoreNode(session.StoreNodeConfig{Group: g, Name: "shop"})
		if err != nil {
			log.Fatal(err)
		}
		defer stores[name].Close(ctx)
		if err := stores[name].Start(ctx); err != nil {
			log.Fatal(err)
		}
	}
	cookie, err := webNode(network, "")
	if err != nil {
		log.Fatal(err)
	}
	if err := stores["store1"].Close(ctx); err != nil {
		log.Fatal(err)
	}
	if _, err := webNode(network, cookie); err != nil {
		log.Fatal(err)
	}
	// Output:
	// visit 1 <nil>
	// visit 2 <nil>
}

// webNode is the run of a web node that serves one request.
func webNode(network *mem.Network, cookie string) (string, error) {
	g, err := join(network, "web")
	if err != nil {
		return "", err
	}
	defer g.Stop(context.Background())
	client, err := session.NewClient(session.ClientConfig{Group: g, Name: "shop"})
	if err != nil {
		return "", err
	}
	if err := client.Start(context.Background()); err != nil { // until there is a store node
		return "", err
	}
	sessions, err := session.New(session.Config{Persist: &session.Persist{
		Store: client, EachRequest: true, OnError: session.Fail, Timeout: 6 * time.Second}})
	if err != nil {
		return "", err
	}
	cookie = visit(sessions, cookie)
	return cookie, errors.Join(sessions.Close(), client.Close())
}
