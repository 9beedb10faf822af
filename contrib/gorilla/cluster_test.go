package gorilla

import (
	"context"
	"testing"
	"time"

	"github.com/gorilla/sessions"

	"github.com/gotribes/tribes/group"
	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/session"
	"github.com/gotribes/tribes/session/sessiontest"
	"github.com/gotribes/tribes/transport/mem"
)

// node is one process of an application.
type node struct {
	*Store
	m *session.Manager
	g *group.Group
}

func startNode(t *testing.T, net *mem.Network, name string) *node {
	t.Helper()
	parts := net.Node(name)
	g, err := group.New(group.WithName(name), group.WithTransport(parts.Sender, parts.Receiver), group.WithMembership(parts.Membership))
	must(t, err)
	must(t, g.Start(t.Context()))
	m, err := session.New(session.Config{Route: name, Cluster: &session.Cluster{Group: g, Name: "shop"}})
	must(t, err)
	must(t, m.Start(t.Context()))
	return &node{New(m), m, g}
}

func (n *node) stop(t *testing.T) {
	t.Helper()
	must(t, n.m.Close())
	must(t, n.g.Stop(context.Background()))
}

// When Save has returned the session is on the other node, also if this one is gone at once.
func TestNodes(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		net := mem.NewNetwork(mem.Config{Seed: 1, Link: mem.Link{Delay: time.Millisecond}})
		one, two := startNode(t, net, "a"), startNode(t, net, "b")
		defer two.stop(t)
		b := newBrowser(t)
		b.with(one.Store, "cart", func(x *sessions.Session) { x.Values["v"] = 1 })
		b.want(two.Store, "cart", "[v:1]")
		b.with(two.Store, "cart", func(x *sessions.Session) { x.Values["w"] = 2 })
		b.with(one.Store, "cart", func(x *sessions.Session) { x.Values["v"] = 3 })
		net.Crash("a")
		must(t, one.m.Close())
		one.g.Close()
		b.want(two.Store, "cart", "[v:3 w:2]")
		b.with(two.Store, "cart", func(x *sessions.Session) { x.Options.MaxAge = -1 })
		b.want(two.Store, "cart", "[]")
	})
}

// With Config.Persist sessions outlive all nodes.
func TestPersist(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		kept := sessiontest.NewStore()
		b := newBrowser(t)
		for i := range 3 {
			m, err := session.New(session.Config{Persist: &session.Persist{Store: kept, EachRequest: true}})
			must(t, err)
			must(t, m.Start(t.Context()))
			s := New(m)
			b.with(s, "cart", func(x *sessions.Session) {
				if n, _ := x.Values["n"].(int); n != i {
					t.Errorf("%d after %d nodes", n, i)
				}
				x.Values["n"] = i + 1
			})
			must(t, m.Close())
		}
		if n := len(kept.Sessions()); n != 1 {
			t.Errorf("%d sessions in the store", n)
		}
	})
}
