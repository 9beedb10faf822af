package nio

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/gotribes/tribes/internal/wire"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// maxDatagram is the largest frame in bytes that fits a UDP datagram.
const maxDatagram = 65507

// errNoUDP is why no datagram is sent to a member without UDP port.
var errNoUDP = errors.New("the member has no UDP port")

// udpSide is what a peer has for datagrams.
type udpSide struct {
	waiting chan struct{} // holds one for each datagram that waits for its answer

	mu   sync.Mutex
	conn net.Conn // for datagrams without answer; nil until the first
}

// datagram is a message that travels in one datagram to each destination.
type datagram struct {
	frame   *message.Buffer
	id      message.ID
	receipt *message.Receipt
}

// sendUDP sends m as one datagram to the UDP port of each destination. Nothing
// is repeated.
func (s *Sender) sendUDP(ctx context.Context, to []*membership.Member, m *message.Message, r *message.Receipt) error {
	if m.Options.Has(message.Secure) {
		return errClearUDP
	}
	size := message.FrameSize(m)
	if size > maxDatagram {
		return tooLarge(size, maxDatagram)
	}
	d := &datagram{frame: s.env.Pool.Get(size), id: m.ID, receipt: r}
	defer d.frame.Release()
	message.AppendFrame(d.frame.Bytes()[:0], m, 0)
	var full sync.WaitGroup
	for _, member := range to {
		p, err := s.peer(member, 0)
		if err == nil && member.UDPPort() <= 0 {
			err = fmt.Errorf("tribes: send: %s: %w", member, errNoUDP)
		}
		switch {
		case err != nil:
			s.reject(r, member, d.id, err)
		case !m.Options.Acked():
			p.cast(member, d)
		case !p.tryExchange(member, d):
			full.Go(func() { p.awaitExchange(ctx, member, d) }) // ends with ctx or the peer
		}
	}
	full.Wait()
	return nil
}

// cast sends d without waiting for an answer. A write may fail because of what
// came back for an earlier datagram; then a second one tells the truth.
func (p *peer) cast(m *membership.Member, d *datagram) {
	var err error
	for range 2 {
		var conn net.Conn
		if conn, err = p.castConn(m); err != nil {
			break
		}
		if err = p.writeDatagram(conn, d); err == nil {
			d.receipt.Settle(m, message.Written, nil)
			return
		}
		p.udp.drop(conn)
	}
	p.failDatagram(m, d, message.NotSent, err)
}

func (p *peer) writeDatagram(conn net.Conn, d *datagram) error {
	if limit := p.s.cfg.Timeouts.Write; limit != never {
		if err := conn.SetWriteDeadline(time.Now().Add(limit)); err != nil {
			return err
		}
	}
	_, err := conn.Write(d.frame.Bytes())
	return err
}

// castConn returns the socket for datagrams without answer.
func (p *peer) castConn(m *membership.Member) (net.Conn, error) {
	p.udp.mu.Lock()
	conn := p.udp.conn
	p.udp.mu.Unlock()
	if conn != nil {
		return conn, nil
	}
	conn, err := p.dialUDP(m)
	if err != nil {
		return nil, err
	}
	p.udp.mu.Lock()
	defer p.udp.mu.Unlock()
	if p.ctx.Err() != nil {
		return nil, errors.Join(context.Cause(p.ctx), conn.Close())
	}
	if p.udp.conn != nil { // somebody was faster
		_ = conn.Close() // nothing was written to it
		return p.udp.conn, nil
	}
	p.udp.conn = conn
	return conn, nil
}

func (p *peer) dialUDP(m *membership.Member) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(p.ctx, p.s.cfg.Timeouts.Connect)
	defer cancel()
	return p.s.cfg.Dial(ctx, "udp", netip.AddrPortFrom(m.Host(), uint16(m.UDPPort())).String())
}

// drop closes conn and forgets it.
func (u *udpSide) drop(conn net.Conn) {
	u.mu.Lock()
	if u.conn == conn {
		u.conn = nil
	}
	u.mu.Unlock()
	_ = conn.Close() // an error means that it is closed already
}

// close closes the socket. The context of the peer must have ended before.
func (u *udpSide) close() {
	u.mu.Lock()
	conn := u.conn
	u.mu.Unlock()
	if conn != nil {
		u.drop(conn)
	}
}

