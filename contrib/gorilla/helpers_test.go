package gorilla

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gorilla/sessions"

	"github.com/gotribes/tribes/session"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newStore(t testing.TB, c session.Config) (*Store, *session.Manager) {
	t.Helper()
	m, err := session.New(c)
	must(t, err)
	t.Cleanup(func() { must(t, m.Close()) })
	return New(m), m
}

// browser keeps cookies and makes requests that a test takes apart: what a handler does is
// done by the test itself.
type browser struct {
	t       testing.TB
	cookies map[string]string
}

func newBrowser(t testing.TB) *browser { return &browser{t: t, cookies: make(map[string]string)} }

// request returns a request with the cookies of now.
func (b *browser) request() *http.Request {
	r := httptest.NewRequest("GET", "/", nil)
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	return r
}

// get begins a request and returns its session.
func (b *browser) get(s *Store, name string) (*http.Request, *sessions.Session) {
	b.t.Helper()
	r := b.request()
	x, err := s.Get(r, name)
	must(b.t, err)
	return r, x
}

// save ends a request by a Save, takes the cookies over and returns the last one.
func (b *browser) save(r *http.Request, x *sessions.Session) (*http.Cookie, error) {
	w := httptest.NewRecorder()
	err := x.Save(r, w)
	var last *http.Cookie
	for _, c := range w.Result().Cookies() {
		if last = c; c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		} else {
			b.cookies[c.Name] = c.Value
		}
	}
	return last, err
}

// with is a whole request that changes a session.
func (b *browser) with(s *Store, name string, f func(x *sessions.Session)) *http.Cookie {
	b.t.Helper()
	r, x := b.get(s, name)
	f(x)
	c, err := b.save(r, x)
	must(b.t, err)
	return c
}

// want checks what a new request finds.
func (b *browser) want(s *Store, name, want string) {
	b.t.Helper()
	_, x := b.get(s, name)
	if got := show(x); got != want {
		b.t.Errorf("session %q: %s, want %s", name, got, want)
	}
}

// show prints the values of a session, in order.
func show(x *sessions.Session) string {
	return strings.TrimPrefix(fmt.Sprint(x.Values), "map")
}
