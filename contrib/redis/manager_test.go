//go:build databases

package redis

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gotribes/tribes/internal/proctest"
	"github.com/gotribes/tribes/session"
)

// webNode is a node of an application with its sessions in Redis.
func webNode(t *testing.T, server *server, route string) (addr string) {
	t.Helper()
	m, err := session.New(session.Config{Route: route, Persist: &session.Persist{
		Store: server.open(Config{Prefix: "shop:"}), EachRequest: true, Check: true, OnError: session.Fail,
	}})
	must(t, err)
	web := httptest.NewServer(m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := session.From(r).Add("visits", 1)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		fmt.Fprintf(w, "visit %d", n)
	})))
	t.Cleanup(func() {
		web.Close()
		must(t, m.Close())
	})
	must(t, m.Start(t.Context()))
	return strings.TrimPrefix(web.URL, "http://")
}

// A client goes from node to node, Redis is killed in between, and no visit is lost; while it
// is down the client is told so.
func TestManager(t *testing.T) {
	t.Parallel()
	server := startServer(t)
	one, two := webNode(t, server, "a"), webNode(t, server, "b")
	c := proctest.NewClient(t, one)
	c.Want("GET /", "visit 1")
	c.At(two).Want("GET /", "visit 2")
	c.Want("GET /", "visit 3")
	server.Kill()
	if status, body := c.At(two).Do("GET /", ""); status != http.StatusServiceUnavailable {
		t.Errorf("without Redis: %d, %s", status, body)
	}
	server.Start()
	third := webNode(t, server, "c")
	before := 0
	proctest.Until(t, "sessions are there again", func() bool {
		status, body := c.At(third).Do("GET /", "")
		_, err := fmt.Sscanf(body, "visit %d", &before)
		return status == http.StatusOK && err == nil
	}, server.Process)
	if before != 4 && before != 5 { // what the client was not told of may count
		t.Errorf("visit %d", before)
	}
	c.Eventually("GET /", "visit")
	c.At(third).Want("GET /", fmt.Sprintf("visit %d", before+2))
}
