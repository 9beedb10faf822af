package nio

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gotribes/tribes/message"
)

// dialSecure connects to the secure port, and speaks TLS with cfg if that is not nil.
func (g *rxRig) dialSecure(cfg *tls.Config) *rxPeer {
	g.Helper()
	c, err := net.Dial("tcp", (&net.TCPAddr{IP: g.bound.Host.AsSlice(), Port: g.bound.SecurePort}).String())
	if err != nil {
		g.Fatalf("dial: %v", err)
	}
	if cfg != nil {
		cfg = cfg.Clone()
		cfg.ServerName = "127.0.0.1"
		c = tls.Client(c, cfg)
	}
	g.Cleanup(func() { c.Close() })
	return &rxPeer{g, c}
}

// TestReceiverTLSRejects has what comes to a secure port and is no TLS, or none
// that the receiver takes: it is closed, counted and told once, with the protocol
// that it looks like.
func TestReceiverTLSRejects(t *testing.T) {
	ca, f := newAuthority(t), newFrames(t)
	tests := []struct{ name, bytes, reason string }{
		{"clear frame", f.frame(optAck, "payload"), "looks like a frame in the clear"},
		{"HTTP request", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "looks like HTTP"},
		{"HTTP request with a long verb", "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", "looks like HTTP"},
		{"SSH", "SSH-2.0-OpenSSH_9.9\r\n", "looks like SSH"},
		{"random bytes", "\x9e\x03\xa7 some random bytes \x00\x01\x02", reasonHandshake},
		{"a record that is no hello", "\x16\x03\x01\x00\x04\x02\x00\x00\x00", reasonHandshake},
		{"an alert", "\x15\x03\x01\x00\x02\x02\x28", reasonHandshake},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := newRx(t, ReceiverConfig{TLS: ca.server()}, nil)
			for range 3 {
				c := g.dialSecure(nil)
				io.WriteString(c, tt.bytes) // may fail: the other end need not read all of it
				c.until(waiting)
				io.Copy(io.Discard, c) // an alert perhaps, and the end
			}
			g.until("three rejections", func() bool { return len(g.rejected) == 3 })
			g.wantRejected(tt.reason)
			if n := g.r.Stats().Rejected[tt.reason]; n != 3 {
				t.Errorf("counted %d times, want 3: %v", n, g.r.Stats().Rejected)
			}
			if log := g.logged(); strings.Count(log, "\n") != 1 || !strings.Contains(log, tt.reason) {
				t.Errorf("log %q, want one line that says %q", log, tt.reason)
			}
		})
	}
}

// TestReceiverTLSBroken has bytes inside of a TLS stream that are none of it.
func TestReceiverTLSBroken(t *testing.T) {
	ca, f := newAuthority(t), newFrames(t)
	tests := []struct {
		name   string
		end    func(c *tls.Conn) // after a good frame
		reason string
	}{
		{"forged record", func(c *tls.Conn) {
			io.WriteString(c.NetConn(), "\x17\x03\x03\x00\x20"+strings.Repeat("x", 32))
		}, reasonTLS},
		{"cut within a record", func(c *tls.Conn) {
			io.WriteString(c.NetConn(), "\x17\x03\x03\x00\x20xx")
			c.NetConn().Close()
		}, reasonCutShort},
		{"garbage in the stream", func(c *tls.Conn) { io.WriteString(c, "GET / HTTP/1.1\r\n\r\n") }, "bad magic"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := newRx(t, ReceiverConfig{TLS: ca.server()}, nil)
			c := g.dialSecure(ca.client())
			c.put(f.frame(optAck, "good"))
			c.want(ackPlainOK)
			tt.end(c.Conn.(*tls.Conn))
			g.wantDelivered("good")
			g.wantRejected(tt.reason)
			g.poll("the end of the connection", func() bool { return g.r.Stats().Conns == 0 })
		})
	}
}

