package session

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestIDs(t *testing.T) {
	seen := make(map[ID]bool)
	for range 1000 {
		id := newID("node-1")
		if seen[id] {
			t.Fatalf("id %q twice", id)
		}
		seen[id] = true
		if got, ok := parseID(string(id)); !ok || got != id || id.Route() != "node-1" || len(id.Random()) != randomChars {
			t.Fatalf("parseID(%q) = %q, %v", id, got, ok)
		}
	}
	if id := newID(""); id.Route() != "" || string(id) != id.Random() {
		t.Errorf("id %q without a route", id)
	}
}

const someID = "abcdefghijklmnopqrstuvwx"

var idTests = []struct {
	in string
	ok bool
}{
	{someID, true},
	{someID + ".a", true},
	{someID + "." + strings.Repeat("r", 64), true},
	{"", false},
	{someID[1:], false},
	{someID + "y", false},
	{someID + ".", false},
	{someID + ".a.b", false},
	{someID + "." + strings.Repeat("r", 65), false},
	{someID + "./../x", false},
	{"../../../../etc/passwd..", false},
	{"abcdefghijkl%nopqrstuvwx", false},
	{"abcdefghijkl\x00nopqrstuvwx", false},
	{someID + ".é", false},
	{"scs:" + someID[4:], false},
	{strings.Repeat("a", 1<<20), false},
}

func TestParseID(t *testing.T) {
	for _, tt := range idTests {
		if _, ok := parseID(tt.in); ok != tt.ok {
			t.Errorf("parseID(%.40q) = %v, want %v", tt.in, ok, tt.ok)
		}
	}
}

// An id that leads nowhere is never adopted, whatever it looks like.
func TestFixation(t *testing.T) {
	for _, tt := range idTests {
		m := newManager(t, Config{})
		c := newClient(t, m)
		c.cookie = "sid=" + tt.in
		c.with(func(s *Session) { must(t, Set(s, "v", 1)) })
		if id := c.id(); id == tt.in || len(id) != randomChars {
			t.Errorf("cookie %.40q: id %q", tt.in, id)
		}
		st := m.Stats()
		if tt.ok && st.Unknown != 1 || !tt.ok && st.Malformed+st.Repeated != 1 {
			t.Errorf("cookie %.40q: %+v", tt.in, st)
		}
	}
}

func TestLoginRenewsTheID(t *testing.T) {
	var changed []Event
	m := newManager(t, Config{Listener: Listener{IDChanged: func(e Event) { changed = append(changed, e) }}})
	victim := newClient(t, m)
	victim.with(func(s *Session) { must(t, Set(s, "v", "x")) })
	attacker := client{t: t, m: m, cookie: victim.cookie} // has planted this id
	old := victim.id()
	// A request of the attacker is running when the victim logs in.
	res := attacker.with(func(s *Session) {
		victim.with(func(s *Session) {
			must(t, s.Login("ann"))
			if s.User() != "ann" || get[string](t, s, "v") != "x" {
				t.Error("the session is another one")
			}
		})
	})
	if len(res.Cookies()) != 0 {
		t.Errorf("who had the old id is told the new one: %v", res.Cookies())
	}
	if victim.id() == old {
		t.Error("Login kept the id")
	}
	victim.with(func(s *Session) {
		if s.User() != "ann" {
			t.Errorf("user %q", s.User())
		}
	})
	attacker.with(func(s *Session) {
		if s.User() != "" || s.Has("v") {
			t.Error("the old id leads to the session")
		}
	})
	if len(changed) != 1 || string(changed[0].OldID) != old || string(changed[0].ID) != victim.id() || m.Stats().Renewed != 1 {
		t.Errorf("events %v, %+v", changed, m.Stats())
	}
}

func TestLoginMakesASession(t *testing.T) {
	c := newClient(t, newManager(t, Config{}))
	c.with(func(s *Session) { must(t, s.Login("ann")) })
	c.with(func(s *Session) {
		if s.User() != "ann" {
			t.Errorf("user %q", s.User())
		}
	})
}

