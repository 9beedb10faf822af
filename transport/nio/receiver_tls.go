package nio

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gotribes/tribes/message"
)

// validateTLS says what is wrong with the part of TLS.
func (c *ReceiverConfig) validateTLS() []error {
	switch {
	case c.TLS == nil && c.SecurePort != 0:
		return []error{fmt.Errorf("tribes: nio receiver config: SecurePort %d: want TLS with it", c.SecurePort)}
	case c.TLS == nil && c.SecureListener != nil:
		return []error{errors.New("tribes: nio receiver config: SecureListener: want TLS with it")}
	case c.TLS != nil && len(c.TLS.Certificates) == 0 && c.TLS.GetCertificate == nil && c.TLS.GetConfigForClient == nil:
		return []error{errors.New("tribes: nio receiver config: TLS: want Certificates, GetCertificate or GetConfigForClient")}
	}
	return nil
}

// markSecure makes the option Secure of a frame say how it came, so that layers
// can believe it. A receiver without TLS leaves it as it is, as Tribes does.
func (r *Receiver) markSecure(f *message.Frame, secure bool) {
	if r.cfg.TLS == nil {
		return
	}
	f.Options &^= message.Secure
	if secure {
		f.Options |= message.Secure
	}
}

// tlsReactor is a netReactor whose connections speak TLS.
type tlsReactor struct{ netReactor }

func newTLSReactor(r *Receiver) *tlsReactor {
	return &tlsReactor{netReactor{r: r, listener: r.guarded}}
}

func (p *tlsReactor) accept() (rxSocket, netip.AddrPort, error) {
	s, from, err := p.netReactor.accept()
	if err != nil {
		return nil, from, err
	}
	n := s.(*netSocket)
	n.conn = &guardedConn{Conn: tls.Server(n.conn, p.r.cfg.TLS), r: p.r, from: from}
	return n, from, nil
}

func (p *tlsReactor) bind(s rxSocket, c *rxConn) {
	p.netReactor.bind(s, c)
	c.secure = true
}

// guardedConn is the receiver's end of a TLS connection. Its first Read shakes
// hands, on the goroutine of that connection, so that a peer that is slow or
// silent holds up nobody. The time limit of the first frame ends it.
type guardedConn struct {
	*tls.Conn
	r     *Receiver
	from  netip.AddrPort
	tried bool        // of the goroutine that reads: the handshake was begun
	ended atomic.Bool // the other end has ended the stream in order

	mu     sync.Mutex
	shaken bool // the handshake is over
}

// errHandshake ends a connection whose handshake did not come to its end; why was
// told before.
var errHandshake = errors.New("tribes: receiver: no TLS handshake")

// Read implements net.Conn.
func (c *guardedConn) Read(b []byte) (int, error) {
	if !c.tried {
		c.tried = true
		if err := c.shake(); err != nil {
			c.complain(err)
			return 0, errHandshake
		}
	}
	n, err := c.Conn.Read(b)
	if err != nil {
		c.judge(err)
	}
	return n, err
}

func (c *guardedConn) shake() error {
	if err := c.HandshakeContext(c.r.ctx); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.shaken = true
	return nil
}

// SetReadDeadline implements net.Conn. During the handshake it bounds writing too:
// whoever wants a read to end wants the handshake to.
func (c *guardedConn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.shaken {
		return c.Conn.SetReadDeadline(t)
	}
	return c.Conn.SetDeadline(t)
}

// Close implements net.Conn. It says goodbye only to an end that has done so
// itself and waits for it: to another one that could take seconds, and what was
// not answered is known there as such.
func (c *guardedConn) Close() error {
	if c.ended.Load() {
		return c.Conn.Close()
	}
	return c.NetConn().Close()
}

// complain tells why the handshake did not succeed, unless we ended it: then it
// was told why.
func (c *guardedConn) complain(err error) {
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, net.ErrClosed) || c.r.ctx.Err() != nil {
		return
	}
	var first tls.RecordHeaderError
	if !errors.As(err, &first) {
		c.r.reject(c.from, reasonHandshake, "err", err)
		return
	}
	reason := reasonHandshake
	if like := clearProtocol(first.RecordHeader); like != "" {
		reason = "looks like " + like
	}
	c.r.reject(c.from, reason, "err", err, "port", "secure", "begin", quote(first.RecordHeader[:]))
}

// judge notes the end of the stream, and tells if it is none that a connection in
// the clear could have.
func (c *guardedConn) judge(err error) {
	var op *net.OpError
	switch {
	case err == io.EOF:
		c.ended.Store(true)
	case err == io.ErrUnexpectedEOF:
		c.r.reject(c.from, reasonCutShort)
	case errors.As(err, &op) && (op.Op == "read" || op.Op == "write") || errors.Is(err, net.ErrClosed):
	default:
		c.r.reject(c.from, reasonTLS, "err", err)
	}
}

// clearProtocol names the protocol in the clear that begins with b, as far as the
// few bytes tell that are there.
func clearProtocol(b [5]byte) string {
	if strings.HasPrefix(message.AckFrame, string(b[:])) {
		return "a frame in the clear"
	}
	for _, s := range sniffed {
		if strings.HasPrefix(string(b[:]), s.prefix[:min(len(s.prefix), len(b))]) {
			return s.protocol
		}
	}
	return ""
}
