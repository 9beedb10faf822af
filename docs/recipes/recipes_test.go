//go:build recipes

package recipes

import (
	"bytes"
	"context"
	"fmt"
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
)

// recipe is a configuration and how its program is run with it.
type recipe struct {
	file   string
	cookie string // with the route alone
	checks bool   // asks /ready by itself
	run    func(dir, config string) (string, []string)
}

var recipes = []recipe{
	{file: "haproxy.cfg", checks: true, run: haproxy},
	{file: "haproxy-route-cookie.cfg", cookie: "route", checks: true, run: haproxy},
	{file: "nginx.conf", run: nginx},
	{file: "httpd.conf", checks: true, run: httpd},
}

func haproxy(dir, config string) (string, []string) {
	return config, []string{"haproxy", "-db", "-f", filepath.Join(dir, "config")}
}

func nginx(dir, config string) (string, []string) {
	return "daemon off; pid " + dir + "/pid; events {} http { access_log off; client_body_temp_path " + dir +
		"/body; proxy_temp_path " + dir + "/proxy;\n" + config + "}", []string{"nginx", "-e", "stderr", "-c", filepath.Join(dir, "config")}
}

func httpd(dir, config string) (string, []string) {
	_, address, _ := strings.Cut(config, "<VirtualHost ")
	address, _, _ = strings.Cut(address, ">")
	head := "ServerRoot " + dir + "\nServerName localhost\nDefaultRuntimeDir " + dir + "\nPidFile " + dir + "/pid\nErrorLog " + dir + "/log\nListen " + address + "\n"
	for _, m := range []string{"mpm_event", "authz_core", "proxy", "proxy_http", "proxy_balancer", "lbmethod_byrequests", "slotmem_shm", "proxy_hcheck"} {
		head += "LoadModule " + m + "_module /usr/lib/apache2/modules/mod_" + m + ".so\n"
	}
	return head + config, []string{"apache2", "-DFOREGROUND", "-f", filepath.Join(dir, "config")}
}

// farm is two nodes and the program in front of them.
type farm struct {
	t     *testing.T
	ctx   context.Context
	group string
	addr  map[string]string // of a node, and of "front"
	proc  map[string]*process
	r     recipe
}

type process struct {
	cmd  *exec.Cmd
	out  bytes.Buffer
	done chan struct{}
}

func (f *farm) start(name string, env []string, args ...string) {
	f.t.Helper()
	p := &process{cmd: exec.CommandContext(f.ctx, args[0], args[1:]...), done: make(chan struct{})}
	// Those that have workers must be asked to end, or the workers are left behind.
	p.cmd.Cancel = func() error { return p.cmd.Process.Signal(syscall.SIGTERM) }
	p.cmd.WaitDelay = 10 * time.Second
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	if err := p.cmd.Start(); err != nil {
		f.t.Fatal(err)
	}
	f.proc[name] = p
	go func() {
		_ = p.cmd.Wait() // it is told to end
		close(p.done)
	}()
	f.t.Cleanup(func() {
		if err := p.cmd.Process.Signal(syscall.SIGTERM); err == nil {
			<-p.done
		}
		if f.t.Failed() {
			f.t.Logf("%s: %s", name, &p.out)
		}
	})
}

func (f *farm) node(route string) {
	f.t.Helper()
	f.start(route, []string{"RECIPE_ADDR=" + f.addr[route], "RECIPE_GROUP=" + f.group,
		"RECIPE_ROUTE=" + route, "RECIPE_COOKIE=" + f.r.cookie}, os.Args[0])
	f.until("node "+route+" is ready", func() bool { return status("http://"+f.addr[route]+"/ready") == 200 })
}

func (f *farm) kill(name string) {
	f.t.Helper()
	if err := f.proc[name].cmd.Process.Kill(); err != nil {
		f.t.Fatal(err)
	}
	<-f.proc[name].done
}