// tryExchange begins an exchange, unless as many as may are under way.
func (p *peer) tryExchange(m *membership.Member, d *datagram) bool {
	select {
	case p.udp.waiting <- struct{}{}:
		p.exchange(m, d)
		return true
	default:
		return false
	}
}

// awaitExchange begins an exchange when one of those under way has ended.
func (p *peer) awaitExchange(ctx context.Context, m *membership.Member, d *datagram) {
	select {
	case p.udp.waiting <- struct{}{}:
		p.exchange(m, d)
	case <-p.ctx.Done():
		p.s.reject(d.receipt, m, d.id, context.Cause(p.ctx))
	case <-ctx.Done():
		p.s.reject(d.receipt, m, d.id, p.queueFull(context.Cause(ctx)))
	}
}

// exchange sends d from a socket of its own, so that no other answer can be
// taken for that to d, and waits for it on a goroutine of its own.
func (p *peer) exchange(m *membership.Member, d *datagram) {
	p.mu.Lock()
	err := p.refusal()
	if err == nil {
		p.pending++
		d.frame.Retain()
		p.s.wg.Go(func() { p.waitExchange(m, d) }) // ends with the answer, the timeout, or the peer
	}
	p.mu.Unlock()
	if err != nil {
		<-p.udp.waiting
		p.s.reject(d.receipt, m, d.id, err)
	}
}

// waitExchange is an exchange from beginning to end.
func (p *peer) waitExchange(m *membership.Member, d *datagram) {
	o, err := p.ask(m, d)
	if o.OK() || o == message.Refused {
		d.receipt.Settle(m, o, err)
	} else {
		p.failDatagram(m, d, o, err)
	}
	d.frame.Release()
	<-p.udp.waiting
	p.mu.Lock()
	p.stats.outcome(o)
	p.done()
	p.mu.Unlock()
}

// ask sends d and waits for the answer.
func (p *peer) ask(m *membership.Member, d *datagram) (message.Outcome, error) {
	conn, err := p.dialUDP(m)
	if err != nil {
		return message.NotSent, p.ofDatagram(err)
	}
	defer context.AfterFunc(p.ctx, func() { _ = conn.Close() })() // the read below reports it
	defer conn.Close()
	if err := p.writeDatagram(conn, d); err != nil {
		return message.NotSent, p.ofDatagram(err)
	}
	if limit := p.s.cfg.Timeouts.Ack; limit != never {
		if err := conn.SetReadDeadline(time.Now().Add(limit)); err != nil {
			return message.Unknown, p.ofDatagram(err)
		}
	}
	buf := make([]byte, readSize)
	for {
		n, err := conn.Read(buf)
		if err != nil {
			return message.Unknown, p.ofDatagram(err)
		}
		kind, err := parseDatagram(buf[:n])
		if err == nil {
			return outcomeOf(kind)
		}
		p.mu.Lock()
		p.violated(err)
		p.mu.Unlock()
		p.complain(err)
	}
}

// parseDatagram reads the answer to a datagram; all of b must be one plain answer.
func parseDatagram(b []byte) (message.ReplyKind, error) {
	data, size, err := message.Scan(b, readSize)
	var r message.Reply
	switch {
	case err != nil:
		return 0, err
	case data == nil || size != len(b):
		return 0, &message.FormatError{Reason: wire.Truncated, Offset: len(b)}
	}
	if err := message.ParseReply(data, &r); err != nil {
		return 0, err
	}
	if r.Kind == message.NumberedAck {
		return 0, &message.FormatError{Reason: wire.BadAck}
	}
	return r.Kind, nil
}

// ofDatagram says of whom err is, and what it means.
func (p *peer) ofDatagram(err error) error {
	switch {
	case p.ctx.Err() != nil:
		return context.Cause(p.ctx)
	case isTimeout(err):
		return p.timedOut("no answer to a datagram", p.s.cfg.Timeouts.Ack)
	}
	return fmt.Errorf("tribes: send: %s: %w", p.member, err)
}

// failDatagram settles d without success.
func (p *peer) failDatagram(m *membership.Member, d *datagram, o message.Outcome, err error) {
	if p.ctx.Err() == nil {
		p.s.env.Fault(m, d.id, err)
	}
	d.receipt.Settle(m, o, err)
}
