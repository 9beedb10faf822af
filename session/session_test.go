package session

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"
)

type cart struct {
	Items []string
	Total float64
}

func TestNoSessionUntilSomethingIsSet(t *testing.T) {
	m := newManager(t, Config{})
	c := newClient(t, m)
	res := c.with(func(s *Session) {
		if v := get[cart](t, s, "cart"); v.Items != nil {
			t.Errorf("cart = %v", v)
		}
		if s.Has("cart") || s.Len() != 0 || s.Names() != nil || s.ID() != "" || s.IsNew() || s.User() != "" || s.Invalidate() {
			t.Error("there is something in no session")
		}
		if found, err := s.Delete("cart"); found || err != nil {
			t.Errorf("Delete = %v, %v", found, err)
		}
		n, err := s.Add("n", 0)
		if n != 0 || err != nil {
			t.Errorf("Add(0) = %d, %v", n, err)
		}
		must(t, s.Renew())
		s.Touch()
	})
	if len(res.Cookies()) != 0 || m.Stats().Sessions != 0 {
		t.Errorf("cookies %v, %d sessions", res.Cookies(), m.Stats().Sessions)
	}
}

func TestASetThatFailsMakesNoSession(t *testing.T) {
	m := newManager(t, Config{})
	res := newClient(t, m).with(func(s *Session) {
		if err := Set(s, "c", make(chan int)); !errors.Is(err, ErrUnsupported) {
			t.Errorf("Set of a channel = %v", err)
		}
		if err := Set(s, "big", make([]byte, 2<<20)); !errors.Is(err, ErrValueTooLarge) {
			t.Errorf("Set of 2 MiB = %v", err)
		}
		if err := Set(s, "", 1); !errors.Is(err, ErrEmpty) {
			t.Errorf("Set without a name = %v", err)
		}
	})
	if len(res.Cookies()) != 0 || m.Stats().Sessions != 0 || m.Stats().Created != 0 {
		t.Errorf("cookies %v, %+v", res.Cookies(), m.Stats())
	}
}

func TestAttributesLastFromRequestToRequest(t *testing.T) {
	m := newManager(t, Config{})
	c := newClient(t, m)
	c.with(func(s *Session) {
		must(t, Set(s, "cart", cart{Items: []string{"tea"}, Total: 2.5}))
		must(t, Set(s, "n", 5))
		if !s.IsNew() {
			t.Error("session is not new")
		}
	})
	res := c.with(func(s *Session) {
		got := get[cart](t, s, "cart")
		got.Items[0] = "changed"
		if again := get[cart](t, s, "cart"); !slices.Equal(again.Items, []string{"tea"}) || again.Total != 2.5 {
			t.Errorf("cart = %v", again)
		}
		if s.IsNew() {
			t.Error("session is new")
		}
		if n, err := s.Add("n", 2); n != 7 || err != nil {
			t.Errorf("Add = %d, %v", n, err)
		}
		if n := get[int8](t, s, "n"); n != 7 {
			t.Errorf("n = %d", n)
		}
		if names := s.Names(); !slices.Equal(names, []string{"cart", "n"}) || s.Len() != 2 {
			t.Errorf("names = %v", names)
		}
		if found, err := s.Delete("cart"); !found || err != nil {
			t.Errorf("Delete = %v, %v", found, err)
		}
		if s.Has("cart") {
			t.Error("cart is there after Delete")
		}
	})
	if len(res.Cookies()) != 0 {
		t.Errorf("cookie sent again: %v", res.Cookies())
	}
}

func TestWrongTypes(t *testing.T) {
	c := newClient(t, newManager(t, Config{}))
	c.with(func(s *Session) {
		must(t, Set(s, "text", "x"))
		must(t, Set(s, "n", 300))
		if _, ok, err := Get[cart](s, "text"); !ok || !errors.Is(err, ErrType) {
			t.Errorf("Get of text as a struct = %v, %v", ok, err)
		}
		if _, _, err := Get[int8](s, "n"); !errors.Is(err, ErrType) {
			t.Errorf("Get of 300 as int8 = %v", err)
		}
		if _, err := s.Add("text", 1); !errors.Is(err, ErrNotNumber) {
			t.Errorf("Add to text = %v", err)
		}
		err := Update(s, "text", func(*int) error { t.Error("f was called"); return nil })
		var attr *AttributeError
		if !errors.As(err, &attr) || attr.Name != "text" || attr.Op != "update" || !errors.Is(err, ErrType) {
			t.Errorf("Update = %v", err)
		}
	})
}

