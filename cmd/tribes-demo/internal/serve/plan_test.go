package serve

import (
	"flag"
	"io"
	"net/netip"
	"strings"
	"testing"

	"github.com/gotribes/tribes/cmd/tribes-demo/internal/balance"
	"github.com/gotribes/tribes/cmd/tribes-demo/internal/settings"
)

func TestPlan(t *testing.T) {
	tests := map[string]string{ // names with domains
		"1": "node1", "3": "node1 node2 node3", "1x1": "a1@a", "2x2": "a1@a a2@a b1@b b2@b", "3x1": "a1@a b1@b c1@c", "16": "", "4x4": "", "16x1": "",
	}
	for text, want := range tests {
		p, err := parsePlan(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		}
		var all []string
		for _, n := range p {
			all = append(all, strings.TrimSuffix(n.Name+"@"+n.Domain, "@"))
		}
		if got := strings.Join(all, " "); want != "" && got != want || want == "" && len(p) != maxNodes {
			t.Errorf("%s: %s", text, got)
		}
	}
	for _, text := range []string{"x", "x2", "2x", "2x2x2", "0", "-1", "17", "4x5", "0x2", "2x0", "2x-2", " 2", "2.5", "99999999999999999999"} {
		if p, err := parsePlan(text); err == nil {
			t.Errorf("%q: %v, want an error", text, p)
		}
	}
}

// TestStoresOfAPlan: each domain has its own store nodes.
func TestStoresOfAPlan(t *testing.T) {
	for text, want := range map[string]string{
		"2": "node1 node2 store1@ store2@", "2x1": "a1 b1 astore1@a astore2@a bstore1@b bstore2@b",
	} {
		p, err := parsePlan(text)
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, n := range p.withStores(2) {
			if n.Store {
				n.Name += "@" + n.Domain
			}
			all = append(all, n.Name)
		}
		if got := strings.Join(all, " "); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

// TestClustersDoNotMeet: each cluster has a group of its own, the same for all its
// nodes, unless the settings say which.
func TestClustersDoNotMeet(t *testing.T) {
	tests := []struct {
		name, args, env string
		own             bool
	}{
		{"nothing said", "-freq 100ms -domain d -mcast 1", "RN_DROP_MS=5000", true},
		{"address", "-mcast-addr 228.0.0.4", "", false},
		{"port", "-mcast-port 45564", "", false},
		{"static members", "-static 127.0.0.1:4000", "", false},
		{"in the environment", "", "RN_MCAST_PORT=45564", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			getenv := func(name string) string {
				if k, v, _ := strings.Cut(tt.env, "="); k == name {
					return v
				}
				return ""
			}
			groups := make(map[string]bool)
			for range 20 {
				s := parsed(t, strings.Fields(tt.args), getenv)
				group := ownGroup(s)
				if (group != nil) != tt.own {
					t.Fatalf("flags %q, want some: %v", group, tt.own)
				}
				if tt.own {
					node := parsed(t, append(strings.Fields(tt.args), group...), getenv)
					a := netip.MustParseAddr(node.McastAddr)
					if !netip.MustParsePrefix("239.255.0.0/16").Contains(a) || node.McastPort < 20000 || node.McastPort > 29999 {
						t.Errorf("group %v, port %d", a, node.McastPort)
					}
				}
				groups[strings.Join(group, " ")] = true
			}
			if tt.own && len(groups) < 15 {
				t.Errorf("20 clusters have %d groups: %v", len(groups), groups)
			}
		})
	}
}

func parsed(t *testing.T, args []string, getenv func(string) string) *settings.Settings {
	t.Helper()
	s, _, err := settings.Parse("web", args, getenv, io.Discard, func(*flag.FlagSet) {})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestDomainIsKept: a domain is filtered, unless the stack is given.
func TestDomainIsKept(t *testing.T) {
	for args, want := range map[string]string{"": "dispatch,tfd", "-domain d": "dispatch,domain,tfd", "-domain d -stack gzip": "gzip"} {
		s := parsed(t, strings.Fields(args), func(string) string { return "" })
		if s.KeepDomain(); s.StackText() != want {
			t.Errorf("%q: stack %s, want %s", args, s.StackText(), want)
		}
	}
}

// TestStoreNodesOfACluster are told how members are found, and nothing that they do not take.
func TestStoreNodesOfACluster(t *testing.T) {
	args := strings.Fields("-cluster 2 -manager client -backups 2 -timeout 1m -mcast-port 21000 -wait one")
	var o options
	s, _, err := settings.Parse("web", args, func(string) string { return "" }, io.Discard, o.flags)
	if err != nil {
		t.Fatal(err)
	}
	o.Settings = s
	got := strings.Join(o.commands(args).of(balance.Node{Name: "store1", Store: true}), " ")
	if want := "store -backups=2 -wait=one -budget=500ms -mcast-port=21000 -bind=127.0.0.1 -port=0 -tls-port=0 -name=store1 -http=127.0.0.1:0"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestNodeFlagsWin over those of the cluster, whatever these are.
func TestNodeFlagsWin(t *testing.T) {
	p, err := parsePlan("2x1")
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range []string{"-cluster 2x1 -listen :80 -name x -port 4000 -for 1s", "-cluster=2x1 -domain z --"} {
		var o options
		all := append(childArgs(strings.Fields(args)), nodeFlags(p[1])...)
		s, rest, err := settings.Parse("web", all[1:], func(string) string { return "" }, io.Discard, o.flags)
		if err != nil || len(rest) > 0 || all[0] != "web" {
			t.Fatalf("%q: %v, left %q", all, err, rest)
		}
		if s.Name != "b1" || s.Domain != "b" || s.Port != 0 || o.cluster != "" || o.listen != "127.0.0.1:0" || o.length != 0 {
			t.Errorf("%q: %+v, %+v", all, s, o)
		}
	}
}
