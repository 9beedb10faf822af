package web_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gotribes/tribes/bench/session/internal/web"
	"github.com/gotribes/tribes/bench/session/internal/web/webtest"
	"github.com/gotribes/tribes/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

func TestSessionOverOneConnection(t *testing.T) {
	c := webtest.New(2)
	defer c.Close()
	a := &web.Conn{Dial: c.Dial(0), Timeout: 10 * time.Second, Cautious: true}
	defer a.Close()
	b := &web.Conn{Dial: c.Dial(1)}
	defer b.Close()
	ctx, cookie := t.Context(), ""
	do := func(conn *web.Conn, method, target string, body []byte) web.Reply {
		t.Helper()
		if err := conn.Do(ctx, method, target, &cookie, body); err != nil {
			t.Fatal(err)
		}
		return conn.Reply
	}
	if r := do(a, "PUT", "/attr?name=x&size=100&tag=7", nil); !r.New || r.Prev != 0 || r.Node != "n1" {
		t.Errorf("first write: %+v", r)
	}
	if cookie != "sid=s1.n1" {
		t.Errorf("cookie %q", cookie)
	}
	if r := do(b, "PUT", "/attr?name=x", []byte("8|some bytes")); r.New || r.Prev != 7 || r.Node != "n2" {
		t.Errorf("second write: %+v", r)
	}
	if r := do(a, "GET", "/session?id=s1.n1&name=x", nil); !r.Found || r.Tag != 8 || r.Size != 12 {
		t.Errorf("look-up: %+v", r)
	}
	if r := do(a, "POST", "/incr?name=n", nil); r.Value != 1 {
		t.Errorf("increment: %+v", r)
	}
	if r := do(a, "GET", "/session?id=s1.n1", nil); !r.Found || r.Attrs != 2 {
		t.Errorf("session: %+v", r)
	}
	var status *web.StatusError
	if err := a.Do(ctx, "GET", "/nothing", &cookie, nil); !errors.As(err, &status) || status.Code != 404 {
		t.Errorf("unknown path: %v", err)
	}
	if r := do(a, "GET", "/stats", nil); r.Sessions != 1 || r.Heap != 1000 || r.CPU != 30 {
		t.Errorf("figures: %+v", r)
	}
}

// A node that closes an idle connection costs a careful client nothing.
func TestIdleConnectionIsClosed(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := make(chan error)
	go func() {
		for range 2 {
			closed <- answerOnce(listener)
		}
		listener.Close()
	}()
	conn := &web.Conn{Cautious: true, Dial: func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", listener.Addr().String())
	}}
	defer conn.Close()
	for range 2 {
		if err := conn.Do(t.Context(), "GET", "/whoami", nil, nil); err != nil {
			t.Error(err)
		}
		if err := <-closed; err != nil {
			t.Error(err)
		}
	}
}

// answerOnce answers one request and closes the connection.
func answerOnce(l net.Listener) error {
	c, err := l.Accept()
	if err != nil {
		return err
	}
	if _, err := http.ReadRequest(bufio.NewReader(c)); err != nil {
		return errors.Join(err, c.Close())
	}
	_, err = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n{\"node\": \"n1\"}")
	return errors.Join(err, c.Close())
}

func TestReplies(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\n"
	tests := []struct {
		name, reply string
		tag         uint64
		cookie      string
		broken      bool
	}{
		{"length", ok + "content-length: 11\r\n\r\n{\"tag\":\"5\"}", 5, "", false},
		{"chunks", ok + "Transfer-Encoding: chunked\r\n\r\n5;x=y\r\n{\"tag\r\n6\r\n\":\"5\"}\r\n0\r\nTrailer: x\r\n\r\n", 5, "", false},
		{"newest cookie", ok + "Set-Cookie: a=1; Path=/\r\nset-cookie:b=2\r\nContent-Length: 2\r\n\r\n{}", 0, "b=2", false},
		{"unknown fields", ok + "Content-Length: 65\r\n\r\n" + `{"x":[{"tag":"9"},1],"y":{"tag":"9"},"z":null,"\u0074": "x\"y", "tag":"5"}`[:65], 0, "", true},
		{"nothing", "", 0, "", true},
		{"cut", ok + "Content-Length: 11\r\n\r\n{\"tag\"", 0, "", true},
		{"no length", ok + "\r\n{}", 0, "", true},
		{"bad length", ok + "Content-Length: -1\r\n\r\n{}", 0, "", true},
		{"huge", ok + "Content-Length: 99999999\r\n\r\n{}", 0, "", true},
		{"not HTTP", "SSH-2.0-x\r\n\r\n", 0, "", true},
		{"no object", ok + "Content-Length: 2\r\n\r\n[]", 0, "", true},
		{"tag that is no number", ok + "Content-Length: 11\r\n\r\n{\"tag\":\"x\"}", 0, "", true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			near, far := net.Pipe()
			answered := make(chan error, 1)
			go func() {
				_, err := http.ReadRequest(bufio.NewReader(far))
				if err == nil {
					far.SetWriteDeadline(time.Now().Add(10 * time.Second))
					_, err = io.WriteString(far, test.reply) // the client may close first
					if errors.Is(err, io.ErrClosedPipe) {
						err = nil
					}
				}
				answered <- errors.Join(err, far.Close())
			}()
			conn := &web.Conn{Dial: func(context.Context) (net.Conn, error) { return near, nil }}
			cookie := ""
			err := conn.Do(t.Context(), "GET", "/attr?name=x", &cookie, nil)
			conn.Close()
			if err := <-answered; err != nil {
				t.Error(err)
			}
			var broken *web.Broken
			if errors.As(err, &broken) != test.broken {
				t.Fatalf("error %v", err)
			}
			if !test.broken && (conn.Reply.Tag != test.tag || cookie != test.cookie) {
				t.Errorf("%+v, cookie %q", conn.Reply, cookie)
			}
		})
	}
}

// What the hand-written reader makes of an object is what encoding/json makes of it.
func FuzzReply(f *testing.F) {
	for _, s := range []string{`{}`, `{"node":"a\u0041","new":true,"prev":"12"}`, `{"x":[1,{"tag":"3"}],"tag":"4"}`,
		`{"value":-7,"heap":1.5e6}`, `{"tag":""}`, `{"found":false , "size" : 3}`, `{"attrs":[{"name":"x"}]}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := web.ParseReply([]byte(s))
		if err != nil || !json.Valid([]byte(s)) || strings.ContainsAny(s, `\`) || !distinct(s) {
			return
		}
		var want struct {
			Node  string
			New   bool
			Found bool
			Prev  string
		}
		if err := json.Unmarshal([]byte(s), &want); err != nil {
			return
		}
		if strings.ToValidUTF8(s, "?") == s && r.Node != want.Node || r.New != want.New || r.Found != want.Found {
			t.Errorf("%s: %+v, want %+v", s, r, want)
		}
	})
}

// distinct tells that no key is there twice or in another case, where encoding/json
// has rules of its own.
func distinct(s string) bool {
	low := strings.ToLower(s)
	for _, key := range []string{"node", "new", "found", "prev"} {
		if strings.Count(low, key) != strings.Count(s, `"`+key+`"`) || strings.Count(low, key) > 1 || strings.Contains(s, `"`+key+`":null`) {
			return false
		}
	}
	return !strings.Contains(s, "null") && !strings.ContainsAny(s, "ſK")
}
