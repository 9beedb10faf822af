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

// startStore starts a store node and waits until it holds sessions.
func startStore(t *testing.T, name string, port int, more ...string) program {
	t.Helper()
	p := startCommand(t, fmt.Sprintf("store -name %s -bind 127.0.0.1 -port 0 -mcast-addr 239.255.17.93 -mcast-port %d ", name, port)+strings.Join(more, " "))
	p.Out.Line(name + " holds sessions")
	return p
}

// TestNineSteps is the scenario by which Tomcat's cluster is explained, with processes
// that really die: two nodes, a crash, a return, an invalidation, an expiry. It is the same
// with each way to keep sessions, and with each database.
func TestNineSteps(t *testing.T) {
	port := anyPort()
	type row struct {
		manager string
		peers   int // of a node, when both are there
		stores  int // store nodes
		args    string
	}
	rows := []row{
		{manager: "delta", peers: 1},
		{manager: "backup", peers: 1},
		{manager: "client", peers: 3, stores: 2},
		{manager: "persistent", args: "-store file:" + t.TempDir()},
		{manager: "persistent", args: "-sticky=false -store sqlite:" + t.TempDir() + "/sessions.db"},
	}
	run := func(t *testing.T, port int, tt row) {
		for k := range tt.stores {
			startStore(t, fmt.Sprint("store", k+1), port)
		}
		start := func(name string) *tomcat {
			return startNode(t, name, port, "-timeout 4s -manager "+tt.manager, tt.args)
		}
		nineSteps(t, start, tt.peers, !strings.Contains(tt.args, "-sticky=false"))
	}
	for i, tt := range rows {
		t.Run(fmt.Sprint(tt.manager, i), func(t *testing.T) {
			t.Parallel()
			run(t, port+i, tt)
		})
	}
	withDatabases(t, func(t *testing.T, i int, store string) {
		for k, sticky := range []bool{true, false} {
			t.Run(fmt.Sprint("sticky ", sticky), func(t *testing.T) {
				t.Parallel()
				run(t, port+len(rows)+2*i+k, row{manager: "persistent", args: fmt.Sprintf("-sticky=%t -store %s", sticky, store)})
			})
		}
	})
}

func nineSteps(t *testing.T, start func(name string) *tomcat, peers int, sticky bool) {
	user := newVisitor(t, "")
	// 1. A starts, alone, and is ready at once.
	begin := time.Now()
	a := start("a")
	t.Logf("1: a is ready after %v", time.Since(begin))
	// 2. B starts and gets the state of A before it is ready.
	begin = time.Now()
	b := start("b")
	t.Logf("2: b is ready after %v", time.Since(begin))
	a.Eventually("GET /whoami", fmt.Sprintf(`"peers":%d`, peers))
	// 3. A creates S1: it is on B when the response is there.
	user.Addr = a.Addr
	user.Want("PUT /attr?name=k&size=20&tag=7", `"node":"a"`, `"new":true`)
	b.Want("GET /session?name=k&id="+user.id(), `"found":true`, `"tag":"7"`)
	first := user.id()
	if strings.HasSuffix(first, ".a") != sticky {
		t.Errorf("id %s", first)
	}
	// 4. A crashes.
	begin = time.Now()
	a.Kill()
	if peers == 1 { // others hold no sessions, and their end is nothing to wait for
		b.Eventually("GET /whoami", `"peers":0`)
		t.Logf("4: b has dropped a after %v", time.Since(begin))
	}
	// 5. B gets a request for S1: nothing is lost, and the id has the route of B.
	user.Addr = b.Addr
	user.Want("GET /attr?name=k", `"node":"b"`, `"found":true`, `"tag":"7"`)
	if sticky && user.id() != strings.TrimSuffix(first, "a")+"b" {
		t.Errorf("id %s was %s", user.id(), first)
	}
	// 6. A starts again and has S1 before it is ready.
	a = start("a")
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
	if limit := 4*time.Second + 10*time.Second + 3*time.Second; took > limit {
		t.Errorf("expired after %v: want the timeout and one sweep, %v", took, limit)
	}
	for _, n := range []*tomcat{a, b} {
		n.terminate()
		n.Ended()
	}
}
