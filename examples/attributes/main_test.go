package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gotribes/tribes/group"
	"github.com/gotribes/tribes/internal/leak"
	"github.com/gotribes/tribes/transport/mem"
)

func TestMain(m *testing.M) { leak.Main(m) }

// What is set on one node the pages of all show; a node that starts later too.
func TestAttributesAreEverywhere(t *testing.T) {
	ctx := t.Context()
	network := mem.NewNetwork(mem.Config{})
	start := func(host string) http.Handler {
		node := network.Node(host).Config()
		g, err := group.New(group.WithTransport(node.Sender, node.Receiver), group.WithMembership(node.Membership))
		if err != nil {
			t.Fatal(err)
		}
		if err := g.Start(ctx); err != nil {
			t.Fatal(err)
		}
		m, err := open(ctx, g)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := m.Close(context.Background()); err != nil {
				t.Error(err)
			}
			if err := g.Stop(context.Background()); err != nil {
				t.Error(err)
			}
		})
		return handler(m)
	}
	ask := func(h http.Handler, method, path, body, want string) {
		t.Helper()
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
		if got := w.Body.String(); got != want || w.Code >= 300 {
			t.Errorf("%s %s: %d %q, want %q", method, path, w.Code, got, want)
		}
	}
	a := start("a")
	ask(a, "PUT", "/attributes/notice", "closed", "")
	b := start("b")
	ask(b, "GET", "/", "", "Welcome. Notice: closed\n")
	ask(b, "DELETE", "/attributes/notice", "", "")
	ask(a, "GET", "/", "", "Welcome.\n")
}