func (f *farm) until(what string, ok func() bool) {
	f.t.Helper()
	for !ok() {
		for name, p := range f.proc {
			select {
			case <-p.done:
				f.t.Fatalf("%s has ended before %s", name, what)
			default:
			}
		}
		select {
		case <-f.ctx.Done():
			f.t.Fatal("never: ", what)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// status asks on a connection of its own; 0 is no answer.
func status(url string) int {
	c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second}
	res, err := c.Get(url)
	if err != nil {
		return 0
	}
	res.Body.Close()
	return res.StatusCode
}

func newFarm(t *testing.T, r recipe) *farm {
	t.Helper()
	config, err := os.ReadFile(r.file)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
	t.Cleanup(cancel)
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil { // workers run as another user
		t.Fatal(err)
	}
	ports := freePorts(t, 4)
	f := &farm{t: t, ctx: ctx, r: r, group: ports[3], proc: make(map[string]*process),
		addr: map[string]string{"front": "127.0.0.1:" + ports[0], "a": "127.0.0.1:" + ports[1], "b": "127.0.0.1:" + ports[2]}}
	text, args := r.run(dir, strings.NewReplacer("127.0.0.1:8080", f.addr["front"],
		"127.0.0.1:8081", f.addr["a"], "127.0.0.1:8082", f.addr["b"]).Replace(string(config)))
	if err := os.WriteFile(filepath.Join(dir, "config"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if path, err := exec.LookPath(args[0]); err != nil {
		t.Fatalf("%s is not installed: %v", args[0], err)
	} else {
		args[0] = path
	}
	f.node("a")
	f.node("b")
	f.start("front", nil, args...)
	f.until("the balancer answers", func() bool { return status("http://"+f.addr["front"]+"/") == 200 })
	return f
}

func freePorts(t *testing.T, n int) (ports []string) {
	t.Helper()
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		_, port, err := net.SplitHostPort(l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		ports = append(ports, port)
	}
	return ports
}

// browser is a client with cookies; it counts its visits.
type browser struct {
	f      *farm
	c      *http.Client
	visits int
}

func (f *farm) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		f.t.Fatal(err)
	}
	tr := &http.Transport{}
	f.t.Cleanup(tr.CloseIdleConnections)
	return &browser{f: f, c: &http.Client{Jar: jar, Transport: tr, Timeout: 20 * time.Second}}
}

// do returns the status and body of an answer, or 0 and why there is none.
func (b *browser) do(method, path string) (int, string) {
	b.f.t.Helper()
	r, err := http.NewRequest(method, "http://"+b.f.addr["front"]+path, nil)
	if err != nil {
		b.f.t.Fatal(err)
	}
	res, err := b.c.Do(r)
	if err != nil {
		return 0, err.Error()
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		b.f.t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

// visit returns the node that has answered. The session must have its number of visits.
func (b *browser) visit() (node string) {
	b.f.t.Helper()
	code, body := b.do("GET", "/")
	var n int
	if _, err := fmt.Sscanf(body, "%s %d", &node, &n); err != nil || code != 200 {
		b.f.t.Fatalf("visit %d: %d %q", b.visits+1, code, body)
	}
	if b.visits++; n != b.visits {
		b.f.t.Fatalf("node %s has %d visits, want %d", node, n, b.visits)
	}
	return node
}

// on returns a browser with a session on a node.
func (f *farm) on(node string) (b *browser) {
	f.t.Helper()
	f.until("a new client comes to node "+node, func() bool { b = f.browser(); return b.visit() == node })
	return b
}

func TestRecipes(t *testing.T) {
	for _, r := range recipes {
		t.Run(r.file, func(t *testing.T) {
			f := newFarm(t, r)
			sticky(f)
			once(f)
			killed(f)
			if r.checks {
				drained(f)
			}
		})
	}
}

func sticky(f *farm) {
	f.t.Helper()
	for _, node := range []string{"a", "b"} {
		b := f.on(node)
		for range 50 {
			if got := b.visit(); got != node {
				f.t.Fatalf("visit %d at node %s, want %s", b.visits, got, node)
			}
		}
	}
}

// once: what a node has done is not done by the other as well.
func once(f *farm) {
	f.t.Helper()
	for _, method := range []string{"PUT", "POST"} {
		for _, node := range []string{"a", "b"} {
			b := f.on(node)
			if code, body := b.do(method, "/abort"); code != 0 && code < 500 {
				f.t.Errorf("%s without an answer: %d %s", method, code, body)
			}
			if code, body := b.do("GET", "/aborted"); code != 200 || body != "1" {
				f.t.Errorf("after one %s: %d, %s", method, code, body)
			}
		}
	}
}

// killed: clients of a node that is killed go on at the other, without an error, and new
// ones come to it when it is back.
func killed(f *farm) {
	f.t.Helper()
	b := f.on("a")
	f.kill("a")
	for range 5 {
		if got := b.visit(); got != "b" {
			f.t.Fatalf("visit at node %s, which is dead", got)
		}
	}
	f.node("a")
	f.on("a")
	if got := b.visit(); got != "b" {
		f.t.Errorf("the client is back at node %s", got)
	}
}

// drained: clients of a node that drains go on at the other, without an error.
func drained(f *farm) {
	f.t.Helper()
	b := f.on("b")
	res, err := http.Post("http://"+f.addr["b"]+"/drain", "", nil)
	if err != nil {
		f.t.Fatal(err)
	}
	res.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	f.until("the client has moved", func() bool { return b.visit() == "a" })
	for range 10 {
		if got := b.visit(); got != "a" {
			f.t.Fatalf("visit at node %s, which drains", got)
		}
	}
}
