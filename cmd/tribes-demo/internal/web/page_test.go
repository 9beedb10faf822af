package web

import (
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// press presses a button and follows where it leads.
func (c *client) press(path string, form url.Values) string {
	c.t.Helper()
	w := c.post(path, form, "same-origin")
	if w.Code != 303 {
		c.t.Fatalf("POST %s: status %d, %s", path, w.Code, w.Body)
	}
	return c.page(w.Header().Get("Location"))
}

func (c *client) post(path string, form url.Values, site string) *httptest.ResponseRecorder {
	c.t.Helper()
	r := httptest.NewRequest("POST", path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", site)
	return c.send(r)
}

func (c *client) page(target string) string {
	c.t.Helper()
	w := c.do("GET "+target, "")
	h := w.Header()
	if w.Code != 200 || !strings.HasPrefix(h.Get("Content-Type"), "text/html") || h.Get("Cache-Control") != "no-store" ||
		!strings.Contains(h.Get("Content-Security-Policy"), "default-src 'none'") {
		c.t.Errorf("GET %s: status %d, header %v", target, w.Code, h)
	}
	return w.Body.String()
}

func wantText(t *testing.T, page string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(page, text) {
			t.Errorf("no %q in the page\n%s", text, page)
		}
	}
}

func items(item string) url.Values { return url.Values{"item": {item}} }

func row(item, n string) string { return `<th scope="row">` + item + `<td class="n">` + n + `<td>` }

// alone is a keeper that has no group.
type alone struct{ keeper }

func (alone) Peers() (int, bool) { return 0, false }

// TestPageWithoutGroup speaks of no other members where there cannot be any.
func TestPageWithoutGroup(t *testing.T) {
	c := &client{t: t, app: newApp(t, alone{newKeeper(t, Limits())})}
	if page := c.page("/"); strings.Contains(page, "other member") || !strings.Contains(page, "Served by <b>n1</b>.") {
		t.Errorf("the page speaks of members\n%s", page)
	}
}

func TestCart(t *testing.T) {
	c := newClient(t)
	wantText(t, c.page("/"), "<title>Cart, served by n1</title>", "which sees 3 other members", "Where sessions are: a test",
		"No session yet", row("bread", "0"), row("together", "0"), `aria-label="remove bread" disabled`)
	c.press("/cart/remove", items("bread"))
	c.press("/cart/empty", nil)
	c.press("/logout", nil)
	if c.cookie != nil {
		t.Fatalf("a session although nothing was added: %v", c.cookie)
	}

	wantText(t, c.press("/cart/add", items("bread")), "It is new", "with route <b>n1</b>.", row("bread", "1"), row("together", "1"))
	id := c.id()
	page := c.press("/cart/add", items("bread"))
	wantText(t, page, row("bread", "2"), id[:6]+"…")
	if strings.Contains(page, "It is new") || strings.Contains(page, id) {
		t.Error("the page says that the session is new again, or gives its id away")
	}
	wantText(t, c.press("/cart/add", items("coffee")), row("coffee", "1"), row("together", "3"), "Cart (3)")
	wantText(t, c.press("/cart/remove", items("bread")), row("bread", "1"), row("together", "2"))
	wantText(t, c.press("/cart/remove", items("bread")), row("bread", "0"))
	wantText(t, c.press("/cart/remove", items("bread")), row("bread", "0"), row("together", "1"))
	wantText(t, c.press("/cart/empty", nil), row("coffee", "0"), row("together", "0"))
	c.want("GET /attr", "", 200, `{"found":true,"attrs":[]}`)
	if c.id() != id {
		t.Error("the session has another id")
	}
}

func TestLogin(t *testing.T) {
	c := newClient(t)
	c.press("/cart/add", items("bread"))
	before := c.id()
	wantText(t, c.press("/login", url.Values{"user": {"Zoë Ä"}}), "Logged in as <b>Zoë Ä</b>", row("bread", "1"))
	after := c.id()
	if after == before || after == "" {
		t.Errorf("id %q after login, %q before: want a new one", after, before)
	}
	c.want("GET /session?id="+before, "", 200, `{"found":false,"attrs":0}`)
	page := c.press("/logout", nil)
	wantText(t, page, "No session yet", `action="/login"`, row("bread", "0"))
	if c.cookie != nil {
		t.Errorf("cookie %v after logout", c.cookie)
	}
	c.want("GET /session?id="+after, "", 200, `{"found":false,"attrs":0}`)
}

func TestWrongForms(t *testing.T) {
	user := func(name string) url.Values { return url.Values{"user": {name}} }
	tests := []struct {
		name, path string
		form       url.Values
		text       string
	}{
		{"unknown item", "/cart/add", items("gold"), "the shop does not have"},
		{"no item", "/cart/remove", nil, "the shop does not have"},
		{"item with markup", "/cart/add", items("<script>alert(1)</script>"), "&lt;script&gt;"},
		{"no name", "/login", nil, "1 to 40 characters"},
		{"long name", "/login", user(strings.Repeat("ä", 41)), "1 to 40 characters"},
		{"unprintable name", "/login", user("a\nb"), "can be printed"},
		{"name not UTF-8", "/login", user("\xff"), "can be printed"},
		{"form too large", "/login", user(strings.Repeat("a", maxForm)), "cannot be read"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newClient(t)
			w := c.post(tt.path, tt.form, "same-origin")
			if w.Code != 400 || c.cookie != nil {
				t.Errorf("status %d, cookie %v: want 400 and none", w.Code, c.cookie)
			}
			wantText(t, w.Body.String(), `role="alert"`, tt.text)
			noScript(t, w.Body.String())
		})
	}
	c := newClient(t)
	wantText(t, c.press("/login", user(strings.Repeat("ä", 40))), strings.Repeat("ä", 40))
}

