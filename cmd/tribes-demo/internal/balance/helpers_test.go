package balance

import (
	"cmp"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// backend is a node that answers with its name and keeps what it was asked.
type backend struct {
	*httptest.Server
	name string

	mu     sync.Mutex
	status int // of /ready
	bodies []string
	answer http.HandlerFunc // nil: the name
}

func newBackend(t *testing.T, name string) *backend {
	t.Helper()
	b := &backend{name: name, status: http.StatusOK}
	b.Server = httptest.NewServer(b)
	t.Cleanup(b.Close)
	return b
}

func (b *backend) addr() string { return b.Listener.Addr().String() }

func (b *backend) setReady(status int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.status = status
}

// seen is the bodies of the requests that have come.
func (b *backend) seen() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.bodies
}

// ServeHTTP implements http.Handler.
func (b *backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/ready" {
		b.mu.Lock()
		defer b.mu.Unlock()
		w.WriteHeader(b.status)
		return
	}
	if b.answer != nil {
		b.answer(w, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	b.mu.Lock()
	b.bodies = append(b.bodies, string(body))
	b.mu.Unlock()
	io.WriteString(w, b.name)
}

// cluster is a proxy with backends that it has found ready.
type cluster struct {
	*Proxy
	t        *testing.T
	backends map[string]*backend
}

// newCluster makes a node of each name; one of two characters that begins with a
// letter a or b is in the domain of that letter.
func newCluster(t *testing.T, c Config, names ...string) *cluster {
	t.Helper()
	for _, name := range names {
		n := Node{Name: name}
		if name[0] == 'a' || name[0] == 'b' {
			n.Domain = name[:1]
		}
		c.Nodes = append(c.Nodes, n)
	}
	if c.Log == nil {
		c.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	c.Timeout = cmp.Or(c.Timeout, time.Minute) // a slow machine is no finding
	all := &cluster{Proxy: New(c), t: t, backends: make(map[string]*backend)}
	t.Cleanup(all.Proxy.Close)
	for _, name := range names {
		all.backends[name] = newBackend(t, name)
		all.admit(name, all.backends[name].addr())
	}
	return all
}

// admit says where a node is and has it checked.
func (c *cluster) admit(name, addr string) {
	c.t.Helper()
	c.SetAddr(name, addr)
	c.check(c.t.Context(), name)
	if !c.info(name).up {
		c.t.Fatalf("%s is not up: %s", name, c.info(name).why)
	}
}

func (c *cluster) info(name string) (n node) {
	c.change(name, func(is *node) { n = *is })
	return n
}

// vanish closes the port of a node, which the proxy does not know yet.
func (c *cluster) vanish(name string) {
	c.backends[name].Close()
	c.transport.CloseIdleConnections()
}

// send sends a request with this session cookie, none if it is "".
func (c *cluster) send(ctx context.Context, method, cookie, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(ctx, method, "/attr?name=a", strings.NewReader(body))
	if cookie != "" {
		r.Header.Set("Cookie", cookie)
	}
	w := httptest.NewRecorder()
	c.ServeHTTP(w, r)
	return w
}

// goesTo sends requests with this cookie and returns who has answered.
func (c *cluster) goesTo(cookie string, times int) string {
	c.t.Helper()
	var all []string
	for range times {
		w := c.send(c.t.Context(), "GET", cookie, "")
		if w.Code != 200 {
			c.t.Errorf("status %d: %s", w.Code, w.Body)
		}
		all = append(all, w.Body.String())
	}
	return strings.Join(all, " ")
}