func TestUpdateLosesNothing(t *testing.T) {
	for _, name := range []string{"encoded", "local"} {
		t.Run(name, func(t *testing.T) {
			m := newManager(t, Config{LocalOnly: func(n string) bool { return n == "local" }})
			c := newClient(t, m)
			c.with(func(s *Session) { must(t, Set(s, name, 0.0)) })
			var wg sync.WaitGroup
			for range 25 {
				wg.Go(func() {
					other := client{t: t, m: m, cookie: c.cookie}
					other.with(func(s *Session) {
						if err := Update(s, name, func(v *float64) error { *v++; return nil }); err != nil {
							t.Error(err)
						}
						if _, err := s.Add("count", 1); err != nil {
							t.Error(err)
						}
					})
				})
			}
			wg.Wait()
			c.with(func(s *Session) {
				if v, n := get[float64](t, s, name), get[int](t, s, "count"); v != 25 || n != 25 {
					t.Errorf("%v updates and %d adds, want 25", v, n)
				}
			})
		})
	}
}

// Several goroutines of one request that begin its session begin the same one.
func TestOneRequestMakesOneSession(t *testing.T) {
	m := newManager(t, Config{})
	c := newClient(t, m)
	c.with(func(s *Session) {
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if err := Update(s, "v", func(v *float64) error { *v++; return nil }); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if v := get[float64](t, s, "v"); v != 8 || m.Stats().Sessions != 1 {
			t.Errorf("v = %v, %d sessions", v, m.Stats().Sessions)
		}
	})
}

func TestUpdateOfAnErrorChangesNothing(t *testing.T) {
	m := newManager(t, Config{})
	newClient(t, m).with(func(s *Session) {
		want := errors.New("no")
		if err := Update(s, "v", func(v *string) error { *v = "x"; return want }); err != want {
			t.Errorf("Update = %v", err)
		}
		if s.Has("v") || m.Stats().Sessions != 0 {
			t.Error("something was set")
		}
	})
}

func TestKey(t *testing.T) {
	key := Key[cart]("cart")
	newClient(t, newManager(t, Config{})).with(func(s *Session) {
		must(t, key.Set(s, cart{Total: 1}))
		must(t, key.Update(s, func(c *cart) error { c.Total++; return nil }))
		if v, ok, err := key.Get(s); v.Total != 2 || !ok || err != nil {
			t.Errorf("Get = %v, %v, %v", v, ok, err)
		}
		if ok, err := key.Delete(s); !ok || err != nil {
			t.Errorf("Delete = %v, %v", ok, err)
		}
	})
}

func TestInvalidate(t *testing.T) {
	m := newManager(t, Config{})
	c := newClient(t, m)
	c.with(func(s *Session) { must(t, Set(s, "v", "x")) })
	old := c.cookie
	res := c.with(func(s *Session) {
		if !s.Invalidate() || s.Invalidate() {
			t.Error("Invalidate twice")
		}
		if s.Has("v") || s.ID() != "" {
			t.Error("there is something left")
		}
	})
	if k := res.Cookies(); len(k) != 1 || k[0].MaxAge >= 0 || k[0].Value != "" {
		t.Errorf("cookies %v, want one that removes", k)
	}
	c.cookie = old
	c.with(func(s *Session) {
		if s.Has("v") {
			t.Error("an invalidated session was found")
		}
	})
	if st := m.Stats(); st.Sessions != 0 || st.Invalidated != 1 || st.Unknown != 1 {
		t.Errorf("%+v", st)
	}
}

func TestSetAfterInvalidateBeginsAnew(t *testing.T) {
	c := newClient(t, newManager(t, Config{}))
	c.with(func(s *Session) { must(t, Set(s, "v", "x")) })
	before := c.id()
	c.with(func(s *Session) {
		s.Invalidate()
		must(t, Set(s, "w", "y"))
		if s.Has("v") || !s.IsNew() {
			t.Error("not a new session")
		}
	})
	if c.id() == before || c.id() == "" {
		t.Errorf("id %q, before %q", c.id(), before)
	}
}