func TestCookieValues(t *testing.T) {
	many := strings.Repeat("sid=x; ", 10)
	tests := []struct {
		name    string
		headers []string
		want    []string
		excess  bool
	}{
		{"none", nil, nil, false},
		{"others", []string{"a=b; sidx=1; xsid=2; SID=3"}, nil, false},
		{"one", []string{"a=b; sid=x; c=d"}, []string{"x"}, false},
		{"quoted", []string{`sid="x"`}, []string{"x"}, false},
		{"empty", []string{"sid="}, []string{""}, false},
		{"without a value", []string{"sid; sid"}, nil, false},
		{"two headers", []string{"sid=x", "sid=y"}, []string{"x", "y"}, true},
		{"too many", []string{many}, []string{"x", "x", "x", "x"}, true},
		{"too much", []string{"sid=x", strings.Repeat("a", maxHeader)}, []string{"x"}, true},
		{"oversized", []string{"sid=" + strings.Repeat("a", maxHeader)}, nil, true},
		{"rubbish", []string{";;=;= ;\x00;sid=x;"}, []string{"x"}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got [maxCookies]string
			n, excess := cookieValues(tt.headers, "sid", &got)
			if excess != tt.excess || n != len(tt.want) {
				t.Fatalf("%q, %v; want %q, %v", got[:n], excess, tt.want, tt.excess)
			}
			for i, w := range tt.want {
				if got[i] != w {
					t.Errorf("value %d = %q, want %q", i, got[i], w)
				}
			}
		})
	}
}

// Somebody has planted a cookie of the same name in front of the real one.
func TestSeveralCookies(t *testing.T) {
	m := newManager(t, Config{})
	c := newClient(t, m)
	c.with(func(s *Session) { must(t, Set(s, "v", "x")) })
	c.cookie = "sid=/etc; sid=" + someID + "; " + c.cookie
	c.with(func(s *Session) {
		if v := get[string](t, s, "v"); v != "x" {
			t.Errorf("v = %q", v)
		}
	})
	if st := m.Stats(); st.Repeated != 1 || st.Malformed != 1 || st.Unknown != 1 {
		t.Errorf("%+v", st)
	}
}

func TestCookieSettings(t *testing.T) {
	tests := []struct {
		name   string
		config Config
		tls    bool
		want   string // after the value
	}{
		{"default", Config{}, false, "; Path=/; HttpOnly; SameSite=Lax"},
		{"default over TLS", Config{}, true, "; Path=/; HttpOnly; Secure; SameSite=Lax"},
		{"never secure", Config{Cookie: Cookie{Secure: SecureNever}}, true, "; Path=/; HttpOnly; SameSite=Lax"},
		{"behind a proxy", Config{Cookie: Cookie{Name: "__Host-s", Secure: SecureAlways, SameSite: http.SameSiteStrictMode}}, false,
			"; Path=/; HttpOnly; Secure; SameSite=Strict"},
		{"path and domain", Config{Cookie: Cookie{Path: "/app", Domain: "example.com"}}, false,
			"; Path=/app; Domain=example.com; HttpOnly; SameSite=Lax"},
		{"persistent", Config{Timeout: 90 * time.Second, Cookie: Cookie{Persistent: true}}, false,
			"; Path=/; Max-Age=90; HttpOnly; SameSite=Lax"},
		{"persistent for ever", Config{Timeout: -1, Cookie: Cookie{Persistent: true}}, false,
			"; Path=/; Max-Age=34560000; HttpOnly; SameSite=Lax"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newClient(t, newManager(t, tt.config))
			c.tls = tt.tls
			res := c.with(func(s *Session) { must(t, Set(s, "v", 1)) })
			got := strings.TrimPrefix(res.Header.Get("Set-Cookie"), c.cookie)
			if got != tt.want || c.id() == "" {
				t.Errorf("Set-Cookie %q, want %q", got, tt.want)
			}
			if cc := res.Header.Get("Cache-Control"); cc != `no-cache="Set-Cookie"` || res.Header.Get("Vary") != "Cookie" {
				t.Errorf("Cache-Control %q, Vary %q", cc, res.Header.Get("Vary"))
			}
			again := c.with(func(s *Session) {})
			if n := len(again.Cookies()); (n == 1) != tt.config.Cookie.Persistent {
				t.Errorf("%d cookies in the second response", n)
			}
		})
	}
}

