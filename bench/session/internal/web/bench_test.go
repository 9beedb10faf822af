package web_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/gotribes/tribes/bench/session/internal/web"
)

// answering is a node that answers whatever it gets, so that the client's own cost
// can be seen.
func answering(b *testing.B) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	over := make(chan struct{})
	b.Cleanup(func() {
		l.Close()
		<-over
	})
	go func() {
		defer close(over)
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		const reply = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 36\r\n\r\n" +
			`{"node":"n1","new":false,"prev":"1"}`
		buf := make([]byte, 4096)
		for {
			if _, err := c.Read(buf); err != nil {
				return
			}
			if _, err := io.WriteString(c, reply); err != nil {
				return
			}
		}
	}()
	return l.Addr().String()
}

const writeOne = "/attr?name=x&size=1024&tag=1"

func BenchmarkConn(b *testing.B) {
	addr := answering(b)
	conn := &web.Conn{Dial: func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", addr)
	}}
	defer conn.Close()
	cookie := ""
	b.ReportAllocs()
	for b.Loop() {
		if err := conn.Do(b.Context(), "PUT", writeOne, &cookie, nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkTransport(b *testing.B) {
	addr := answering(b)
	t := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64}
	defer t.CloseIdleConnections()
	cookie := ""
	b.ReportAllocs()
	for b.Loop() {
		r, err := http.NewRequestWithContext(b.Context(), "PUT", "http://"+addr+writeOne, nil)
		if err != nil {
			b.Fatal(err)
		}
		if cookie != "" {
			r.Header.Set("Cookie", cookie)
		}
		reply, err := t.RoundTrip(r)
		if err != nil {
			b.Fatal(err)
		}
		if k := reply.Cookies(); len(k) > 0 {
			cookie = k[0].Name + "=" + k[0].Value
		}
		if _, err := io.Copy(io.Discard, reply.Body); err != nil {
			b.Fatal(err)
		}
		reply.Body.Close()
	}
}
