package web

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/gotribes/tribes/group"
	"github.com/gotribes/tribes/session"
)

var longName = strings.Repeat("n", maxName+1)

// wrongInput is requests of a client that has an attribute "bytes".
var wrongInput = []struct {
	request string
	body    string
	status  int
	err     string
}{
	{"PUT /attr", "x", 400, "want a name"},
	{"PUT /attr?name=", "x", 400, "want a name"},
	{"PUT /attr?name=a&size=", "", 400, "size="},
	{"PUT /attr?name=a&size=x", "", 400, "size=x: want a number from 1 to 1048576"},
	{"PUT /attr?name=a&size=-1", "", 400, "size=-1"},
	{"PUT /attr?name=a&size=3&tag=123", "", 400, "size=3: want a number from 4 to"},
	{"PUT /attr?name=a&size=1048577", "", 400, "size=1048577"},
	{"PUT /attr?name=a&size=99999999999999999999", "", 400, "size=9"},
	{"PUT /attr?name=a&size=9&tag=1|2", "", 400, "no bar"},
	{"PUT /attr?name=a&size=99&tag=" + strings.Repeat("1", 32), "", 400, "at most 31 bytes"},
	{"PUT /attr?name=a&tag=1", "x", 400, "want a size"},
	{"PUT /attr?name=a&count=1", "x", 400, "want a size"},
	{"PUT /attr?name=a&size=9&count=0", "", 400, "count=0: want a number from 1 to 1000"},
	{"PUT /attr?name=a&size=9&count=1001", "", 400, "count=1001"},
	{"PUT /attr?name=a&size=9&count=many", "", 400, "count=many"},
	{"PUT /attr?name=a&name=b&size=9", "", 400, "name"},
	{"PUT /attr?name=%zz", "x", 400, "query"},
	{"PUT /attr?name=" + longName, "x", 400, "name too long"},
	{"PUT /attr?name=a", strings.Repeat("x", maxValue+1), 413, "body: want at most 1048576 bytes"},
	{"GET /attr?name=", "", 400, "want a name"},
	{"GET /attr?name=a&name=b", "", 400, "there 2 times"},
	{"GET /attr?%zz", "", 400, "query"},
	{"DELETE /attr", "", 400, "want a name"},
	{"POST /incr", "", 400, "want a name"},
	{"POST /incr?name=" + longName, "", 400, "name too long"},
	{"POST /incr?name=bytes", "", 400, "not a number"},
	{"GET /session", "", 400, "want an id"},
	{"GET /session?id=", "", 400, "want an id"},
	{"GET /session?id=x&name=", "", 400, "want a name"},
	{"GET /session?id=x&id=y", "", 400, "there 2 times"},
	{"GET /stats?gc=yes", "", 400, "gc=yes: want a number from 0 to 1"},
	{"GET /stats?gc=1&gc=1", "", 400, "there 2 times"},
	{"GET /nothing", "", 404, "no such path"},
	{"PUT /nothing", "x", 404, "no such path"},
	{"GET /attr/", "", 404, "no such path"},
	{"GET /cart", "", 404, "no such path"},
	{"POST /attr?name=a", "x", 405, "POST is not for this path: want DELETE, GET, HEAD, PUT"},
	{"GET /incr?name=a", "", 405, "want POST"},
	{"GET /invalidate", "", 405, "want POST"},
	{"POST /whoami", "", 405, "want GET, HEAD"},
	{"DELETE /session?id=x", "", 405, "want GET, HEAD"},
	{"PUT /stats", "", 405, "want GET, HEAD"},
	{"OPTIONS /ready", "", 405, "want GET, HEAD"},
	{"GET /cart/add", "", 405, "want POST"},
	{"GET /logout", "", 405, "want POST"},
	{"POST /", "", 405, "want GET, HEAD"},
}

