package mcast

import (
	"net"
	"net/netip"

	"golang.org/x/net/ipv4"
)

const (
	bufferSize = 1 << 16 // larger than any datagram, so that none is cut unnoticed
	batchSize  = 16
)

// datagram is one received datagram. Its bytes are borrowed from the reader.
type datagram struct {
	b    []byte
	from netip.AddrPort // invalid if the connection cannot tell
	cut  bool           // it was longer than the buffer
}

// reader reads datagrams. What read returns is valid until its next call. A
// reader is for one goroutine.
type reader interface {
	read() ([]datagram, error)
}

// newReader reads conn in batches if it is a socket of the system and the system
// can do that.
func newReader(conn net.PacketConn) reader {
	if udp, ok := conn.(*net.UDPConn); ok && canBatch {
		return newBatchReader(udp)
	}
	return &singleReader{conn: conn, buffer: make([]byte, bufferSize)}
}

// batchReader takes up to batchSize datagrams with one call of the system.
type batchReader struct {
	conn     *ipv4.PacketConn
	messages []ipv4.Message
	got      []datagram
}

func newBatchReader(udp *net.UDPConn) *batchReader {
	r := &batchReader{
		conn:     ipv4.NewPacketConn(udp),
		messages: make([]ipv4.Message, batchSize),
		got:      make([]datagram, batchSize),
	}
	buffer := make([]byte, batchSize*bufferSize)
	for i := range r.messages {
		r.messages[i].Buffers = [][]byte{buffer[i*bufferSize : (i+1)*bufferSize : (i+1)*bufferSize]}
	}
	return r
}

func (r *batchReader) read() ([]datagram, error) {
	n, err := r.conn.ReadBatch(r.messages, 0)
	if err != nil {
		return nil, err
	}
	for i := range n {
		m := &r.messages[i]
		r.got[i] = datagram{b: m.Buffers[0][:m.N], from: source(m.Addr), cut: m.N == bufferSize}
	}
	return r.got[:n], nil
}

// singleReader takes one datagram at a time, from any connection.
type singleReader struct {
	conn   net.PacketConn
	buffer []byte
	got    [1]datagram
}

func (r *singleReader) read() ([]datagram, error) {
	n, from, err := r.conn.ReadFrom(r.buffer)
	if err != nil {
		return nil, err
	}
	r.got[0] = datagram{b: r.buffer[:n], from: source(from), cut: n == bufferSize}
	return r.got[:], nil
}

func source(a net.Addr) netip.AddrPort {
	u, ok := a.(*net.UDPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	ap := u.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}