// TestReceiverTLSTimeouts has handshakes that do not come to their end.
func TestReceiverTLSTimeouts(t *testing.T) {
	limits := ReceiverLimits{FirstFrameTimeout: 200 * time.Millisecond}
	tests := []struct {
		name  string
		begin func(g *rxRig, c *rxPeer)
	}{
		{"silent", func(*rxRig, *rxPeer) {}},
		{"half a hello", func(_ *rxRig, c *rxPeer) { c.put("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03") }},
		{"handshake and no frame", func(g *rxRig, c *rxPeer) {
			if err := tls.Client(c.Conn, &tls.Config{InsecureSkipVerify: true}).Handshake(); err != nil {
				g.Errorf("handshake: %v", err)
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := newAuthority(t).server()
			server.ClientAuth = tls.NoClientCert
			g := newRx(t, ReceiverConfig{TLS: server, Limits: limits}, nil)
			begin := time.Now()
			c := g.dialSecure(nil)
			tt.begin(g, c)
			c.until(waiting)
			if _, err := io.Copy(io.Discard, c); isTimeout(err) {
				t.Fatal("the connection was not closed")
			}
			if took := time.Since(begin); took < limits.FirstFrameTimeout {
				t.Errorf("closed after %v, want at least %v", took, limits.FirstFrameTimeout)
			}
			g.wantRejected(reasonFirstFrame)
			if n := g.r.Stats().Rejected[reasonHandshake]; n != 0 {
				t.Errorf("counted as a failed handshake too")
			}
		})
	}
}

// clientHello is how a client begins.
func clientHello(t *testing.T) string {
	t.Helper()
	here, there := net.Pipe()
	done := make(chan error, 1)
	go func() { // ends when there is closed
		done <- tls.Client(here, &tls.Config{InsecureSkipVerify: true}).Handshake()
	}()
	header := make([]byte, 5)
	if _, err := io.ReadFull(there, header); err != nil {
		t.Fatal(err)
	}
	body := make([]byte, binary.BigEndian.Uint16(header[3:]))
	if _, err := io.ReadFull(there, body); err != nil {
		t.Fatal(err)
	}
	there.Close()
	<-done
	return string(header) + string(body)
}

// TestReceiverTLSHandshakeNotRead has a client that begins and does not read, so
// that the receiver's part of the handshake cannot be written.
func TestReceiverTLSHandshakeNotRead(t *testing.T) {
	l := newPipeListener()
	server := newAuthority(t).server()
	g := newRx(t, ReceiverConfig{TLS: server, SecureListener: l, Limits: ReceiverLimits{FirstFrameTimeout: 100 * time.Millisecond}}, nil)
	here, there := net.Pipe()
	t.Cleanup(func() { here.Close() })
	l.conns <- there
	(&rxPeer{g, here}).put(clientHello(t))
	g.wantRejected(reasonFirstFrame)
	g.poll("the end of the connection", func() bool { return g.r.Stats().Conns == 0 })
}

// TestReceiverTLSHandshakeDelaysNobody has connections that shake no hands beside
// one that does, and then a stop.
func TestReceiverTLSHandshakeDelaysNobody(t *testing.T) {
	ca, f := newAuthority(t), newFrames(t)
	entered := make(chan struct{}, 1)
	server := ca.server()
	inner := server.Clone()
	server.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		if h.ServerName == "" { // by address: the healthy one
			return inner, nil
		}
		entered <- struct{}{}
		<-h.Context().Done()
		return nil, context.Cause(h.Context())
	}
	g := newRx(t, ReceiverConfig{TLS: server}, nil)
	for range 10 {
		g.dialSecure(nil)
	}
	stuck := g.dialSecure(nil)
	done := make(chan error, 1)
	go func() { // ends when the receiver does
		done <- tls.Client(stuck.Conn, &tls.Config{ServerName: "stuck", InsecureSkipVerify: true}).Handshake()
	}()
	<-entered
	c := g.dialSecure(ca.client())
	c.put(f.frame(optSync, "healthy"))
	c.want(ackPlainOK)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	g.r.Stop(ctx) // cut short, because a handshake was under way
	if err := <-done; err == nil {
		t.Error("the stuck handshake succeeded")
	}
	if log := g.logged(); log != "" {
		t.Errorf("log %q, want nothing: it was us who ended those handshakes", log)
	}
}

// TestReceiverTLSIdle has a connection that is silent for so long that its memory
// is given back, and then goes on.
func TestReceiverTLSIdle(t *testing.T) {
	ca, f := newAuthority(t), newFrames(t)
	g := newRx(t, ReceiverConfig{TLS: ca.server(), Limits: ReceiverLimits{PartialTimeout: 40 * time.Millisecond}}, nil)
	c := g.dialSecure(ca.client())
	large := strings.Repeat("x", 300_000)
	for range 3 {
		c.put(f.frame(optAck, large))
		c.want(ackPlainOK)
		g.poll("the memory to be given back", func() bool { return g.r.Stats().Held <= rxSmall })
	}
	g.wantDelivered(large, large, large)
}

// overheard is a connection whose incoming bytes are kept.
type overheard struct {
	net.Conn
	in []byte
}

func (c *overheard) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.in = append(c.in, b[:n]...)
	return n, err
}

