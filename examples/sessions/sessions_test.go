package main

import (
	"net/http"
	"syscall"
	"testing"

	"github.com/gotribes/tribes/internal/leak"
	"github.com/gotribes/tribes/internal/proctest"
)

func TestMain(m *testing.M) { leak.Main(m) }

// node is a process that runs the program.
type node struct {
	*proctest.Process
	addr string
}

func start(t *testing.T, bin, group, route string) node {
	t.Helper()
	addr := "127.0.0.1:" + proctest.Ports(t, 1)[0]
	n := node{proctest.Start(t, nil, bin, "-http", addr, "-route", route, "-group", group, "-turn", "1s"), addr}
	n.ready(t, http.StatusOK)
	return n
}

// ready waits until the node says so, or does not any more.
func (n node) ready(t *testing.T, want int) {
	t.Helper()
	proctest.Until(t, "ready as wanted", func() bool { return proctest.Status("http://"+n.addr+"/ready") == want }, n.Process)
}

func TestKilledNodeLosesNoSession(t *testing.T) {
	bin, group := proctest.Build(t), proctest.Ports(t, 1)[0]
	a, b := start(t, bin, group, "a"), start(t, bin, group, "b")
	browser := proctest.NewClient(t, "")
	visit := func(n node, want string) {
		t.Helper()
		if status, body := browser.At(n.addr).Do("GET /", ""); status != http.StatusOK || body != want+"\n" {
			t.Errorf("%d, %q; want %q", status, body, want)
		}
	}
	visit(a, "visit 1, node a")
	visit(b, "visit 2, node b")
	visit(a, "visit 3, node a")
	a.Kill()
	visit(b, "visit 4, node b")
	a = start(t, bin, group, "a")
	visit(a, "visit 5, node a")

	b.Signal(syscall.SIGTERM)
	b.ready(t, http.StatusServiceUnavailable)
	visit(b, "visit 6, node b") // it serves to the end
	b.Ended()
	visit(a, "visit 7, node a")
	a.Signal(syscall.SIGTERM)
	a.Ended()
}
