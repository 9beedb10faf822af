package balance

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

// wantFailure fails the test unless w is an error in JSON with this status.
func wantFailure(t *testing.T, w *httptest.ResponseRecorder, status int, text string) {
	t.Helper()
	var reply struct{ Error string }
	if err := json.Unmarshal(w.Body.Bytes(), &reply); err != nil {
		t.Errorf("%v: %s", err, w.Body)
	}
	if w.Code != status || w.Header().Get("Content-Type") != "application/json" || !strings.Contains(reply.Error, text) {
		t.Errorf("status %d, %v, %s: want %d and an error with %q", w.Code, w.Header(), w.Body, status, text)
	}
}

// TestNodeThatIsGone: a request that cannot have reached its node goes to
// another, once and whole.
func TestNodeThatIsGone(t *testing.T) {
	for _, method := range []string{"GET", "PUT", "POST"} {
		t.Run(method, func(t *testing.T) {
			c := newCluster(t, Config{}, "n1", "n2", "n3")
			c.vanish("n1")
			c.vanish("n3")
			body := strings.Repeat(method, 100_000)
			if w := c.send(t.Context(), method, "sid=x.n1", body); w.Code != 200 || w.Body.String() != "n2" {
				t.Errorf("status %d, %s: want the answer of n2", w.Code, w.Body)
			}
			if got := c.backends["n2"].seen(); !slices.Equal(got, []string{body}) {
				t.Errorf("n2 has seen %d requests, want one with the whole body", len(got))
			}
			if n := c.info("n1"); n.up || n.requests != 1 || n.failed != 1 || n.why == "" {
				t.Errorf("n1 is %+v: want it down with one request, which failed", n)
			}
			if n := c.info("n2"); !n.up || n.requests != 1 || n.failed != 0 {
				t.Errorf("n2 is %+v: want it up with one request", n)
			}
		})
	}
}