func TestWrongInput(t *testing.T) {
	c := newClient(t)
	c.want("PUT /attr?name=bytes", "1|", 200, `{"new":true,"prev":""}`)
	id := c.id()
	for _, tt := range wrongInput {
		t.Run(tt.request[:min(len(tt.request), 60)], func(t *testing.T) {
			c := &client{t: t, app: c.app, cookie: c.cookie}
			c.wantError(tt.request, tt.body, tt.status, tt.err)
		})
	}
	if c.want("GET /attr", "", 200, `{"found":true,"attrs":[{"name":"bytes","size":2,"tag":"1"}]}`); c.id() != id {
		t.Error("the session has another id")
	}
}

func TestMethodsThatAreAllowed(t *testing.T) {
	c := newClient(t)
	for path, want := range map[string]string{"/attr": "DELETE, GET, HEAD, PUT", "/incr": "POST", "/whoami": "GET, HEAD", "/": "GET, HEAD"} {
		if got := c.do("PATCH "+path, "").Header().Get("Allow"); got != want {
			t.Errorf("%s: Allow %q, want %q", path, got, want)
		}
	}
}

// TestHead asks a server, which is who leaves the body out.
func TestHead(t *testing.T) {
	server := httptest.NewServer(newApp(t, newKeeper(t, Limits())))
	defer server.Close()
	for _, path := range []string{"/whoami", "/ready", "/stats", "/attr", "/attr?name=a", "/session?id=x", "/"} {
		response, err := server.Client().Head(server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		if err := errors.Join(err, response.Body.Close()); err != nil {
			t.Error(err)
		}
		if response.StatusCode != 200 || response.ContentLength <= 0 || len(body) > 0 {
			t.Errorf("HEAD %s: status %d, length %d, body %q", path, response.StatusCode, response.ContentLength, body)
		}
	}
}

func TestBodyThatEndsEarly(t *testing.T) {
	c := newClient(t)
	r := httptest.NewRequest("PUT", "/attr?name=a", io.MultiReader(strings.NewReader("1|"), iotest.ErrReader(io.ErrUnexpectedEOF)))
	if w := c.send(r); w.Code != 400 || !strings.Contains(w.Body.String(), `"error":"body: unexpected EOF"`) || c.cookie != nil {
		t.Errorf("status %d, %s, cookie %v", w.Code, w.Body, c.cookie)
	}
}

// TestCountSetsAllOrNothing: what would break a limit half way sets nothing.
func TestCountSetsAllOrNothing(t *testing.T) {
	name := strings.Repeat("n", maxName-2)
	tests := []struct{ before, request, err string }{
		{"", "PUT /attr?size=2&count=101&name=" + name, "name: want at most 256 bytes"},
		{"PUT /attr?name=b&size=2&count=990", "PUT /attr?name=a&size=2&count=11", "would have 1001 attributes: want at most 1000"},
		{"PUT /attr?name=a&size=2&count=990", "PUT /attr?name=a&size=5000&count=900", "bytes: want at most 4194304"},
		{"", "PUT /attr?name=a&size=1048576&count=4", "bytes: want at most 4194304"},
		{"PUT /attr?name=b&size=1048576&count=3", "PUT /attr?name=a&size=100000&count=11", "bytes: want at most 4194304"},
	}
	for _, tt := range tests {
		t.Run(tt.err, func(t *testing.T) {
			c := newClient(t)
			if tt.before != "" {
				c.want(tt.before, "", 200, `{"new":true,"prev":""}`)
			}
			_, want := c.ask("GET /attr", "")
			had := c.id()
			c.wantError(tt.request, "", 400, tt.err)
			if _, got := c.ask("GET /attr", ""); mustJSON(t, got) != mustJSON(t, want) || c.id() != had {
				t.Errorf("the session has changed: id %q, before %q", c.id(), had)
			}
		})
	}
	for _, requests := range [][]string{ // at the limits
		{"PUT /attr?size=2&count=100&name=" + name, "PUT /attr?size=2&count=100&name=" + name},
		{"PUT /attr?name=b&size=2&count=989", "POST /incr?name=a3", "PUT /attr?name=a&size=2&count=11", "PUT /attr?name=a&size=2&count=11"},
		{"PUT /attr?name=a&size=4000&count=1000", "PUT /attr?name=a&size=4000&count=1000", "PUT /attr?name=a&size=4040&count=1000"},
	} {
		c := newClient(t)
		for _, request := range requests {
			if status, answer := c.ask(request, ""); status != 200 {
				t.Errorf("%.60s: status %d, %v", request, status, answer)
			}
		}
	}
}

func TestTooManySessions(t *testing.T) {
	app := newApp(t, newKeeper(t, session.Limits{Sessions: 1}))
	first, second := &client{t: t, app: app}, &client{t: t, app: app}
	first.want("PUT /attr?name=a&size=2&tag=1", "", 200, `{"new":true,"prev":""}`)
	second.wantError("PUT /attr?name=a&size=2&tag=1", "", 503, "too many sessions")
	second.wantError("PUT /attr?name=a&size=2&count=2", "", 503, "too many sessions")
	second.wantError("POST /incr?name=a", "", 503, "too many sessions")
	second.want("GET /attr?name=a", "", 200, `{"found":false,"size":0,"tag":""}`)
	first.want("PUT /attr?name=a&size=2&tag=2", "", 200, `{"new":false,"prev":"1"}`)
}

// unstored is sessions of which nothing that a request has changed is safe.
type unstored struct{ keeper }

// Handler answers as the middleware of sessions does then.
func (u unstored) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(httptest.NewRecorder(), r)
		Unavailable(nodeName, slog.New(slog.DiscardHandler))(w, r, errors.New("a <test>"))
	})
}

