package serve

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/gotribes/tribes/cmd/tribes-demo/internal/balance"
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

// nodeFlags are the flags that a node gets behind those of the cluster.
func nodeFlags(n balance.Node) []string {
	flags := []string{"-cluster=", "-for=0", "-listen=127.0.0.1:0", "-bind=127.0.0.1", "-port=0", "-name=" + n.Name}
	if n.Domain != "" {
		flags = append(flags, "-domain="+n.Domain)
	}
	return flags
}
