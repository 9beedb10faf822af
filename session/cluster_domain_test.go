package session

import (
	"context"
	"testing"
	"time"

	"github.com/gotribes/tribes/group"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
	"github.com/gotribes/tribes/session/internal/sessionwire"
)

// member makes a member of the network without a manager.
func (f *farm) member(name, domain string) *group.Group {
	f.t.Helper()
	parts := f.net.Node(name)
	g, err := group.New(group.WithName(name), group.WithTransport(parts.Sender, parts.Receiver),
		group.WithMembership(parts.Membership), group.WithDomain(domain))
	must(f.t, err)
	must(f.t, g.Start(context.Background()))
	return g
}

// Nodes of another domain on one network share nothing, and who has another domain, or
// none, gets no answer from them, even if it knows where they are.
func TestDomainsDoNotMeet(t *testing.T) {
	inFarm(t, nil, nil, func(f *farm, _ []*server) {
		nodes := make(map[string][]*server)
		for _, name := range []string{"x-a", "x-b", "y-a", "y-b"} {
			g := f.member(name, name[:1])
			m, err := New(Config{Route: name, Cluster: &Cluster{Group: g, Name: "/app"}})
			must(t, err)
			must(t, m.Start(context.Background()))
			nodes[name[:1]] = append(nodes[name[:1]], &server{Manager: m, f: f, name: name, g: g})
		}
		time.Sleep(10 * time.Second)
		for domain, all := range nodes {
			count := map[string]int{"x": 20, "y": 30}[domain]
			fill(t, all[0], count)
			alike(t, all, count)
			for _, n := range all {
				if s := n.ClusterStats(); s.Peers != 1 {
					t.Errorf("%s: %+v", n.name, s)
				}
			}
		}
		node := nodes["x"][0]
		for domain, answered := range map[string]bool{"x": true, "y": false, "": false} {
			g := f.member("asks from "+domain, domain)
			topic, err := g.Topic("session:/app")
			must(t, err)
			answers := make(chan int, 1000)
			defer topic.Listen(func(_ context.Context, m *message.Message) error {
				if m.Source.ID() == node.g.Local().ID() {
					answers <- 1
				}
				return nil
			})()
			for _, m := range []sessionwire.Message{
				&sessionwire.Hello{Manager: "/app", Codec: CBOR().Name(), MinVersion: sessionwire.Version, MaxVersion: sessionwire.Version},
				&sessionwire.StateRequest{Request: 1},
			} {
				_, err := topic.Send(context.Background(), []*membership.Member{node.g.Local()}, sessionwire.Append(nil, m), message.Sync)
				must(t, err)
			}
			time.Sleep(10 * time.Second)
			if got := len(answers) > 0; got != answered {
				t.Errorf("a member of domain %q: %d answers", domain, len(answers))
			}
			must(t, g.Stop(context.Background()))
		}
		for _, all := range nodes {
			for _, n := range all {
				n.stop()
			}
		}
	})
}
