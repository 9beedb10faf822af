//go:build recipes

package recipes

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gotribes/tribes/internal/proctest"
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
	group string
	addr  map[string]string // of a node, and of "front"
	proc  map[string]*proctest.Process
	r     recipe
}

func (f *farm) node(route string) {
	f.t.Helper()
	f.proc[route] = proctest.Start(f.t, []string{"RECIPE_ADDR=" + f.addr[route], "RECIPE_GROUP=" + f.group,
		"RECIPE_ROUTE=" + route, "RECIPE_COOKIE=" + f.r.cookie}, os.Args[0])
	f.until("node "+route+" is ready", func() bool { return proctest.Status("http://"+f.addr[route]+"/ready") == 200 })
}

func (f *farm) kill(name string) {
	f.t.Helper()
	f.proc[name].Kill()
	delete(f.proc, name)
}

func (f *farm) until(what string, ok func() bool) {
	f.t.Helper()
	proctest.Until(f.t, what, ok, slices.Collect(maps.Values(f.proc))...)
}

func newFarm(t *testing.T, r recipe) *farm {
	t.Helper()
	config, err := os.ReadFile(r.file)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil { // workers run as another user
		t.Fatal(err)
	}
	ports := proctest.Ports(t, 4)
	f := &farm{t: t, r: r, group: ports[3], proc: make(map[string]*proctest.Process),
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
	f.proc["front"] = proctest.Start(t, nil, args...)
	f.until("the balancer answers", func() bool { return proctest.Status("http://"+f.addr["front"]+"/") == 200 })
	return f
}

// browser counts its visits.
type browser struct {
	*proctest.Client
	f      *farm
	visits int
}

func (f *farm) browser() *browser {
	return &browser{Client: proctest.NewClient(f.t, f.addr["front"]), f: f}
}

// visit returns the node that has answered. The session must have its number of visits.
func (b *browser) visit() (node string) {
	b.f.t.Helper()
	code, body := b.Do("GET /", "")
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
			if code, body := b.Do(method+" /abort", ""); code != 0 && code < 500 {
				f.t.Errorf("%s without an answer: %d %s", method, code, body)
			}
			if code, body := b.Do("GET /aborted", ""); code != 200 || body != "1" {
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
	proctest.NewClient(f.t, f.addr["b"]).Want("POST /drain", "")
	f.until("the client has moved", func() bool { return b.visit() == "a" })
	for range 10 {
		if got := b.visit(); got != "a" {
			f.t.Fatalf("visit at node %s, which drains", got)
		}
	}
}
