package gorilla

import (
	"crypto/tls"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/sessions"

	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/session"
)

func TestOptions(t *testing.T) {
	s, _ := newStore(t, session.Config{})
	for _, tt := range []struct {
		name    string
		options func(o *sessions.Options)
		tls     bool
		want    string // of the cookie, without name and value
	}{
		{"defaults", func(*sessions.Options) {}, false, "Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax"},
		{"TLS", func(*sessions.Options) {}, true, "Path=/; Max-Age=2592000; HttpOnly; Secure; SameSite=Lax"},
		{"all", func(o *sessions.Options) {
			*o = sessions.Options{Path: "/a", Domain: "example.com", MaxAge: 60, Secure: true, SameSite: http.SameSiteStrictMode}
		}, false, "Path=/a; Domain=example.com; Max-Age=60; Secure; SameSite=Strict"},
		{"ends with the browser", func(o *sessions.Options) { o.MaxAge = 0 }, false, "Path=/; HttpOnly; SameSite=Lax"},
	} {
		b := newBrowser(t)
		r, x := b.get(s, "cart")
		if tt.tls {
			r.TLS = new(tls.ConnectionState)
		}
		tt.options(x.Options)
		c, err := b.save(r, x)
		must(t, err)
		c.Expires = time.Time{} // for old browsers; gorilla's own
		if got := strings.TrimPrefix(c.String(), "cart="+x.ID+"; "); got != tt.want || !validID(x.ID) {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
	s.MaxAge(7)
	b := newBrowser(t)
	if c := b.with(s, "cart", func(*sessions.Session) {}); c.MaxAge != 7 {
		t.Errorf("MaxAge %d", c.MaxAge)
	}
}

// A session lives for MaxAge from its last Save, one without for Unaged.
func TestExpiry(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		s, m := newStore(t, session.Config{Timeout: time.Minute})
		s.Unaged = 2 * time.Hour
		b := newBrowser(t)
		b.with(s, "aged", func(x *sessions.Session) { x.Values["v"], x.Options.MaxAge = 1, 3600 })
		b.with(s, "unaged", func(x *sessions.Session) { x.Values["v"], x.Options.MaxAge = 1, 0 })
		time.Sleep(50 * time.Minute)
		b.with(s, "aged", func(x *sessions.Session) { x.Options.MaxAge = 3600 })
		time.Sleep(59 * time.Minute)
		b.want(s, "aged", "[v:1]")
		b.want(s, "unaged", "[v:1]")
		time.Sleep(time.Minute)
		b.want(s, "aged", "[]")
		time.Sleep(11 * time.Minute)
		b.want(s, "unaged", "[]")
		time.Sleep(time.Minute)
		if n := m.Stats().Sessions; n != 0 {
			t.Errorf("%d sessions are left", n)
		}
	})
}

// The end of a session is one on the server: its cookie leads nowhere any more.
func TestDelete(t *testing.T) {
	s, m := newStore(t, session.Config{})
	b := newBrowser(t)
	b.with(s, "cart", func(x *sessions.Session) { x.Values["v"] = 1 })
	old := b.cookies["cart"]
	c := b.with(s, "cart", func(x *sessions.Session) { x.Options.MaxAge = -1 })
	if c.MaxAge != -1 || c.Value != "" || m.Stats().Sessions != 0 {
		t.Errorf("cookie %v, %d sessions", c, m.Stats().Sessions)
	}
	b.cookies["cart"] = old
	b.want(s, "cart", "[]")
	b.with(s, "never", func(x *sessions.Session) { x.Options.MaxAge = -1 }) // there was none
	r, x := b.get(s, "cart")
	x.Values["v"] = 2
	_, err := b.save(r, x)
	must(t, err)
	x.Options.MaxAge = -1
	_, err = b.save(r, x)
	must(t, err)
	x.Options.MaxAge, x.Values = 60, nil // it begins again
	_, err = b.save(r, x)
	must(t, err)
	b.want(s, "cart", "[]")
	if b.cookies["cart"] == old || m.Stats().Sessions != 1 {
		t.Errorf("%d sessions", m.Stats().Sessions)
	}
}

