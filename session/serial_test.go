package session

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gotribes/tribes/internal/bubble"
)

// serially is a request of a client to a handler behind Serial.
func (c *client) serially(wait time.Duration, f func(s *Session)) int {
	next := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { f(From(r)) })
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Cookie", c.cookie)
	w := httptest.NewRecorder()
	c.m.Handler(c.m.Serial(wait, c.m.Serial(wait, next))).ServeHTTP(w, r) // nested, it is one
	return w.Code
}

// Requests of one session run one after the other, those of others beside them: so Get and
// then Set loses nothing.
func TestSerial(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		m := newManager(t, Config{})
		one, other := newClient(t, m), newClient(t, m)
		one.with(func(s *Session) { must(t, Set(s, "n", 0)) })
		other.with(func(s *Session) { must(t, Set(s, "n", 0)) })
		begin := time.Now()
		var all sync.WaitGroup
		for range 20 {
			for _, c := range []*client{one, other} {
				all.Go(func() {
					code := c.serially(time.Minute, func(s *Session) {
						n := get[int](t, s, "n")
						time.Sleep(time.Second)
						check(t, Set(s, "n", n+1))
					})
					if code != http.StatusOK {
						t.Errorf("status %d", code)
					}
				})
			}
		}
		all.Wait()
		if took := time.Since(begin); took != 20*time.Second {
			t.Errorf("took %v, want 20 times a second for each session", took)
		}
		one.with(func(s *Session) {
			if n := get[int](t, s, "n"); n != 20 {
				t.Errorf("n is %d", n)
			}
		})
		if len(m.turns.m) != 0 {
			t.Error("turns are left")
		}
	})
}

// A request waits for its turn for a while only, and there are only so many that wait; one
// that panics ends its turn.
func TestSerialBusy(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		var busy atomic.Int64
		m := newManager(t, Config{Unavailable: func(w http.ResponseWriter, r *http.Request, err error) {
			if errors.Is(err, ErrBusy) {
				busy.Add(1)
			}
			w.WriteHeader(http.StatusServiceUnavailable)
		}})
		c := newClient(t, m)
		c.with(func(s *Session) { must(t, Set(s, "n", 0)) })
		var all sync.WaitGroup
		all.Go(func() {
			defer func() { _ = recover() }()
			c.serially(time.Minute, func(*Session) { time.Sleep(time.Hour); panic("bad") })
		})
		synctest.Wait()
		var served atomic.Int64
		for range maxTurns + 50 {
			all.Go(func() {
				if c.serially(time.Minute, func(*Session) { served.Add(1) }) == http.StatusOK {
					t.Error("served beside another")
				}
			})
		}
		synctest.Wait()
		if n := busy.Load(); n != 51 {
			t.Errorf("%d refused at once, want 51", n)
		}
		time.Sleep(2 * time.Minute)
		if n := busy.Load(); n != maxTurns+50 {
			t.Errorf("%d refused", n)
		}
		all.Wait()
		if code := c.serially(0, func(*Session) { served.Add(1) }); code != http.StatusOK || served.Load() != 1 || len(m.turns.m) != 0 {
			t.Errorf("status %d after a panic, %d served", code, served.Load())
		}
	})
}

var order = Tokens("order")

// Of many requests with one token exactly one wins.
func TestTokens(t *testing.T) {
	m := newManager(t, Config{})
	c := newClient(t, m)
	var token string
	c.with(func(s *Session) {
		var err error
		token, err = order.New(s)
		must(t, err)
	})
	var won atomic.Int64
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			own := *c
			own.with(func(s *Session) {
				ok, err := order.Use(s, token)
				check(t, err)
				if ok {
					won.Add(1)
				}
			})
		})
	}
	all.Wait()
	if n := won.Load(); n != 1 {
		t.Errorf("%d of 50 submits were accepted", n)
	}
}

// Several forms can be open; what is no valid token is none, and makes no session.
func TestTokensOfSeveralForms(t *testing.T) {
	m := newManager(t, Config{})
	c := newClient(t, m)
	use := func(token string, want bool) {
		t.Helper()
		c.with(func(s *Session) {
			ok, err := order.Use(s, token)
			if ok != want || err != nil {
				t.Errorf("Use(%q) = %v, %v", token, ok, err)
			}
		})
	}
	use("", false)
	use("invented", false)
	if c.cookie != "" || m.Stats().Created != 0 {
		t.Error("a token makes a session")
	}
	var tokens []string
	for range maxTokens + 3 {
		c.with(func(s *Session) {
			token, err := order.New(s)
			must(t, err)
			tokens = append(tokens, token)
			if len(token) != randomChars || !plain(token) {
				t.Errorf("token %q", token)
			}
		})
	}
	for i, token := range tokens {
		use(token[:20], false)
		use(strings.ToLower(token), token == strings.ToLower(token))
		use(token, i >= 3)
		use(token, false)
	}
	stranger := newClient(t, m)
	c.with(func(s *Session) {
		token, err := order.New(s)
		must(t, err)
		stranger.with(func(s *Session) {
			if ok, _ := order.Use(s, token); ok {
				t.Error("the token of another session")
			}
		})
		if ok, _ := Tokens("other").Use(s, token); ok {
			t.Error("the token of another form")
		}
	})
	c.with(func(s *Session) {
		must(t, Set(s, "order", 5))
		if _, err := order.New(s); !errors.Is(err, ErrType) {
			t.Errorf("New in an attribute of another kind = %v", err)
		}
		if ok, err := order.Use(s, "x"); ok || !errors.Is(err, ErrType) {
			t.Errorf("Use in an attribute of another kind = %v, %v", ok, err)
		}
	})
}

// Tokens that stay on this node, as they are, are no worse: a request that another one overtakes
// has changed nothing before.
func TestTokensOfThisNode(t *testing.T) {
	var between func()
	m := newManager(t, Config{LocalOnly: func(string) bool {
		if f := between; f != nil { // a request has used its token, and is about to store that
			between = nil
			f()
		}
		return true
	}})
	c := newClient(t, m)
	var tokens [3]string
	use := func(i int, want bool) {
		t.Helper()
		c.with(func(s *Session) {
			if ok, err := order.Use(s, tokens[i]); ok != want || err != nil {
				t.Errorf("Use of token %d = %v, %v", i, ok, err)
			}
		})
	}
	c.with(func(s *Session) {
		for i := range tokens {
			var err error
			tokens[i], err = order.New(s)
			must(t, err)
		}
	})
	between = func() { use(2, true) }
	use(0, true)
	use(1, true)
	for i := range tokens {
		use(i, false)
	}
}
