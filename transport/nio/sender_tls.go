package nio

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// Why a message with the option Secure is not sent.
var (
	errNoTLS     = fmt.Errorf("tribes: send: the sender has no TLS configuration: %w", channel.ErrNotSecure)
	errClearUDP  = fmt.Errorf("tribes: send: a datagram is sent in the clear: %w", channel.ErrNotSecure)
	errNoTLSPort = fmt.Errorf("the member has no secure port: %w", channel.ErrNotSecure)
)

// way returns the peer that a message to m goes through.
func (s *Sender) way(m *membership.Member, secure bool) (*peer, error) {
	switch {
	case !secure:
		return s.peer(m, 0)
	case m.SecurePort() <= 0:
		return nil, fmt.Errorf("tribes: send: %s: %w", m, errNoTLSPort)
	}
	return s.peer(m, m.SecurePort())
}

// likelyPort is the secure port of the peer that messages to m will most likely
// go through, 0 for that in the clear.
func (s *Sender) likelyPort(m *membership.Member) int {
	if s.cfg.TLS == nil {
		return 0
	}
	return max(m.SecurePort(), 0)
}

// connect makes a connection for a link.
func (p *peer) connect() (net.Conn, error) {
	within := p.s.cfg.Timeouts.Connect
	if p.secure == 0 {
		return p.s.connect(p.ctx, p.member.AddrPort().String(), within)
	}
	ctx, cancel := context.WithTimeout(p.ctx, within)
	defer cancel()
	host := p.member.AddrPort().Addr()
	conn, err := p.s.connect(ctx, netip.AddrPortFrom(host, uint16(p.secure)).String(), within)
	if err != nil {
		return nil, err
	}
	c := &secureConn{tls.Client(conn, p.s.clientTLS(host))}
	if err := c.HandshakeContext(ctx); err != nil {
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			err = message.ErrTimeout
		}
		return nil, closeAll(fmt.Errorf("TLS handshake with port %d: %w", p.secure, err), conn)
	}
	return c, nil
}

// clientTLS is the configuration for a member at that address.
func (s *Sender) clientTLS(host netip.Addr) *tls.Config {
	if s.cfg.TLS.ServerName != "" {
		return s.cfg.TLS
	}
	c := s.cfg.TLS.Clone()
	c.ServerName = host.WithZone("").String()
	return c
}

// secureConn is the sender's end of a TLS connection.
type secureConn struct{ *tls.Conn }

// Close implements net.Conn. It does not say goodbye, which could take seconds;
// CloseWrite does.
func (c *secureConn) Close() error { return c.NetConn().Close() }
