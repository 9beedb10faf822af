package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gotribes/tribes/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// TestReadmeShowsThisProgram keeps the README's program the one that is run here.
func TestReadmeShowsThisProgram(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(readme), "\n## Sessions on several nodes\n")
	_, rest, _ = strings.Cut(rest, "```go\n")
	block, _, found := strings.Cut(rest, "```")
	if !found || block != string(program) {
		t.Errorf("the program under Sessions in README.md is not examples/sessions/main.go")
	}
}

// node is a process that runs the program.
type node struct {
	t    *testing.T
	cmd  *exec.Cmd
	url  string
	out  bytes.Buffer
	exit chan error
}

// freePort returns a port that nobody uses now.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err := errors.Join(err, l.Close()); err != nil {
		t.Fatal(err)
	}
	return port
}

func start(ctx context.Context, t *testing.T, bin, group, route string) *node {
	t.Helper()
	addr := "127.0.0.1:" + freePort(t)
	n := &node{t: t, url: "http://" + addr, exit: make(chan error, 1)}
	n.cmd = exec.CommandContext(ctx, bin, "-http", addr, "-route", route, "-group", group, "-turn", "1s")
	n.cmd.Stdout, n.cmd.Stderr = &n.out, &n.out
	if err := n.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { n.exit <- n.cmd.Wait() }()
	n.ready(ctx, http.StatusOK)
	return n
}

// ready waits until the node says so, or does not any more.
func (n *node) ready(ctx context.Context, want int) {
	n.t.Helper()
	for ctx.Err() == nil {
		res, err := http.Get(n.url + "/ready")
		if err == nil {
			res.Body.Close()
			if res.StatusCode == want {
				return
			}
		}
		select {
		case err := <-n.exit:
			n.t.Fatalf("%s has ended: %v\n%s", n.url, err, &n.out)
		case <-time.After(20 * time.Millisecond):
		}
	}
	n.t.Fatalf("%s does not say %d", n.url, want)
}

func TestKilledNodeLosesNoSession(t *testing.T) {
	bin, group := filepath.Join(t.TempDir(), "sessions"), freePort(t)
	if out, err := exec.Command("go", "build", "-o", bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	defer http.DefaultClient.CloseIdleConnections()
	a, b := start(ctx, t, bin, group, "a"), start(ctx, t, bin, group, "b")
	jar, err := cookiejar.New(nil) // knows hosts, not ports
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar}
	defer browser.CloseIdleConnections()
	visit := func(n *node, want string) {
		t.Helper()
		res, err := browser.Get(n.url)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || string(body) != want+"\n" {
			t.Errorf("%q, %v; want %q", body, err, want)
		}
	}
	visit(a, "visit 1, node a")
	visit(b, "visit 2, node b")
	visit(a, "visit 3, node a")
	if err := a.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-a.exit
	visit(b, "visit 4, node b")
	a = start(ctx, t, bin, group, "a")
	visit(a, "visit 5, node a")

	if err := b.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	b.ready(ctx, http.StatusServiceUnavailable)
	visit(b, "visit 6, node b") // it serves to the end
	if err := <-b.exit; err != nil {
		t.Errorf("b: %v\n%s", err, &b.out)
	}
	visit(a, "visit 7, node a")
	if err := a.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := <-a.exit; err != nil {
		t.Errorf("a: %v\n%s", err, &a.out)
	}
}