func TestNoNodeLeft(t *testing.T) {
	c := newCluster(t, Config{}, "n1", "n2")
	c.vanish("n1")
	c.vanish("n2")
	wantFailure(t, c.send(t.Context(), "PUT", "sid=x.n2", "1|"), http.StatusServiceUnavailable, "refused")
	if c.Up() != 0 {
		t.Errorf("%d nodes up", c.Up())
	}
	wantFailure(t, c.send(t.Context(), "GET", "", ""), http.StatusServiceUnavailable, "no node is up")
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Accept", "text/html,*/*;q=0.8")
	w := httptest.NewRecorder()
	c.ServeHTTP(w, r)
	if text := w.Body.String(); w.Code != http.StatusServiceUnavailable || !strings.Contains(text, "<h1>0 of 2 nodes are up</h1>") ||
		!strings.Contains(text, "This request has no answer: no node is up.") {
		t.Errorf("a browser gets %d, %s", w.Code, text)
	}
}

// TestNothingIsSentTwice: a node that ends a connection may have carried out the
// request, so no other gets it.
func TestNothingIsSentTwice(t *testing.T) {
	cut := func(w http.ResponseWriter) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		conn.Close()
	}
	tests := map[string]http.HandlerFunc{
		"after the body": func(w http.ResponseWriter, r *http.Request) {
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				panic(err)
			}
			cut(w)
		},
		"before the body": func(w http.ResponseWriter, _ *http.Request) { cut(w) },
	}
	for name, answer := range tests {
		for _, method := range []string{"PUT", "POST", "DELETE"} {
			for _, body := range []string{"", "1|x", strings.Repeat("x", 1<<20)} {
				t.Run(name+" "+method, func(t *testing.T) {
					c := newCluster(t, Config{}, "n1", "n2")
					c.goesTo("sid=x.n1", 1) // leaves a connection to be used again
					c.backends["n1"].answer = answer
					wantFailure(t, c.send(t.Context(), method, "sid=x.n1", body), http.StatusBadGateway, "proxy: ")
					if got := c.backends["n2"].seen(); len(got) > 0 {
						t.Errorf("n2 has got the request too: %d bytes", len(got[0]))
					}
					if n := c.info("n1"); n.up || n.failed != 1 {
						t.Errorf("n1 is %+v: want it down until the next check", n)
					}
				})
			}
		}
	}
}

// TestSlowNode: who answers late is not down, and nobody else gets the request.
func TestSlowNode(t *testing.T) {
	c := newCluster(t, Config{Patience: 50 * time.Millisecond}, "n1", "n2")
	c.backends["n1"].answer = func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	wantFailure(t, c.send(t.Context(), "POST", "sid=x.n1", ""), http.StatusGatewayTimeout, "timeout")
	if n := c.info("n1"); !n.up || n.failed != 1 || len(c.backends["n2"].seen()) > 0 {
		t.Errorf("n1 is %+v, n2 has seen %d requests", n, len(c.backends["n2"].seen()))
	}
}

// TestClientThatIsGone says nothing about the node.
func TestClientThatIsGone(t *testing.T) {
	c := newCluster(t, Config{}, "n1", "n2")
	ctx, cancel := context.WithCancel(t.Context())
	c.backends["n1"].answer = func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	}
	c.send(ctx, "GET", "sid=x.n1", "")
	if n := c.info("n1"); !n.up || len(c.backends["n2"].seen()) > 0 {
		t.Errorf("n1 is %+v, n2 has seen %d requests", n, len(c.backends["n2"].seen()))
	}
}

// TestEarlyAnswer: a node that refuses a body before its end is heard.
func TestEarlyAnswer(t *testing.T) {
	c := newCluster(t, Config{}, "n1")
	c.backends["n1"].answer = func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, 1<<10)); err != nil {
			http.Error(w, "too much", http.StatusRequestEntityTooLarge)
		}
	}
	front := httptest.NewServer(c)
	defer front.Close()
	response, err := front.Client().Post(front.URL, "text/plain", strings.NewReader(strings.Repeat("x", 4<<20)))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if body, err := io.ReadAll(response.Body); response.StatusCode != 413 || string(body) != "too much\n" || err != nil {
		t.Errorf("status %d, %q, %v: want the node's 413", response.StatusCode, body, err)
	}
	if n := c.info("n1"); !n.up || n.failed != 0 {
		t.Errorf("n1 is %+v: want it up", n)
	}
}

// TestExpect: it is the node that asks for a body, or does not.
func TestExpect(t *testing.T) {
	tests := []struct {
		name   string
		answer http.HandlerFunc
		want   []string
	}{
		{"wanted", nil, []string{"HTTP/1.1 100 Continue", "", "HTTP/1.1 200 OK"}},
		{"not wanted", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusForbidden) }, []string{"HTTP/1.1 403 Forbidden"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newCluster(t, Config{}, "n1")
			c.backends["n1"].answer = tt.answer
			front := httptest.NewServer(c)
			defer front.Close()
			conn, err := net.Dial("tcp", front.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(conn, "PUT / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			in := bufio.NewScanner(conn)
			for i, want := range tt.want {
				if !in.Scan() || in.Text() != want {
					t.Fatalf("line %d is %q, %v: want %q", i, in.Text(), in.Err(), want)
				}
				if want == "" {
					if _, err := io.WriteString(conn, "1|"); err != nil {
						t.Fatal(err)
					}
				}
			}
		})
	}
}

// TestWhatNodesSee: the request as it came, and who sent it.
func TestWhatNodesSee(t *testing.T) {
	c := newCluster(t, Config{}, "n1")
	var got *http.Request
	c.backends["n1"].answer = func(w http.ResponseWriter, r *http.Request) {
		got = r
		w.Header().Set("Set-Cookie", "sid=y.n1")
		w.WriteHeader(http.StatusTeapot)
	}
	r := httptest.NewRequest("PUT", "http://shop.example:81/a%2Fb?name=x%20y", nil)
	r.RemoteAddr = "192.0.2.7:1"
	r.Header.Set("X-Forwarded-For", "203.0.113.1") // anybody can say so
	r.Header.Set("Cookie", "sid=x.n1")
	w := httptest.NewRecorder()
	c.ServeHTTP(w, r)
	if w.Code != http.StatusTeapot || w.Header().Get("Set-Cookie") != "sid=y.n1" {
		t.Errorf("status %d, %v: want the node's answer", w.Code, w.Header())
	}
	h := got.Header
	if got.Method != "PUT" || got.RequestURI != "/a%2Fb?name=x%20y" || got.Host != "shop.example:81" ||
		h.Get("X-Forwarded-For") != "192.0.2.7" || h.Get("X-Forwarded-Host") != "shop.example:81" || h.Get("Cookie") != "sid=x.n1" {
		t.Errorf("the node has seen %s %s of %s, %v", got.Method, got.RequestURI, got.Host, h)
	}
}

// TestNothingListens: an address that takes connections and never answers costs
// the health check its timeout and no more.
func TestNothingListens(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // the kernel accepts, nobody reads
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c := newCluster(t, Config{Timeout: 50 * time.Millisecond}, "n1")
	c.SetAddr("n1", l.Addr().String())
	c.check(t.Context(), "n1")
	if n := c.info("n1"); n.up || n.why == "" {
		t.Errorf("n1 is %+v: want it down", n)
	}
}