// notReady is sessions of a cluster that are not here yet.
func notReady(t *testing.T) keeper {
	t.Helper()
	g, err := group.New()
	if err != nil {
		t.Fatal(err)
	}
	return keeper{newManager(t, session.Config{Cluster: &session.Cluster{Group: g}})}
}

// TestUnavailable: programs are told in JSON that a session could not be had, browsers
// by a page, which does not send a form again.
func TestUnavailable(t *testing.T) {
	for _, tt := range []struct {
		sessions  Sessions
		err       string
		get, post string
	}{
		{notReady(t), session.ErrNotReady.Error(), "does not have the sessions yet", "does not have the sessions yet"},
		{unstored{newKeeper(t, Limits())}, "a <test>", "cannot be read or stored now: a &lt;test&gt;", "could not be stored as it should: a &lt;test&gt;"},
	} {
		c := &client{t: t, app: newApp(t, tt.sessions)}
		for _, request := range []string{"PUT /attr?name=a&size=2", "GET /attr", "DELETE /attr?name=a", "POST /incr?name=a", "POST /invalidate", "GET /"} {
			c.wantError(request, "", 503, "the session could not be read or stored: "+tt.err)
		}
		for _, method := range []string{"GET /", "POST /cart/add"} {
			verb, path, _ := strings.Cut(method, " ")
			r := httptest.NewRequest(verb, path, nil)
			r.Header.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
			w := c.send(r)
			if w.Code != 503 || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") || w.Header().Get("Cache-Control") != "no-store" {
				t.Errorf("%s: status %d, header %v", method, w.Code, w.Header())
			}
			page := map[string]string{"GET": tt.get, "POST": tt.post}[verb]
			wantText(t, w.Body.String(), page, "This is <b>n1</b>", `role="alert"`)
			if reloads := strings.Contains(w.Body.String(), `http-equiv="refresh"`); reloads != (verb == "GET") {
				t.Errorf("%s: reloads by itself: %v", method, reloads)
			}
		}
		if status, _ := c.ask("GET /whoami", ""); status != 200 {
			t.Errorf("whoami: status %d although it needs no session", status)
		}
	}
}

func TestNotReady(t *testing.T) {
	c := &client{t: t, app: New(Config{Name: nodeName, Sessions: newKeeper(t, Limits()), Ready: func() bool { return false }})}
	c.wantError("GET /ready", "", 503, "not ready")
	if status, _ := c.ask("GET /whoami", ""); status != 200 {
		t.Errorf("whoami: status %d: it says who answers, ready or not", status)
	}
}
