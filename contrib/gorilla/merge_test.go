package gorilla

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"

	"github.com/gorilla/sessions"

	"github.com/gotribes/tribes/session"
)

// Two requests have the same session and save one after the other, while neither has seen
// what the other did.
func TestRequestsAtTheSameTime(t *testing.T) {
	set := func(k string, v any) func(x *sessions.Session) {
		return func(x *sessions.Session) { x.Values[k] = v }
	}
	nothing := func(*sessions.Session) {}
	remove := func(x *sessions.Session) { delete(x.Values, "a") }
	flush := func(x *sessions.Session) { x.Flashes() }
	for _, tt := range []struct {
		name          string
		first, second func(x *sessions.Session)
		want          string
	}{
		{"other keys", set("b", 2), set("c", 3), "[_flash:[hi] a:1 b:2 c:3]"},
		{"nothing after a change", set("a", 2), nothing, "[_flash:[hi] a:2]"},
		{"nothing after a new key", set("b", 2), nothing, "[_flash:[hi] a:1 b:2]"},
		{"nothing after a removal", remove, nothing, "[_flash:[hi]]"},
		{"a removal after nothing", nothing, remove, "[_flash:[hi]]"},
		{"a change after a removal", remove, set("a", 2), "[_flash:[hi] a:2]"},
		{"a removal after a change", set("a", 2), remove, "[_flash:[hi]]"},
		{"the same key", set("a", 2), set("a", 3), "[_flash:[hi] a:3]"},
		{"the same new key", set("b", 2), set("b", 3), "[_flash:[hi] a:1 b:3]"},
		{"flashes that were read stay so", flush, nothing, "[a:1]"},
		{"a new map", set("b", 2), func(x *sessions.Session) { x.Values = map[any]any{"c": 3} }, "[b:2 c:3]"},
		{"no map", set("b", 2), func(x *sessions.Session) { x.Values = nil }, "[b:2]"},
	} {
		s, _ := newStore(t, session.Config{})
		b := newBrowser(t)
		b.with(s, "cart", func(x *sessions.Session) { x.Values["a"] = 1; x.AddFlash("hi") })
		r1, first := b.get(s, "cart")
		r2, second := b.get(s, "cart")
		tt.first(first)
		tt.second(second)
		_, err := b.save(r1, first)
		must(t, err)
		_, err = b.save(r2, second)
		must(t, err)
		b.want(s, "cart", tt.want)
		if got := show(second); got != tt.want {
			t.Errorf("%s: the request itself has %s, want %s", tt.name, got, tt.want)
		}
		_, err = b.save(r2, second) // once more: it changes nothing
		must(t, err)
		b.want(s, "cart", tt.want)
	}
}

// Values that gob encodes in another order each time have not changed.
func TestUnchangedMapIsNotWritten(t *testing.T) {
	s, _ := newStore(t, session.Config{})
	b := newBrowser(t)
	items := make(map[string]int)
	for i := range 50 {
		items[fmt.Sprint(i)] = i
	}
	b.with(s, "cart", func(x *sessions.Session) { x.Values["cart"] = cart{items} })
	r1, first := b.get(s, "cart")
	r2, second := b.get(s, "cart")
	first.Values["cart"] = cart{map[string]int{"only": 1}}
	_, err := b.save(r1, first)
	must(t, err)
	_, err = b.save(r2, second)
	must(t, err)
	b.want(s, "cart", "[cart:{map[only:1]}]")
}

// A request that was running when another one logged out does not undo that.
func TestEndedSessionIsNotBroughtBack(t *testing.T) {
	s, m := newStore(t, session.Config{})
	b := newBrowser(t)
	b.with(s, "auth", func(x *sessions.Session) { x.Values["user"] = "eve" })
	r, late := b.get(s, "auth")
	r2, later := b.get(s, "auth")
	b.with(s, "auth", func(x *sessions.Session) { x.Options.MaxAge = -1 })
	if c, err := b.save(r, late); !errors.Is(err, session.ErrEnded) || c != nil {
		t.Errorf("Save = %v, cookie %v", err, c)
	}
	later.ID = "" // nor under a new id
	if c, err := b.save(r2, later); !errors.Is(err, session.ErrEnded) || c != nil {
		t.Errorf("Save with a new id = %v, cookie %v", err, c)
	}
	if n := m.Stats().Sessions; n != 0 {
		t.Errorf("%d sessions", n)
	}
}

// However many requests write keys of their own at the same time, all are kept, and a log-out
// between them is one.
func TestManyRequestsAtTheSameTime(t *testing.T) {
	s, m := newStore(t, session.Config{})
	b := newBrowser(t)
	b.with(s, "cart", func(*sessions.Session) {})
	const many = 16
	together := func(f func(i int, b *browser)) {
		var wg sync.WaitGroup
		for i := range many {
			own := newBrowser(t)
			own.cookies["cart"] = b.cookies["cart"]
			wg.Go(func() { f(i, own) })
		}
		wg.Wait()
	}
	together(func(i int, b *browser) {
		for range 5 {
			r, x := b.get(s, "cart")
			x.Values[i] = 1
			if _, err := b.save(r, x); err != nil {
				t.Error(err)
			}
		}
	})
	if _, x := b.get(s, "cart"); len(x.Values) != many {
		t.Errorf("%d of %d values", len(x.Values), many)
	}
	together(func(i int, b *browser) {
		r, x := b.get(s, "cart")
		if x.Values["n"] = i; i == many/2 {
			x.Options.MaxAge = -1
		}
		if _, err := b.save(r, x); err != nil && !errors.Is(err, session.ErrEnded) {
			t.Error(err)
		}
	})
	if _, err := m.SCS().All(); err != nil {
		t.Error(err)
	}
	b.want(s, "cart", "[]")
}

// The store forgets sessions that no program holds any more.
func TestStatesAreForgotten(t *testing.T) {
	s, _ := newStore(t, session.Config{})
	b := newBrowser(t)
	for range 100 {
		b.with(s, "cart", func(x *sessions.Session) { x.Values["v"] = 1 })
	}
	for {
		runtime.GC()
		s.known.mu.Lock()
		n := len(s.known.of)
		s.known.mu.Unlock()
		if n == 0 {
			return
		}
		runtime.Gosched() // until the watchdog of go test: the collector has its own time
	}
}
