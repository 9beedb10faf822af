package nio

import (
	"context"
	"crypto/tls"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gotribes/tribes/message"
)

// TestDialTLS has connections that the caller's dial function wraps.
func TestDialTLS(t *testing.T) {
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		d := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}}
		return d.DialContext(ctx, network, address)
	}
	b := newTCPBench(t, SenderConfig{Dial: dial, Timeouts: SenderTimeouts{Write: 200 * time.Millisecond}, Pool: SenderPool{MaxUses: 3}})
	f := b.listen()
	server := &tls.Config{Certificates: []tls.Certificate{newAuthority(t).issue(2)}}
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
