package session_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/gotribes/tribes/group"
	"github.com/gotribes/tribes/session"
	"github.com/gotribes/tribes/transport/mem"
)

// A server that counts the visits of each of its users.
func Example() {
	sessions, err := session.New(session.Config{Timeout: 20 * time.Minute})
	if err != nil {
		log.Fatal(err)
	}
	defer sessions.Close()
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		n, err := session.From(r).Add("visits", 1)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		fmt.Fprintf(w, "visit %d", n)
	})
	server := httptest.NewServer(sessions.Handler(mux)) // http.ListenAndServe(":8080", ...)
	defer server.Close()

	jar, err := cookiejar.New(nil)
	if err != nil {
		log.Fatal(err)
	}
	browser := &http.Client{Jar: jar}
	for range 2 {
		res, err := browser.Get(server.URL)
		if err != nil {
			log.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s\n", body)
	}
	browser.CloseIdleConnections()
	// Output:
	// visit 1
	// visit 2
}

// An attribute has its name and type in one place.
func ExampleKey() {
	type Cart struct{ Items []string }
	cart := session.Key[Cart]("cart")

	sessions, err := session.New(session.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer sessions.Close()
	h := sessions.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := session.From(r)
		if err := cart.Update(s, func(c *Cart) error {
			c.Items = append(c.Items, "tea")
			return nil
		}); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		c, found, err := cart.Get(s)
		fmt.Println(c.Items, found, err)
	}))
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", "/add", nil))
	// Output: [tea] true <nil>
}

// A listener is told of everything that happens to sessions.
func ExampleListener() {
	sessions, err := session.New(session.Config{Listener: session.Listener{
		Created: func(session.Event) { fmt.Println("created") },
		AttributeSet: func(e session.Event) {
			v, _, err := session.As[string](e.New)
			fmt.Println(e.Name, "=", v, err)
		},
		Destroyed: func(e session.Event) { fmt.Println(e.Reason) },
	}})
	if err != nil {
		log.Fatal(err)
	}
	defer sessions.Close()
	h := sessions.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := session.From(r)
		if err := session.Set(s, "colour", "blue"); err != nil {
			fmt.Println(err)
		}
		s.Invalidate()
	}))
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	// Output:
	// created
	// colour = blue <nil>
	// invalidated
}

// Two nodes, here in one process and on a network in memory. A client that comes from one
// to the other finds its session there.
func ExampleCluster() {
	network := mem.NewNetwork(mem.Config{})
	nodes := make(map[string]*session.Manager)
	for _, name := range []string{"a", "b"} {
		parts := network.Node(name)
		g, err := group.New(group.WithTransport(parts.Sender, parts.Receiver), // group.New() on a real network
			group.WithMembership(parts.Membership))
		if err != nil {
			log.Fatal(err)
		}
		if err := g.Start(context.Background()); err != nil {
			log.Fatal(err)
		}
		defer g.Stop(context.Background())
		nodes[name], err = session.New(session.Config{Route: name, Cluster: &session.Cluster{Group: g, Name: "shop"}})
		if err != nil {
			log.Fatal(err)
		}
		defer nodes[name].Close()
		if err := nodes[name].Start(context.Background()); err != nil {
			log.Fatal(err)
		}
	}
	var cookie string
	for _, name := range []string{"a", "b", "b"} {
		h := nodes[name].Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			s := session.From(r)
			n, err := s.Add("visits", 1)
			fmt.Println("visit", n, err, "at", s.ID().Route(), "moved:", s.OriginalID() != "")
		}))
		r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
		r.Header.Set("Cookie", cookie)
		h.ServeHTTP(w, r)
		if set := w.Header().Get("Set-Cookie"); set != "" {
			cookie, _, _ = strings.Cut(set, ";")
		}
	}
	// Output:
	// visit 1 <nil> at a moved: false
	// visit 2 <nil> at b moved: true
	// visit 3 <nil> at b moved: false
}
