package session

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func newManager(t *testing.T, c Config) *Manager {
	t.Helper()
	m, err := New(c)
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

// client is a browser as far as a cookie goes: it sends back what it got.
type client struct {
	t      *testing.T
	m      *Manager
	cookie string // "name=value", "" for none
	tls    bool
}

func newClient(t *testing.T, m *Manager) *client { return &client{t: t, m: m} }

// do sends a request to a handler behind the manager.
func (c *client) do(h func(s *Session, w http.ResponseWriter)) *http.Response {
	c.t.Helper()
	r := httptest.NewRequest("GET", "/", nil)
	if c.tls {
		r = httptest.NewRequest("GET", "https://example.com/", nil)
	}
	if c.cookie != "" {
		r.Header.Set("Cookie", c.cookie)
	}
	w := httptest.NewRecorder()
	c.m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h(From(r), w)
	})).ServeHTTP(w, r)
	res := w.Result()
	for _, k := range res.Cookies() {
		if k.Name != c.m.config.Cookie.Name {
			continue
		}
		c.cookie = k.Name + "=" + k.Value
		if k.MaxAge < 0 {
			c.cookie = ""
		}
	}
	return res
}

// with runs f with the session of a request.
func (c *client) with(f func(s *Session)) *http.Response {
	c.t.Helper()
	return c.do(func(s *Session, _ http.ResponseWriter) { f(s) })
}

// id returns the id that the client has.
func (c *client) id() string {
	r := http.Request{Header: http.Header{"Cookie": {c.cookie}}}
	k, err := r.Cookie(c.m.config.Cookie.Name)
	if err != nil {
		return ""
	}
	return k.Value
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// get reads an attribute, the zero value if there is none.
func get[T any](t *testing.T, s *Session, name string) T {
	t.Helper()
	v, _, err := Get[T](s, name)
	must(t, err)
	return v
}