// TestReceiverTLSGoodbye ends a connection in order: what was sent before is
// delivered and answered, and the goodbye returned. TLS 1.2 shows it as a record of
// a type of its own.
func TestReceiverTLSGoodbye(t *testing.T) {
	ca, f := newAuthority(t), newFrames(t)
	g := newRx(t, ReceiverConfig{TLS: ca.server()}, nil)
	raw := &overheard{Conn: g.dialSecure(nil).Conn}
	cfg := ca.client()
	cfg.ServerName, cfg.MaxVersion = "127.0.0.1", tls.VersionTLS12
	conn := tls.Client(raw, cfg)
	c := &rxPeer{g, conn}
	c.put(f.frame(optSync, "one"), f.frame(optNone, "two"))
	if err := conn.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	c.want(ackPlainOK)
	if n, err := c.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("read %d bytes, %v; want the end", n, err)
	}
	const alert = "\x15\x03\x03"
	if end := string(raw.in[len(raw.in)-64:]); !strings.Contains(end, alert) {
		t.Errorf("the last bytes are %q, want a goodbye among them", end)
	}
	g.wantDelivered("one", "two")
}

// TestReceiverMarksSecure forges the option Secure: a receiver with TLS believes
// its own eyes, one without passes on what it got.
func TestReceiverMarksSecure(t *testing.T) {
	ca, f := newAuthority(t), newFrames(t)
	tests := []struct {
		name   string
		tls    *tls.Config
		secure bool            // by the secure port
		put    message.Options // on the wire
		want   message.Options
	}{
		{"forged in the clear", ca.server(), false, message.Secure, 0},
		{"clear", ca.server(), false, 0, 0},
		{"secure", ca.server(), true, message.Secure, message.Secure},
		{"secure without the option", ca.server(), true, 0, message.Secure},
		{"receiver without TLS", nil, false, message.Secure, message.Secure},
	}
	eachPoller(t, func(t *testing.T, p Poller) {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				got := make(chan message.Options, 2)
				g, u := newUDPRx(t, ReceiverConfig{Poller: p, TLS: tt.tls}, func(_ context.Context, m *message.Message) error {
					got <- m.Options & message.Secure
					return nil
				})
				c := g.dial
				if tt.secure {
					c = func() *rxPeer { return g.dialSecure(ca.client()) }
				}
				c().put(f.frame(tt.put, "m"))
				if o := <-got; o != tt.want {
					t.Errorf("delivered with %v, want %v", o, tt.want)
				}
				want := tt.put
				if tt.tls != nil {
					want = 0
				}
				u.put(f.frame(tt.put|message.UDP, "d"))
				if o := <-got; o != want {
					t.Errorf("datagram delivered with %v, want %v", o, want)
				}
			})
		}
	})
}

func TestReceiverTLSConfigProblems(t *testing.T) {
	tests := []struct {
		name string
		cfg  ReceiverConfig
		want string
	}{
		{"port alone", ReceiverConfig{SecurePort: 4100}, "SecurePort 4100: want TLS"},
		{"any port alone", ReceiverConfig{SecurePort: AnyPort}, "SecurePort -1: want TLS"},
		{"listener alone", ReceiverConfig{SecureListener: newPipeListener()}, "SecureListener: want TLS"},
		{"no certificate", ReceiverConfig{TLS: new(tls.Config)}, "TLS: want Certificates"},
		{"port too large", ReceiverConfig{TLS: newAuthority(t).server(), SecurePort: 65536}, "SecurePort 65536: want 1 to 65535"},
	}
	for _, tt := range tests {
		if _, err := NewReceiver(tt.cfg); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: NewReceiver = %v, want an error that says %q", tt.name, err, tt.want)
		}
	}
}

// TestReceiverSecurePort looks at where a receiver with TLS listens.
func TestReceiverSecurePort(t *testing.T) {
	ca := newAuthority(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := newRx(t, ReceiverConfig{TLS: ca.server(), SecureListener: l}, nil)
	if want := l.Addr().(*net.TCPAddr).Port; g.bound.SecurePort != want || g.bound.Port == want {
		t.Errorf("bound to %+v, want the secure port %d", g.bound, want)
	}
	cfg, err := ReceiverConfig{TLS: ca.server()}.WithDefaults()
	if err != nil || cfg.SecurePort != defaultSecurePort {
		t.Errorf("SecurePort = %d, %v; want %d", cfg.SecurePort, err, defaultSecurePort)
	}
	taken := g.bound.SecurePort
	r, err := NewReceiver(ReceiverConfig{Address: "127.0.0.1", Port: AnyPort, TLS: ca.server(), SecurePort: taken, PortTries: 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Start(t.Context(), g.env(nil)); err == nil || !strings.Contains(err.Error(), "TCP") {
		t.Errorf("Start on a taken secure port: %v, want an error", err)
	}
}
