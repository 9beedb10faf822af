package session

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// serve starts a server over HTTP/1 or HTTP/2.
func serve(t *testing.T, m *Manager, http2 bool, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(m.Handler(h))
	server.EnableHTTP2 = http2
	if http2 {
		server.StartTLS()
	} else {
		server.Start()
	}
	t.Cleanup(func() {
		server.Client().CloseIdleConnections()
		server.Close()
	})
	return server
}

func TestStreaming(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		t.Run(fmt.Sprintf("HTTP2=%v", http2), func(t *testing.T) { testStreaming(t, http2) })
	}
}

// The client reads the first line while the handler waits for the client.
func testStreaming(t *testing.T, http2 bool) {
	goOn := make(chan struct{})
	m := newManager(t, Config{})
	server := serve(t, m, http2, func(w http.ResponseWriter, r *http.Request) {
		if _, ok := w.(http.Flusher); !ok {
			t.Error("no http.Flusher")
		}
		s := From(r)
		if err := Set(s, "v", "x"); err != nil {
			t.Error(err)
		}
		rc := http.NewResponseController(w)
		if err := rc.SetWriteDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Error(err)
		}
		if err := rc.Flush(); err != nil {
			t.Error(err)
		}
		if err := s.Renew(); !errors.Is(err, ErrHeaderWritten) {
			t.Errorf("Renew after Flush = %v", err)
		}
		<-goOn
		if _, err := io.WriteString(w, "end"); err != nil {
			t.Error(err)
		}
	})
	res, err := server.Client().Get(server.URL)
	must(t, err)
	defer res.Body.Close()
	if len(res.Cookies()) != 1 || (res.ProtoMajor == 2) != http2 {
		t.Errorf("%s, cookies %v", res.Proto, res.Cookies())
	}
	close(goOn)
	body, err := io.ReadAll(res.Body)
	if string(body) != "end" || err != nil {
		t.Errorf("body %q, %v", body, err)
	}
}

func TestHijack(t *testing.T) {
	m := newManager(t, Config{})
	server := serve(t, m, false, func(w http.ResponseWriter, r *http.Request) {
		s := From(r)
		if err := Set(s, "v", "x"); err != nil {
			t.Error(err)
		}
		conn, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		fmt.Fprintf(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: test\r\nSet-Cookie: %s\r\n\r\nhello\n", w.Header().Get("Set-Cookie"))
		if err := rw.Flush(); err != nil {
			t.Error(err)
		}
		if err := Set(s, "v", "y"); err != nil {
			t.Error(err)
		}
	})
	res, err := server.Client().Get(server.URL)
	must(t, err)
	defer res.Body.Close()
	line, err := bufio.NewReader(res.Body).ReadString('\n')
	if res.StatusCode != 101 || line != "hello\n" || err != nil || len(res.Cookies()) != 1 {
		t.Errorf("status %d, %q, %v, cookies %v", res.StatusCode, line, err, res.Cookies())
	}
}

func TestHijackOfHTTP2IsNotSupported(t *testing.T) {
	server := serve(t, newManager(t, Config{}), true, func(w http.ResponseWriter, r *http.Request) {
		if _, _, err := http.NewResponseController(w).Hijack(); !errors.Is(err, http.ErrNotSupported) {
			t.Errorf("Hijack = %v", err)
		}
	})
	res, err := server.Client().Get(server.URL)
	must(t, err)
	res.Body.Close()
}

func TestInformationalHeadersComeBeforeTheCookie(t *testing.T) {
	server := serve(t, newManager(t, Config{}), false, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusEarlyHints)
		if err := Set(From(r), "v", "x"); err != nil {
			t.Error(err)
		}
		w.WriteHeader(http.StatusTeapot)
	})
	res, err := server.Client().Get(server.URL)
	must(t, err)
	res.Body.Close()
	if res.StatusCode != http.StatusTeapot || len(res.Cookies()) != 1 {
		t.Errorf("status %d, cookies %v", res.StatusCode, res.Cookies())
	}
}

