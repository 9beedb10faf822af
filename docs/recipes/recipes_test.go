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

// farm is nodes and the program in front of them.
type farm struct {
	t     *testing.T
	group string
	addr  map[string]string // of a node, and of "front"
	proc  map[string]*proctest.Process
	r     recipe
}

// newFarm starts nodes, at the ports 8081 and so on of the recipe, and its program.
func newFarm(t *testing.T, r recipe, nodes ...string) *farm {
	t.Helper()
	config, err := os.ReadFile(r.file)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil { // workers run as another user
		t.Fatal(err)
	}
	ports := proctest.Ports(t, len(nodes)+2)
	f := &farm{t: t, r: r, group: ports[len(nodes)+1], proc: make(map[string]*proctest.Process), addr: make(map[string]string)}
	var places []string
	for i, name := range append([]string{"front"}, nodes...) {
		f.addr[name] = "127.0.0.1:" + ports[i]
		places = append(places, fmt.Sprint("127.0.0.1:", 8080+i), f.addr[name])
	}
	text, args := r.run(dir, strings.NewReplacer(places...).Replace(string(config)))
	if err := os.WriteFile(filepath.Join(dir, "config"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if args[0], err = exec.LookPath(args[0]); err != nil {
		t.Fatal(err)
	}
	for _, name := range nodes {
		f.node(name)
	}
	f.proc["front"] = proctest.Start(t, nil, args...)
	f.until("the balancer answers", func() bool { return proctest.Status("http://"+f.addr["front"]+"/") == 200 })
	return f
}

// node starts a node, in the domain that its name begins with if it has one.
func (f *farm) node(route string) {
	f.t.Helper()
	domain, _, ok := strings.Cut(route, "-")
	if !ok {
		domain = ""
	}
	f.proc[route] = proctest.Start(f.t, []string{"RECIPE_ADDR=" + f.addr[route], "RECIPE_GROUP=" + f.group,
		"RECIPE_ROUTE=" + route, "RECIPE_DOMAIN=" + domain, "RECIPE_COOKIE=" + f.r.cookie}, os.Args[0])
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
			f := newFarm(t, r, "a", "b")
			sticky(f)
			once(f)
			killed(f)
			if r.checks {
				drained(f)
			}
		})
	}
}

// TestGroups: two groups behind one balancer. A client stays in its group while a node of
// it is up; the other group does not have its session.
func TestGroups(t *testing.T) {
	f := newFarm(t, recipe{file: "haproxy-groups.cfg", run: haproxy}, "x-a", "x-b", "y-a", "y-b")
	for _, node := range []string{"x-a", "y-b"} {
		b := f.on(node)
		for range 20 {
			if got := b.visit(); got != node {
				t.Fatalf("visit at node %s, want %s", got, node)
			}
		}
		for name, addr := range f.addr {
			want := fmt.Sprint(name[:2] == node[:2])
			if _, has := b.At(addr).Do("GET /has?id="+b.Cookie("sid"), ""); name != "front" && has != want {
				t.Errorf("%s has the session of a client of %s: %s, want %s", name, node, has, want)
			}
		}
	}
	b, far := f.on("x-a"), f.on("y-a")
	f.kill("x-a")
	for range 5 {
		if got := b.visit(); got != "x-b" {
			t.Fatalf("visit at node %s, want that of the same group", got)
		}
	}
	f.kill("x-b")
	f.until("clients of a dead group come to the other", func() bool {
		status, body := b.Do("GET /", "")
		return status == 200 && strings.HasPrefix(body, "y-")
	})
	if b.visits = 1; !strings.HasPrefix(b.visit(), "y-") { // a new session, which stays
		t.Error("the client left its new group")
	}
	if got := far.visit(); got != "y-a" {
		t.Errorf("a client of the other group has moved to %s", got)
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
