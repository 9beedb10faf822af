package serve

import (
	"fmt"
	"strings"
	"testing"
)

// TestGroupsOnOneNetwork: nodes of another domain, another multicast port or another
// multicast address neither see a group nor have its sessions.
func TestGroupsOnOneNetwork(t *testing.T) {
	port := anyPort()
	const long = "-timeout=1m -domain="
	others := []*tomcat{
		startNode(t, "domain", port, long+"y"),
		startNode(t, "port", port+1, long+"x"),
		startNode(t, "address", port, long+"x", "-mcast-addr=239.255.17.94"),
	}
	a := startNode(t, "a", port, long+"x")
	b := startNode(t, "b", port, long+"x") // the last to come: who could see it has seen the others too
	for _, n := range []*tomcat{a, b} {
		n.Eventually("GET /whoami", `"peers":1`)
	}
	user := newVisitor(t, a.Addr)
	user.Want("PUT /attr?name=k&size=20&tag=7", `"node":"a"`, `"new":true`)
	b.Want("GET /session?id="+user.id(), `"found":true`)
	for _, n := range others {
		n.Want("GET /whoami", `"peers":0`)
		n.Want("GET /session?id="+user.id(), `"found":false`)
	}
	for i, n := range append(others, a, b) {
		own := newVisitor(t, n.Addr)
		own.Want("POST /incr?name=n", `"new":true`)
		want := map[bool]string{true: `"sessions":1`, false: fmt.Sprintf(`"sessions":%d`, i-1)}[i < len(others)]
		n.Want("GET /stats", want)
		n.terminate()
		n.Ended()
	}
}

// TestDomainsBehindOneProxy: of two domains each has its sessions for itself. A client stays
// in its domain while a node of it is up.
func TestDomainsBehindOneProxy(t *testing.T) {
	p := startProgram(t, "-cluster 2x2 -listen 127.0.0.1:0")
	addrs := make(map[string]string)
	for range 4 {
		line := p.Out.Line(" is up at http://")
		name, _, _ := strings.Cut(line[strings.Index(line, "s  ")+3:], " ")
		addrs[name] = addrIn(line)
	}
	v := newVisitor(t, p.serving("the cart is at"))
	v.Want("POST /incr?name=n", `"new":true`, `"value":1`)
	home := v.id()[len(v.id())-2:]
	other := home[:1] + map[string]string{"1": "2", "2": "1"}[home[1:]]
	for name, addr := range addrs {
		v.At(addr).Eventually("GET /whoami", `"peers":1`)
		v.At(addr).Want("GET /session?id="+v.id(), fmt.Sprintf(`"found":%v`, name[:1] == home[:1]))
	}
	v.press("kill", home)
	for n := range 4 {
		v.Want("POST /incr?name=n", `"node":"`+other+`"`, `"new":false`, fmt.Sprintf(`"value":%d`, n+2))
	}
	v.press("kill", other)
	v.Want("POST /incr?name=n", `"new":true`, `"value":1`) // its domain has gone, and its session
	v.Want("GET /_cluster", "2 of 4 nodes are up")
	p.terminate()
	p.Ended()
}
