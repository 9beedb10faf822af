package web

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/gotribes/tribes/cmd/tribes-demo/internal/metrics"
	"github.com/gotribes/tribes/group"
	"github.com/gotribes/tribes/session"
	"github.com/gotribes/tribes/transport/mem"
)

const nodeName = "n1"

// keeper is sessions in memory, with three other members.
type keeper struct{ *session.Manager }

func (k keeper) Counts() (held, known int) { return k.Stats().Sessions, k.Stats().Sessions + 1 }
func (k keeper) Peers() (int, bool)        { return 3, true }
func (k keeper) Store() string             { return "a test" }
func (k keeper) Metrics(p *metrics.Page)   { p.Sessions(k.Manager) }

func newKeeper(t *testing.T, limits session.Limits) keeper {
	t.Helper()
	return keeper{newManager(t, session.Config{Route: nodeName, Limits: limits})}
}

func newManager(t *testing.T, c session.Config) *session.Manager {
	t.Helper()
	c.Unavailable = Unavailable(nodeName, slog.New(slog.NewTextHandler(t.Output(), nil)))
	m, err := session.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

func newApp(t *testing.T, s Sessions) http.Handler {
	return New(Config{Name: nodeName, Sessions: s, Ready: func() bool { return true },
		Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
}

// newNodes returns the applications of two nodes, n1 and n2, that share their sessions.
func newNodes(t *testing.T) (a, b http.Handler) {
	t.Helper()
	var apps []http.Handler
	net := mem.NewNetwork(mem.Config{})
	for _, name := range []string{"n1", "n2"} {
		parts := net.Node(name)
		g, err := group.New(group.WithTransport(parts.Sender, parts.Receiver), group.WithMembership(parts.Membership))
		if err != nil {
			t.Fatal(err)
		}
		if err := g.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(g.Close)
		m := newManager(t, session.Config{Route: name, Limits: Limits(), Cluster: &session.Cluster{Group: g}})
		if err := m.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		apps = append(apps, New(Config{Name: name, Sessions: keeper{m}, Ready: m.Ready, Log: slog.New(slog.DiscardHandler)}))
	}
	return apps[0], apps[1]
}

// client sends back the cookie that it was given last.
type client struct {
	t      *testing.T
	app    http.Handler
	cookie *http.Cookie
}

func newClient(t *testing.T) *client {
	return &client{t: t, app: newApp(t, newKeeper(t, Limits()))}
}

// id is that of the session, "" if there is none.
func (c *client) id() string {
	if c.cookie == nil {
		return ""
	}
	return c.cookie.Value
}

func (c *client) send(r *http.Request) *httptest.ResponseRecorder {
	c.t.Helper()
	if c.cookie != nil {
		r.AddCookie(c.cookie)
	}
	w := httptest.NewRecorder()
	c.app.ServeHTTP(w, r)
	for _, k := range w.Result().Cookies() {
		if c.cookie = k; k.MaxAge < 0 {
			c.cookie = nil
		}
	}
	return w
}

// do sends a request such as "GET /attr?name=a".
func (c *client) do(request, body string) *httptest.ResponseRecorder {
	c.t.Helper()
	method, target, _ := strings.Cut(request, " ")
	return c.send(httptest.NewRequest(method, target, strings.NewReader(body)))
}

// ask sends a request and returns the status and the object that it was answered
// with, without the node, whose name and form each answer must have.
func (c *client) ask(request, body string) (int, map[string]any) {
	c.t.Helper()
	w := c.do(request, body)
	text := w.Body.String()
	h := w.Header()
	if h.Get("Content-Type") != "application/json" || h.Get("Content-Length") != strconv.Itoa(len(text)) || h.Get("Cache-Control") != "no-store" {
		c.t.Errorf("%s: header %v: want JSON of %d bytes that is not stored", request, h, len(text))
	}
	var all map[string]any
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		c.t.Fatalf("%s: answer %q: %v", request, text, err)
	}
	if all["node"] != nodeName {
		c.t.Errorf("%s: answer %q: want the node's name", request, text)
	}
	delete(all, "node")
	return w.Code, all
}

// want fails the test unless the answer is status and the object that text describes.
func (c *client) want(request, body string, status int, text string) {
	c.t.Helper()
	var want map[string]any
	if err := json.Unmarshal([]byte(text), &want); err != nil {
		c.t.Fatal(err)
	}
	got, answer := c.ask(request, body)
	if g, w := mustJSON(c.t, answer), mustJSON(c.t, want); got != status || g != w {
		c.t.Errorf("%s: status %d and %s, want %d and %s", request, got, g, status, w)
	}
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// wantError fails the test unless the answer is status and an error of one line
// with text in it.
func (c *client) wantError(request, body string, status int, text string) {
	c.t.Helper()
	got, answer := c.ask(request, body)
	e, ok := answer["error"].(string)
	if got != status || !ok || len(answer) != 1 || !strings.Contains(e, text) || strings.Contains(e, "\n") {
		c.t.Errorf("%s: status %d and %v, want %d and an error of one line with %q", request, got, answer, status, text)
	}
}