// readerFrom sees whether a copy reaches it.
type readerFrom struct {
	*httptest.ResponseRecorder
	used bool
}

func (w *readerFrom) ReadFrom(r io.Reader) (int64, error) {
	w.used = true
	return io.Copy(w.ResponseRecorder, r)
}

func TestReadFromGoesThrough(t *testing.T) {
	w := &readerFrom{ResponseRecorder: httptest.NewRecorder()}
	m := newManager(t, Config{})
	m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		must(t, Set(From(r), "v", "x"))
		_, err := io.Copy(w, io.LimitReader(strings.NewReader("body"), 10))
		must(t, err)
	})).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if !w.used || w.Body.String() != "body" || len(w.Result().Cookies()) != 1 {
		t.Errorf("used %v, body %q, cookies %v", w.used, w.Body, w.Result().Cookies())
	}
}

// failing is a backend that others are needed for, and that are not there.
type failing struct {
	backend
	commits, finds error
}

func (f *failing) Commit(context.Context, *held) error { return f.commits }

var errAway = errors.New("the others are away")

// What is not as safe as it should be is not answered as if it were.
func TestCommitFails(t *testing.T) {
	m := newManager(t, Config{})
	m.b = &failing{backend: m.b, commits: errAway}
	c := newClient(t, m)
	res := c.do(func(s *Session, w http.ResponseWriter) {
		must(t, Set(s, "v", "x"))
		w.Header().Set("Content-Length", "2")
		if _, err := io.WriteString(w, "ok"); !errors.Is(err, errUnavailable) {
			t.Errorf("Write = %v", err)
		}
		if err := http.NewResponseController(w).Flush(); !errors.Is(err, errUnavailable) {
			t.Errorf("Flush = %v", err)
		}
	})
	body, err := io.ReadAll(res.Body)
	must(t, err)
	if res.StatusCode != http.StatusServiceUnavailable || len(res.Cookies()) != 0 || strings.Contains(string(body), "ok") {
		t.Errorf("status %d, cookies %v, body %q", res.StatusCode, res.Cookies(), body)
	}
	if m.Stats().Failed == 0 {
		t.Error("not counted")
	}
}

// A response that is replaced has the id that a login has given the session, since the one
// before leads nowhere: the client would lose it.
func TestCommitOfALoginFails(t *testing.T) {
	m := newManager(t, Config{})
	c := newClient(t, m)
	c.with(func(s *Session) { must(t, Set(s, "cart", "x")) })
	works := m.b
	m.b = &failing{backend: works, commits: errAway}
	res := c.do(func(s *Session, w http.ResponseWriter) {
		w.Header().Set("X-Of", "the handler")
		must(t, s.Login("ann"))
	})
	m.b = works
	if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("X-Of") != "" {
		t.Errorf("status %d, header %v", res.StatusCode, res.Header)
	}
	c.with(func(s *Session) {
		if get[string](t, s, "cart") != "x" {
			t.Errorf("the client has lost its session, it has %q", s.ID())
		}
	})
}

func (f *failing) Find(ctx context.Context, random string) (*held, error) {
	if f.finds != nil {
		return nil, f.finds
	}
	return f.backend.Find(ctx, random)
}

// A session that cannot be read is not taken for none: the client would lose it.
func TestFindFails(t *testing.T) {
	m := newManager(t, Config{})
	c := newClient(t, m)
	c.with(func(s *Session) { must(t, Set(s, "v", "x")) })
	m.b = &failing{backend: m.b, finds: errAway}
	res := c.with(func(*Session) { t.Error("the handler was called") })
	if res.StatusCode != http.StatusServiceUnavailable || len(res.Cookies()) != 0 || m.Stats().Failed != 1 {
		t.Errorf("status %d, cookies %v, %+v", res.StatusCode, res.Cookies(), m.Stats())
	}
}
