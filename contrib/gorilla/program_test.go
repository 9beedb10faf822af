package gorilla

import (
	"encoding/gob"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gorilla/sessions"

	"github.com/gotribes/tribes/internal/proctest"
	"github.com/gotribes/tribes/session"
)

type cart struct{ Items map[string]int }

func init() { gob.Register(cart{}) }

// program is one that was written for gorilla/sessions: all that it knows is that interface.
func program(store sessions.Store) http.Handler {
	mux := http.NewServeMux()
	handle := func(path string, f func(w http.ResponseWriter, r *http.Request, x *sessions.Session) string) {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			x, err := store.Get(r, "shop")
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			answer := f(w, r, x)
			if err := sessions.Save(r, w); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			fmt.Fprint(w, answer)
		})
	}
	handle("/count", func(_ http.ResponseWriter, _ *http.Request, x *sessions.Session) string {
		n, _ := x.Values["n"].(int)
		x.Values["n"] = n + 1
		return fmt.Sprintf("count %d, new %t", n+1, x.IsNew)
	})
	handle("/buy", func(_ http.ResponseWriter, r *http.Request, x *sessions.Session) string {
		c, _ := x.Values["cart"].(cart)
		if c.Items == nil {
			c.Items = make(map[string]int)
		}
		c.Items[r.FormValue("what")]++
		x.Values["cart"] = c
		x.AddFlash("bought " + r.FormValue("what"))
		x.AddFlash(len(c.Items), "sizes")
		return fmt.Sprint(c.Items)
	})
	handle("/flashes", func(_ http.ResponseWriter, _ *http.Request, x *sessions.Session) string {
		return fmt.Sprint(x.Flashes(), x.Flashes("sizes"))
	})
	handle("/theme", func(_ http.ResponseWriter, r *http.Request, _ *sessions.Session) string {
		x, err := store.Get(r, "prefs") // another session of the same client
		if err != nil {
			return err.Error()
		}
		was := x.Values["theme"]
		x.Values["theme"] = r.FormValue("theme")
		return fmt.Sprintf("was %v", was)
	})
	handle("/logout", func(_ http.ResponseWriter, _ *http.Request, x *sessions.Session) string {
		x.Options.MaxAge = -1
		return "bye"
	})
	return mux
}

// A program for gorilla/sessions does with this store what it does with those of gorilla,
// over HTTP.
func TestProgram(t *testing.T) {
	cookies := sessions.NewCookieStore([]byte(strings.Repeat("k", 32)))
	cookies.Options.Secure, cookies.Options.SameSite = false, http.SameSiteLaxMode // the test has no TLS
	files := sessions.NewFilesystemStore(t.TempDir(), []byte(strings.Repeat("k", 32)))
	ours, _ := newStore(t, session.Config{})
	for name, store := range map[string]sessions.Store{"cookies": cookies, "files": files, "ours": ours} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(program(store))
			defer server.Close()
			c := proctest.NewClient(t, strings.TrimPrefix(server.URL, "http://"))
			c.Want("GET /count", "count 1, new true")
			c.Want("GET /count", "count 2, new false")
			c.Want("GET /buy?what=tea", "map[tea:1]")
			c.Want("GET /buy?what=tea", "map[tea:2]")
			c.Want("GET /buy?what=cup", "map[cup:1 tea:2]")
			c.Want("GET /flashes", "[bought tea bought tea bought cup] [1 1 2]")
			c.Want("GET /flashes", "[] []")
			c.Want("GET /theme?theme=dark", "was <nil>")
			c.Want("GET /theme?theme=light", "was dark")
			c.Want("GET /count", "count 3, new false")
			proctest.NewClient(t, c.Addr).Want("GET /count", "count 1, new true") // somebody else
			c.Want("GET /logout", "bye")
			if v := c.Cookie("shop"); v != "" {
				t.Errorf("after the end there is the cookie %q", v)
			}
			c.Want("GET /count", "count 1, new true")
			c.Want("GET /theme?theme=dark", "was light") // the other session was not concerned
		})
	}
}
