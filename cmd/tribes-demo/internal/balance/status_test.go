package balance

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// buttons is a Control that notes what is pressed; n1 runs and n2 does not.
type buttons struct{ pressed []string }

func (b *buttons) PID(name string) int {
	if name == "n1" {
		return 4711
	}
	return 0
}

func (b *buttons) Kill(name string) error { b.pressed = append(b.pressed, "kill "+name); return nil }
func (b *buttons) Stop(name string) error { b.pressed = append(b.pressed, "stop "+name); return nil }
func (b *buttons) Start(name string) error {
	if name == "n1" {
		return errors.New("n1 is <running>")
	}
	b.pressed = append(b.pressed, "start "+name)
	return nil
}

func TestButtons(t *testing.T) {
	page := func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-origin") }
	tests := []struct {
		name, node, do string
		change         func(r *http.Request)
		status         int
		pressed        string
	}{
		{"kill", "n1", "kill", page, 303, "kill n1"},
		{"stop", "n1", "stop", page, 303, "stop n1"},
		{"start", "n2", "start", page, 303, "start n2"},
		{"no browser", "n1", "kill", nil, 303, "kill n1"},
		{"by IPv6", "n1", "kill", func(r *http.Request) { r.Host, r.RemoteAddr = "[::1]:8080", "[::1]:1" }, 303, "kill n1"},
		{"by name", "n1", "kill", func(r *http.Request) { r.Host = "localhost" }, 303, "kill n1"},
		{"fails", "n1", "start", page, 409, ""},
		{"unknown node", "n3", "kill", page, 400, ""},
		{"unknown button", "n1", "burn", page, 400, ""},
		{"nothing", "", "", page, 400, ""},
		{"form too large", strings.Repeat("n", 5000), "kill", page, 400, ""},
		{"other site", "n1", "kill", func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }, 403, ""},
		{"same site, another port", "n1", "kill", func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-site") }, 403, ""},
		{"other origin, old browser", "n1", "kill", func(r *http.Request) { r.Header.Set("Origin", "http://evil.example") }, 403, ""},
		{"name that leads here", "n1", "kill", func(r *http.Request) { page(r); r.Host = "evil.example:8080" }, 403, ""},
		{"other machine", "n1", "kill", func(r *http.Request) { page(r); r.RemoteAddr = "192.0.2.1:1" }, 403, ""},
		{"other method", "n1", "kill", func(r *http.Request) { r.Method = "PUT" }, 405, ""},
		{"path below", "n1", "kill", func(r *http.Request) { r.URL.Path += "/n1" }, 404, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := new(buttons)
			c := newCluster(t, Config{Control: b}, "n1", "n2")
			r := httptest.NewRequest("POST", "http://127.0.0.1:8080/_cluster",
				strings.NewReader(url.Values{"node": {tt.node}, "do": {tt.do}}.Encode()))
			r.RemoteAddr = "127.0.0.1:1"
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			if tt.change != nil {
				tt.change(r)
			}
			w := httptest.NewRecorder()
			c.ServeHTTP(w, r)
			if got := strings.Join(b.pressed, ", "); w.Code != tt.status || got != tt.pressed {
				t.Errorf("status %d and %q, want %d and %q\n%s", w.Code, got, tt.status, tt.pressed, w.Body)
			}
			for name := range c.backends {
				if len(c.backends[name].seen()) > 0 {
					t.Errorf("%s was asked", name)
				}
			}
		})
	}
}

func TestStatusPage(t *testing.T) {
	c := newCluster(t, Config{Control: new(buttons)}, "n1", "n2")
	c.goesTo("sid=x.n1", 3)
	c.SetAddr("n2", "")
	c.change("n2", func(n *node) { n.why = "<script>" })
	get := func(method string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		c.ServeHTTP(w, httptest.NewRequest(method, "/_cluster", nil))
		return w
	}
	w := get("GET")
	text := w.Body.String()
	for _, want := range []string{"1 of 2 nodes are up", "4711", c.backends["n1"].addr(), `<td class="n">3<td class="n">0`,
		"&lt;script&gt;", `value="kill" aria-label="kill -9 n1"`, `value="start" aria-label="start n2"`, "follow the route",
		"button{font:inherit;padding:.1em .6em;white-space:nowrap}"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in the page\n%s", want, text)
		}
	}
	if w.Code != 200 || strings.Contains(text, "<script>") || strings.Contains(text, "domain") ||
		!strings.Contains(w.Header().Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("status %d, %v\n%s", w.Code, w.Header(), text)
	}
	if head := get("HEAD"); head.Code != 200 {
		t.Errorf("HEAD: status %d", head.Code)
	}
}

func TestStatusPageWithoutControl(t *testing.T) {
	c := newCluster(t, Config{RoundRobin: true}, "a1", "b1")
	w := httptest.NewRecorder()
	c.ServeHTTP(w, httptest.NewRequest("GET", "/_cluster", nil))
	text := w.Body.String()
	if strings.Contains(text, "<button") || !strings.Contains(text, "Each request goes to the next node") || !strings.Contains(text, "<td>a<td>") {
		t.Errorf("want domains, turns and no buttons\n%s", text)
	}
	r := httptest.NewRequest("POST", "http://127.0.0.1/_cluster?node=a1&do=kill", nil)
	r.RemoteAddr = "127.0.0.1:1"
	w = httptest.NewRecorder()
	if c.ServeHTTP(w, r); w.Code != 400 {
		t.Errorf("status %d for a button that is not there", w.Code)
	}
}

// TestStatusPathIsTheProxys: paths that only begin alike are for nodes.
func TestStatusPathIsTheProxys(t *testing.T) {
	c := newCluster(t, Config{}, "n1")
	var paths []string
	c.backends["n1"].answer = func(_ http.ResponseWriter, r *http.Request) { paths = append(paths, r.URL.Path) }
	for _, path := range []string{"/_clusters", "/_cluster/x", "/_cluster", "/"} {
		c.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", path, nil))
	}
	if !slices.Equal(paths, []string{"/_clusters", "/"}) {
		t.Errorf("the node has seen %q", paths)
	}
}