func TestRoute(t *testing.T) {
	c := newClient(t, newManager(t, Config{Route: "a"}))
	c.with(func(s *Session) { must(t, Set(s, "v", "x")) })
	want := c.id()
	if ID(want).Route() != "a" {
		t.Fatalf("id %q", want)
	}
	// A load balancer or another node has changed the route.
	c.cookie = "sid=" + ID(want).Random() + ".b"
	res := c.with(func(s *Session) {
		if get[string](t, s, "v") != "x" {
			t.Error("not found by another route")
		}
	})
	if len(res.Cookies()) != 1 || c.id() != want {
		t.Errorf("cookies %v, want %q", res.Cookies(), want)
	}
}

func TestRouteCookie(t *testing.T) {
	m := newManager(t, Config{Route: "a", Cookie: Cookie{RouteName: "route"}})
	c := newClient(t, m)
	res := c.with(func(s *Session) { must(t, Set(s, "v", "x")) })
	k := res.Cookies()
	if len(k) != 2 || k[1].Name != "route" || k[1].Value != "a" || strings.Contains(c.id(), ".") {
		t.Fatalf("cookies %v", k)
	}
	sid := c.cookie
	for cookie, want := range map[string]int{sid + "; route=a": 0, sid + "; route=b": 1, sid: 1, "route=b": 0} {
		c.cookie = cookie
		if res := c.with(func(*Session) {}); len(res.Cookies()) != want {
			t.Errorf("cookie %q: %v", cookie, res.Cookies())
		}
	}
}

func TestConfigNamesEverythingThatIsWrong(t *testing.T) {
	_, err := New(Config{
		Sweep: -1, Route: "a.b", Limits: Limits{Attributes: -1, ValueBytes: 1 << 30},
		Cookie: Cookie{Name: "__Host-s", Domain: "example.com", RouteName: "bad name", SameSite: http.SameSiteNoneMode},
	})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"sweep", `"a.b"`, "Attributes", "ValueBytes", "no domain", "bad name", "SameSite=None"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v\ndoes not tell of %s", err, want)
		}
	}
	for _, bad := range []Config{
		{Cookie: Cookie{Name: "a b"}}, {Cookie: Cookie{RouteName: "r"}}, {Route: "a", Cookie: Cookie{RouteName: "sid"}},
		{Cookie: Cookie{Name: "__Secure-s"}}, {Cookie: Cookie{Secure: 9}},
	} {
		if _, err := New(bad); err == nil {
			t.Errorf("New(%+v) is no error", bad.Cookie)
		}
	}
}

func TestHeaderWritten(t *testing.T) {
	m := newManager(t, Config{})
	c := newClient(t, m)
	res := c.do(func(s *Session, w http.ResponseWriter) {
		w.WriteHeader(http.StatusAccepted)
		if err := Set(s, "v", "x"); !errors.Is(err, ErrHeaderWritten) {
			t.Errorf("Set = %v", err)
		}
	})
	if res.StatusCode != http.StatusAccepted || m.Stats().Sessions != 0 {
		t.Errorf("status %d, %d sessions", res.StatusCode, m.Stats().Sessions)
	}
	c.with(func(s *Session) { must(t, Set(s, "v", "x")) })
	c.do(func(s *Session, w http.ResponseWriter) {
		if _, err := w.Write([]byte("x")); err != nil {
			t.Error(err)
		}
		must(t, Set(s, "v", "late"))
		for _, err := range []error{s.Renew(), s.Login("u")} {
			if !errors.Is(err, ErrHeaderWritten) {
				t.Errorf("Renew or Login = %v", err)
			}
		}
		if !s.Invalidate() {
			t.Error("not invalidated")
		}
	})
	if m.Stats().Sessions != 0 {
		t.Error("the session is still there")
	}
}

func TestPanicBeforeTheHeader(t *testing.T) {
	m := newManager(t, Config{})
	func() {
		defer func() {
			if recover() != "oops" {
				t.Error("the panic got lost")
			}
		}()
		m.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			must(t, Set(From(r), "v", 1))
			panic("oops")
		})).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	}()
	if m.Stats().Sessions != 0 {
		t.Error("a session that nobody knows is left")
	}
}