// Nobody decides on an id but the store.
func TestIDs(t *testing.T) {
	s, m := newStore(t, session.Config{})
	b := newBrowser(t)
	b.with(s, "cart", func(x *sessions.Session) { x.Values["admin"] = false })
	id := b.cookies["cart"]
	for _, invented := range []string{newID(), "", "x", strings.Repeat("x", idChars-1), strings.Repeat("!", idChars), id + "=", "gorilla_" + id} {
		other := newBrowser(t)
		other.cookies["cart"] = invented
		other.with(s, "cart", func(x *sessions.Session) {
			if !x.IsNew || x.ID != "" || len(x.Values) != 0 {
				t.Errorf("cookie %q leads to %q, %v", invented, x.ID, x.Values)
			}
			x.ID = invented
		})
		if got := other.cookies["cart"]; got == invented || !validID(got) {
			t.Errorf("cookie %q was adopted: %q", invented, got)
		}
	}
	b.cookies["admin"] = id // the id of a session under another name
	b.want(s, "admin", "[]")
	must(t, m.SCS().Commit(id, []byte("x"), time.Now().Add(time.Hour)))
	b.want(s, "cart", "[admin:false]")
}

// With a new id, as at login, the old one leads nowhere.
func TestRenew(t *testing.T) {
	s, m := newStore(t, session.Config{})
	b := newBrowser(t)
	b.with(s, "cart", func(x *sessions.Session) { x.Values["item"] = "tea" })
	thief := newBrowser(t)
	thief.cookies["cart"] = b.cookies["cart"]
	b.with(s, "cart", func(x *sessions.Session) { x.ID, x.Values["user"] = "", "eve" })
	b.want(s, "cart", "[item:tea user:eve]")
	thief.want(s, "cart", "[]")
	if n := m.Stats().Sessions; n != 1 {
		t.Errorf("%d sessions", n)
	}
}

// What cannot be stored is an error, no cookie is sent, and the session stays as it was.
func TestErrors(t *testing.T) {
	s, m := newStore(t, session.Config{Limits: session.Limits{ValueBytes: 1000}})
	b := newBrowser(t)
	b.with(s, "cart", func(x *sessions.Session) { x.Values["v"] = 1 })
	for name, value := range map[string]any{"function": func() {}, "not registered": struct{ A int }{1}, "large": make([]byte, 1001)} {
		for _, browser := range []*browser{b, newBrowser(t)} {
			r, x := browser.get(s, "cart")
			x.Values["bad"] = value
			if c, err := browser.save(r, x); err == nil || c != nil || !strings.Contains(err.Error(), `"cart"`) {
				t.Errorf("%s: %v, cookie %v", name, err, c)
			} else if name == "large" && !errors.Is(err, session.ErrValueTooLarge) {
				t.Errorf("%s: %v", name, err)
			}
		}
		b.want(s, "cart", "[v:1]")
	}
	if _, err := s.Get(b.request(), "not a cookie"); err == nil {
		t.Error("a name that no cookie can have")
	}
	must(t, m.SCS().Commit(token("cart", b.cookies["cart"]), []byte("damaged"), time.Now().Add(time.Hour)))
	x, err := s.Get(b.request(), "cart")
	if err == nil || x == nil || !x.IsNew || x.ID != "" || len(x.Values) != 0 {
		t.Errorf("a damaged session: %+v, %v", x, err)
	}
	must(t, m.Close())
	other := newBrowser(t)
	r, x := other.get(s, "cart")
	if c, err := other.save(r, x); !errors.Is(err, session.ErrClosed) || c != nil {
		t.Errorf("after Close: %v, cookie %v", err, c)
	}
}

// A session that a program makes itself is a new one.
func TestSessionOfTheProgram(t *testing.T) {
	s, _ := newStore(t, session.Config{})
	b := newBrowser(t)
	x := sessions.NewSession(s, "own")
	x.Options = &sessions.Options{Path: "/", MaxAge: 60}
	x.Values["v"] = 1
	_, err := b.save(httptest.NewRequest("GET", "/", nil), x)
	must(t, err)
	b.want(s, "own", "[v:1]")
}