func noScript(t *testing.T, page string) {
	t.Helper()
	if strings.Contains(strings.ToLower(page), "<script") || strings.Contains(page, "<img") {
		t.Errorf("what a user wrote has become markup\n%s", page)
	}
}

func TestNamesAreNotMarkup(t *testing.T) {
	for _, name := range []string{`<script>alert(1)</script>`, `"><img src=x onerror=a()>`, `</b></p>'"&lt;`} {
		c := newClient(t)
		page := c.press("/login", url.Values{"user": {name}})
		noScript(t, page)
		wantText(t, page, "Logged in as <b>"+strings.NewReplacer("<", "&lt;", ">", "&gt;", "&", "&amp;", `"`, "&#34;", "'", "&#39;").Replace(name)+"</b>")
	}
}

// TestOtherSitesChangeNothing: a form on another site has no effect here.
func TestOtherSitesChangeNothing(t *testing.T) {
	c := newClient(t)
	for path, form := range map[string]url.Values{"/cart/add": items("bread"), "/cart/remove": items("bread"), "/cart/empty": nil,
		"/login": {"user": {"a"}}, "/logout": nil} {
		if w := c.post(path, form, "cross-site"); w.Code != 403 || c.cookie != nil {
			t.Errorf("%s: status %d, cookie %v", path, w.Code, c.cookie)
		}
	}
}

// TestCartOfOtherThings: a program that stores something else under the name of an
// item does not lock the user out.
func TestCartOfOtherThings(t *testing.T) {
	c := newClient(t)
	c.press("/cart/add", items("coffee"))
	c.want("PUT /attr?name=cart/bread", "1|x", 200, `{"new":false,"prev":""}`)
	wantText(t, c.page("/"), "What is stored for bread is no number", row("bread", "0"), row("coffee", "1"))
	for _, path := range []string{"/cart/add", "/cart/remove"} {
		if w := c.post(path, items("bread"), "same-origin"); w.Code != 400 || !strings.Contains(w.Body.String(), "Nothing has changed") {
			t.Errorf("%s: status %d, %s", path, w.Code, w.Body)
		}
	}
	page := c.press("/cart/empty", nil)
	if strings.Contains(page, `role="alert"`) {
		t.Errorf("still wrong\n%s", page)
	}
	wantText(t, page, row("bread", "0"), row("coffee", "0"))
}

// TestTakenOver: the page says once that the session was on another node before, also
// behind the redirect of a form.
func TestTakenOver(t *testing.T) {
	moved := "It was on <b>n1</b> before: <b>n2 has taken over.</b>"
	k := newKeeper(t, Limits())
	c := &client{t: t, app: newApp(t, k)}
	c.press("/cart/add", items("bread"))
	c.app = New(Config{Name: "n2", Sessions: k, Ready: func() bool { return true }})
	wantText(t, c.page("/"), "Served by <b>n2</b>", "with route <b>n1</b>, which is another node", row("bread", "1"))

	a, b := newNodes(t)
	for _, first := range []func(c *client) string{
		func(c *client) string { return c.page("/") },
		func(c *client) string { return c.press("/cart/add", items("coffee")) },
	} {
		c := &client{t: t, app: a}
		c.press("/cart/add", items("bread"))
		c.app = b
		wantText(t, first(c), "Served by <b>n2</b>", "with route <b>n2</b>.", moved, row("bread", "1"))
		if page := c.page("/"); strings.Contains(page, "taken over") {
			t.Errorf("said again\n%s", page)
		}
		if page := c.page("/?from=n1%20is%20a%20thief"); strings.Contains(page, "thief") {
			t.Errorf("a link says what it likes\n%s", page)
		}
	}
}