func TestWriteToASessionThatAnotherRequestEnded(t *testing.T) {
	m := newManager(t, Config{})
	c := newClient(t, m)
	c.with(func(s *Session) { must(t, Set(s, "v", "x")) })
	other := client{t: t, m: m, cookie: c.cookie}
	res := c.with(func(s *Session) {
		other.with(func(s *Session) { s.Invalidate() })
		if err := Set(s, "v", "y"); !errors.Is(err, ErrEnded) {
			t.Errorf("Set = %v", err)
		}
		if err := s.Renew(); !errors.Is(err, ErrEnded) {
			t.Errorf("Renew = %v", err)
		}
		err := Update(s, "v", func(v *string) error { return nil })
		if !errors.Is(err, ErrEnded) {
			t.Errorf("Update = %v", err)
		}
		if s.Has("v") || s.Invalidate() {
			t.Error("the session is still there")
		}
	})
	for _, k := range res.Cookies() {
		if k.Value != "" {
			t.Errorf("cookie %v of a session that has ended", k)
		}
	}
}

func TestWithoutHandler(t *testing.T) {
	s := From(httptest.NewRequest("GET", "/", nil))
	_, errAdd := s.Add("n", 1)
	_, errDelete := s.Delete("n")
	for name, err := range map[string]error{
		"Set": Set(s, "v", 1), "Update": Update(s, "v", func(*int) error { return nil }), "Add": errAdd,
		"Delete": errDelete, "Renew": s.Renew(), "Login": s.Login("u"), "SetTimeout": s.SetTimeout(1),
	} {
		if !errors.Is(err, ErrNoSession) {
			t.Errorf("%s = %v", name, err)
		}
	}
	if s.Has("v") || s.ID() != "" || s.Timeout() != 0 || s.Invalidate() || s.Len() != 0 {
		t.Error("there is something in no session")
	}
}

func TestSkip(t *testing.T) {
	m := newManager(t, Config{Skip: SkipExt(".css", "PNG")})
	for path, skipped := range map[string]bool{"/a.css": true, "/a.Png": true, "/a": false, "/css": false, "/a.css/x": false} {
		h := m.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if err := Set(From(r), "v", 1); errors.Is(err, ErrNoSession) != skipped {
				t.Errorf("%s: Set = %v, want skipped %v", path, err, skipped)
			}
		}))
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", path, nil))
	}
}

func TestNestedHandlers(t *testing.T) {
	m := newManager(t, Config{})
	inner := m.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		must(t, Set(From(r), "v", 1))
	}))
	w := httptest.NewRecorder()
	m.Handler(inner).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if k := w.Result().Cookies(); len(k) != 1 || m.Stats().Sessions != 1 {
		t.Errorf("cookies %v, %d sessions", k, m.Stats().Sessions)
	}
}

func TestLookup(t *testing.T) {
	m := newManager(t, Config{Timeout: time.Hour})
	c := newClient(t, m)
	c.with(func(s *Session) { must(t, Set(s, "v", "x")) })
	s, ok := m.Lookup(c.id())
	if !ok {
		t.Fatal("not found")
	}
	if v := get[string](t, s, "v"); v != "x" {
		t.Errorf("v = %q", v)
	}
	must(t, Set(s, "v", "y"))
	if err := s.Renew(); !errors.Is(err, ErrHeaderWritten) {
		t.Errorf("Renew = %v", err)
	}
	n := 0
	for s := range m.All() {
		n++
		if !s.Invalidate() {
			t.Error("not ended")
		}
		if err := Set(s, "v", 1); !errors.Is(err, ErrHeaderWritten) {
			t.Errorf("Set of a session that is over = %v", err)
		}
	}
	if _, ok := m.Lookup(c.id()); ok || n != 1 {
		t.Errorf("found %v after the end, %d sessions", ok, n)
	}
	if _, ok := m.Lookup("nonsense"); ok {
		t.Error("nonsense was found")
	}
}
