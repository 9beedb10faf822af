package serve

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/gotribes/tribes/cmd/tribes-demo/internal/balance"
	"github.com/gotribes/tribes/cmd/tribes-demo/internal/settings"
)

const maxNodes = 16

// plan is the nodes of a cluster.
type plan []balance.Node

// parsePlan reads 3, or 2x2: domains times nodes.
func parsePlan(text string) (plan, error) {
	bad := fmt.Errorf("-cluster %.40q: want a number of nodes, or DOMAINSxNODES such as 2x2, 1 to %d together", text, maxNodes)
	first, second, domains := strings.Cut(text, "x")
	n, err := strconv.Atoi(first)
	if err != nil || n < 1 || n > maxNodes {
		return nil, bad
	}
	var p plan
	if !domains {
		for i := range n {
			p = append(p, balance.Node{Name: fmt.Sprint("node", i+1)})
		}
		return p, nil
	}
	each, err := strconv.Atoi(second)
	if err != nil || each < 1 || n*each > maxNodes {
		return nil, bad
	}
	for i := range n {
		domain := string(rune('a' + i))
		for k := range each {
			p = append(p, balance.Node{Name: fmt.Sprint(domain, k+1), Domain: domain})
		}
	}
	return p, nil
}

// withStores adds store nodes, as many for each domain.
func (p plan) withStores(n int) plan {
	all, had := slices.Clone(p), make(map[string]bool)
	for _, node := range p {
		if had[node.Domain] {
			continue
		}
		had[node.Domain] = true
		for i := range n {
			all = append(all, balance.Node{Name: fmt.Sprint(node.Domain, "store", i+1), Domain: node.Domain, Store: true})
		}
	}
	return all
}

// commands are the command lines of the nodes of a cluster, but for what tells them apart.
type commands struct{ web, store []string }

// of is the command line of a node.
func (c *commands) of(n balance.Node) []string {
	if n.Store {
		return slices.Concat(c.store, nodeFlags(n))
	}
	return slices.Concat(c.web, nodeFlags(n))
}

// commands are those of the cluster that args ask for.
func (o *options) commands(args []string) *commands {
	group := ownGroup(o.Settings)
	return &commands{
		web:   slices.Concat(childArgs(args), group),
		store: slices.Concat([]string{"store", fmt.Sprint("-backups=", o.backups), "-wait=" + o.wait, fmt.Sprint("-budget=", o.budget)}, o.Args(), group),
	}
}

// nodeFlags are the flags that a node gets behind those of the cluster.
func nodeFlags(n balance.Node) []string {
	flags := []string{"-bind=127.0.0.1", "-port=0", "-tls-port=0", "-name=" + n.Name}
	if n.Store {
		flags = append(flags, "-http=127.0.0.1:0")
	} else {
		flags = append(flags, "-cluster=", "-for=0", "-linger=0", "-listen=127.0.0.1:0")
	}
	if n.Domain != "" {
		flags = append(flags, "-domain="+n.Domain)
	}
	return flags
}

// ownGroup are flags that keep the nodes of a cluster among themselves: a group
// that nobody else is likely to be in, unless the settings say which.
func ownGroup(s *settings.Settings) []string {
	if s.GivenAny("RN_MCAST_ADDR", "RN_MCAST_PORT", "RN_STATIC") {
		return nil
	}
	// Of the addresses that stay within a site, and of the ports that no kernel gives
	// away by itself.
	group := netip.AddrFrom4([4]byte{239, 255, byte(rand.N(256)), byte(1 + rand.N(254))})
	return []string{"-mcast-addr=" + group.String(), fmt.Sprint("-mcast-port=", 20000+rand.N(10000))}
}
