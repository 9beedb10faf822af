package serve

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/gotribes/tribes/internal/proctest"
)

// startCluster returns a cluster of two with a visitor, and the addresses of its
// nodes.
func startCluster(t *testing.T, args string) (p program, v visitor, nodes [2]string) {
	t.Helper()
	p = startProgram(t, "-cluster 2 -manager local -listen 127.0.0.1:0 "+args)
	for range nodes {
		line := p.Out.Line(" is up at http://")
		nodes[strings.Count(line, " node2 ")] = addrIn(line)
	}
	return p, newVisitor(t, p.serving("the cart is at")), nodes
}

// TestCluster is what a visitor of the demo does: a session stays on its node, the
// node is killed, another one takes over, and the node comes back.
func TestCluster(t *testing.T) {
	p, v, nodes := startCluster(t, "")
	v.Want("PUT /attr?name=a&size=4&tag=1", `"node":"node1"`, `"new":true`)
	for i := range 4 {
		v.Want("POST /incr?name=n", `"node":"node1"`, fmt.Sprintf(`"value":%d`, i+1))
	}
	v.Want("GET /whoami", `"node":"node1"`, `"peers":0`)
	for i, addr := range nodes {
		v.At(addr).Want("GET /session?name=a&id="+v.id(), fmt.Sprintf(`"found":%v`, i == 0))
	}
	newVisitor(t, v.Addr).Want("GET /whoami", `"node":"node2"`)

	v.press("kill", "node1")
	v.Want("GET /_cluster", "1 of 2 nodes are up") // the page says so at once
	p.Out.Line("node1 has ended: signal: killed")
	v.Want("POST /incr?name=n", `"node":"node2"`, `"new":true`, `"value":1`) // local sessions end with their process
	v.Want("POST /incr?name=n", `"node":"node2"`, `"new":false`, `"value":2`)
	v.press("start", "node1")
	p.Out.Line("node1 is up at")
	v.Want("POST /incr?name=n", `"node":"node2"`, `"value":3`) // that is its route now

	p.terminate()
	p.Out.Line("node1 has ended: as asked")
	p.Out.Line("all nodes have ended")
	p.Ended()
}

func TestClusterNotSticky(t *testing.T) {
	p, v, _ := startCluster(t, "-sticky=false")
	v.Want("POST /incr?name=n", `"node":"node1"`, `"new":true`)
	v.Want("GET /whoami", `"node":"node2"`)
	v.Want("GET /whoami", `"node":"node1"`)
	p.terminate()
	p.Ended()
}

// TestEndFinishesRequests: SIGTERM, to a cluster or to a node, lets a request
// finish that has begun, and the exit status is 0.
func TestEndFinishesRequests(t *testing.T) {
	t.Run("cluster", func(t *testing.T) {
		p, v, _ := startCluster(t, "")
		v.Want("POST /incr?name=n", `"new":true`)
		request := v.begin()
		p.terminate()
		p.Out.Line("ending")
		request.finish(`"node":"node1"`, `"new":false`)
		p.Out.Line("all nodes have ended")
		p.Ended()
	})
	t.Run("node", func(t *testing.T) {
		p := startProgram(t, "-manager local -listen 127.0.0.1:0 -name n7")
		v := newVisitor(t, p.serving("n7 serves"))
		v.Want("POST /incr?name=n", `"new":true`)
		request := v.begin()
		p.terminate()
		p.Err.Line("letting requests finish")
		request.finish(`"node":"n7"`, `"new":false`)
		p.Err.Line("msg=stopped")
		p.Ended()
	})
}

// TestStopButton: what a node has begun it finishes, what comes then goes elsewhere.
func TestStopButton(t *testing.T) {
	p, v, _ := startCluster(t, "")
	v.Want("POST /incr?name=n", `"node":"node1"`)
	request := v.begin()
	v.press("stop", "node1")
	p.Err.Line("letting requests finish")
	v.Want("GET /whoami", `"node":"node2"`)
	request.finish(`"node":"node1"`, `"new":false`)
	p.Out.Line("node1 has ended: as asked")
	p.terminate()
	p.Ended()
}

// TestEndsByItself: with -for, and before anything was served.
func TestEndsByItself(t *testing.T) {
	for _, args := range []string{"-manager local -listen 127.0.0.1:0 -for 1ms", "-manager local -listen 127.0.0.1:0 -for 1ms -cluster 2"} {
		var out, errs bytes.Buffer
		if status := Run(t.Context(), strings.Fields(args), &out, &errs); status != exitOK {
			t.Errorf("%s: status %d, %s", args, status, &errs)
		}
		if strings.Contains(args, "cluster") && !strings.HasSuffix(out.String(), "all nodes have ended\n") {
			t.Errorf("%s: %s", args, &out)
		}
	}
}

// TestPortIsTaken: one line says so, and nothing is started.
func TestPortIsTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, cluster := range []string{"", "2"} {
		var out, errs strings.Builder
		status := Run(t.Context(), []string{"-manager", "local", "-cluster", cluster, "-listen", l.Addr().String()}, &out, &errs)
		if status != exitStart || out.Len() > 0 || strings.Count(errs.String(), "\n") != 1 || !strings.Contains(errs.String(), "address already in use") {
			t.Errorf("cluster %q: status %d, %q, %q", cluster, status, out.String(), errs.String())
		}
	}
}

// TestNodeThatDoesNotStart ends the cluster with the node's own words.
func TestNodeThatDoesNotStart(t *testing.T) {
	p, err := parsePlan("2")
	if err != nil {
		t.Fatal(err)
	}
	var out, errs strings.Builder
	f := newFleet(p, &commands{web: []string{"web", "-manager", "magic"}}, &display{w: &out}, &errs)
	f.moved, f.draining = func(string, string) {}, func(string) {}
	if err := f.startAll(); err != nil {
		t.Fatal(err)
	}
	err = f.wait(context.Background(), proctest.Watchdog, func() bool { return false })
	f.stopAll()
	if err == nil || !strings.Contains(err.Error(), "did not start: exit status 2: tribes-demo web: -manager \"magic\"") {
		t.Errorf("error %v\n%s%s", err, &out, &errs)
	}
	if err := f.Start("node1"); err == nil || !strings.Contains(err.Error(), "ending") {
		t.Errorf("started after the end: %v", err)
	}
	for _, press := range []func(string) error{f.Kill, f.Stop} {
		if err := press("node1"); err == nil || !strings.Contains(err.Error(), "not running") {
			t.Errorf("pressed after the end: %v", err)
		}
	}
}

// TestNodeThatCannotGetReady: one that serves and then finds that it cannot work ends the
// cluster at once, with its own words.
func TestNodeThatCannotGetReady(t *testing.T) {
	var out, errs strings.Builder
	status := Run(t.Context(), strings.Fields("-cluster 2 -listen 127.0.0.1:0 -manager persistent -store sqlite:"+t.TempDir()+"/no/where.db"), &out, &errs)
	lines := strings.Split(strings.TrimSpace(errs.String()), "\n")
	if last := lines[len(lines)-1]; status != exitStart || !strings.Contains(last, "did not start: exit status 1: ") || !strings.Contains(last, "where.db") {
		t.Errorf("status %d, %s\n%s", status, &out, &errs)
	}
}
