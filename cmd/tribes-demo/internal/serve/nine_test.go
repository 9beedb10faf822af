package serve

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// anyPort is a multicast port that no other test is likely to use now.
func anyPort() int { return 20000 + int(time.Now().UnixNano()/1000%9999) }

// tomcat is one of the two nodes of the scenario.
type tomcat struct {
	program
	visitor
}

// startNode starts a node and waits until it is ready.
func startNode(t *testing.T, name string, port int, more ...string) *tomcat {
	t.Helper()
	p := startProgram(t, fmt.Sprintf("-name %s -listen 127.0.0.1:0 -bind 127.0.0.1 -port 0 -mcast-addr 239.255.17.93 -mcast-port %d -timeout 2s -linger 0 ", name, port)+strings.Join(more, " "))
	n := &tomcat{p, newVisitor(t, p.serving(name+" serves"))}
	p.Err.Line("msg=ready")
	return n
}

// TestNineSteps is the scenario by which Tomcat's cluster is explained, with processes
// that really die: two nodes, a crash, a return, an invalidation, an expiry.
func TestNineSteps(t *testing.T) {
	port := anyPort()
	user := newVisitor(t, "")

	// 1. A starts, alone, and is ready at once.
	begin := time.Now()
	a := startNode(t, "a", port)
	t.Logf("1: a is ready after %v", time.Since(begin))
	// 2. B starts and gets the state of A before it is ready.
	begin = time.Now()
	b := startNode(t, "b", port)
	t.Logf("2: b is ready after %v", time.Since(begin))
	a.Want("GET /whoami", `"peers":1`)
	// 3. A creates S1: it is on B when the response is there.
	user.Addr = a.Addr
	user.Want("PUT /attr?name=k&size=20&tag=7", `"node":"a"`, `"new":true`)
	b.Want("GET /session?name=k&id="+user.id(), `"found":true`, `"tag":"7"`)
	first := user.id()
	if !strings.HasSuffix(first, ".a") {
		t.Errorf("id %s", first)
	}
	// 4. A crashes.
	begin = time.Now()
	a.Kill()
	b.Eventually("GET /whoami", `"peers":0`)
	t.Logf("4: b has dropped a after %v", time.Since(begin))
	// 5. B gets a request for S1: nothing is lost, and the id has the route of B.
	user.Addr = b.Addr
	user.Want("GET /attr?name=k", `"node":"b"`, `"found":true`, `"tag":"7"`)
	if user.id() != strings.TrimSuffix(first, "a")+"b" {
		t.Errorf("id %s was %s", user.id(), first)
	}
	// 6. A starts again and has S1 before it is ready.
	a = startNode(t, "a", port)
	a.Want("GET /session?name=k&id="+user.id(), `"found":true`, `"tag":"7"`)
	// 7. A invalidates S1: it is gone on B when the response is there.
	user.Addr = a.Addr
	last := user.id()
	user.Want("POST /invalidate", `"node":"a"`, `"found":true`)
	b.Want("GET /session?id="+last, `"found":false`)
	// 8. B creates S2.
	second := newVisitor(t, b.Addr)
	second.Want("PUT /attr?name=k&size=20&tag=8", `"node":"b"`, `"new":true`)
	a.Want("GET /session?name=k&id="+second.id(), `"found":true`, `"tag":"8"`)
	// 9. S2 expires on both, within one sweep.
	begin = time.Now()
	a.Eventually("GET /stats", `"sessions":0`)
	b.Eventually("GET /stats", `"sessions":0`)
	took := time.Since(begin)
	t.Logf("9: nobody has s2 after %v", took)
	if limit := 2*time.Second + 10*time.Second + 3*time.Second; took > limit {
		t.Errorf("expired after %v: want the timeout and one sweep, %v", took, limit)
	}
	for _, n := range []*tomcat{a, b} {
		n.terminate()
		n.Ended()
	}
}
