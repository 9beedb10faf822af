package nio

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gotribes/tribes/message"
)

// tlsCertificate makes a certificate that nobody need trust.
func tlsCertificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// TestDialTLS has connections that the caller's dial function wraps.
func TestDialTLS(t *testing.T) {
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		d := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}}
		return d.DialContext(ctx, network, address)
	}
	b := newTCPBench(t, SenderConfig{Dial: dial, Timeouts: SenderTimeouts{Write: 200 * time.Millisecond}, Pool: SenderPool{MaxUses: 3}})
	f := b.listen()
	server := &tls.Config{Certificates: []tls.Certificate{tlsCertificate(t)}}
	accept := func() *fakeConn {
		c := f.acceptTCP()
		c.Conn = tls.Server(c.Conn, server)
		if err := c.Conn.(*tls.Conn).Handshake(); err != nil {
			t.Fatalf("handshake: %v", err)
		}
		return c
	}
	large := strings.Repeat("large", 200_000)
	all := []*sending{b.send(message.UseAck, "one", f), b.send(message.UseAck, large, f), b.send(0, "three", f)}
	c := accept()
	for i, payload := range []string{"one", large} {
		c.want(payload)
		c.numbered(uint64(i + 1))
		all[i].want(message.Acknowledged, nil)
	}
	c.want("three")
	all[2].want(message.Written, nil)
	c.wantEnd() // in order, after three uses
	c.Close()
	stuck := b.send(0, strings.Repeat(large, 20), f)
	accept() // and read nothing
	stuck.want(message.NotSent, message.ErrTimeout)
}
