package nio

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"sync"
	"testing"

	"github.com/gotribes/tribes/internal/testca"
	"github.com/gotribes/tribes/membership"
)

// authority issues certificates for the loopback addresses.
type authority struct {
	t    testing.TB
	ca   *testca.Authority
	pool *x509.CertPool
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	ca, err := testca.New()
	if err != nil {
		t.Fatal(err)
	}
	return &authority{t, ca, ca.Pool}
}

func (a *authority) issue(serial int64, names ...string) tls.Certificate {
	a.t.Helper()
	c, err := a.ca.Issue(serial, names...)
	if err != nil {
		a.t.Fatal(err)
	}
	return c
}

// server is the configuration of a receiver that asks for certificates.
func (a *authority) server() *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{a.issue(2)}, ClientCAs: a.pool, ClientAuth: tls.RequireAndVerifyClientCert}
}

// client is the configuration of a sender that has one.
func (a *authority) client() *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{a.issue(3)}, RootCAs: a.pool}
}

// wiretap has every byte that a sender has given to the network.
type wiretap struct {
	mu    sync.Mutex
	bytes []byte
	ports []string // that were dialled
}

func (w *wiretap) dial(ctx context.Context, network, address string) (net.Conn, error) {
	w.mu.Lock()
	w.ports = append(w.ports, address)
	w.mu.Unlock()
	c, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &tapped{c, w}, nil
}

func (w *wiretap) saw(text string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return bytes.Contains(w.bytes, []byte(text))
}

func (w *wiretap) dialled() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ports
}

type tapped struct {
	net.Conn
	w *wiretap
}

func (c *tapped) NetConn() net.Conn { return c.Conn }

func (c *tapped) Write(b []byte) (int, error) {
	c.w.mu.Lock()
	c.w.bytes = append(c.w.bytes, b...)
	c.w.mu.Unlock()
	return c.Conn.Write(b)
}

// withSecurePort is m with another secure port.
func withSecurePort(t testing.TB, m *membership.Member, port int) *membership.Member {
	t.Helper()
	m, err := m.With(func(a *membership.Attributes) { a.SecurePort = port })
	if err != nil {
		t.Fatal(err)
	}
	return m
}
