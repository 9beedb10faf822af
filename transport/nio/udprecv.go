package nio

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// rxDatagram is more than the largest UDP datagram.
const rxDatagram = 64 << 10

// udpReceiver takes messages that come as datagrams, one or more whole frames in
// each. A datagram in which anything is wrong is dropped; it concerns no other.
// Answers are plain: there is no connection that could have numbers.
type udpReceiver struct {
	r     *Receiver
	conn  net.PacketConn
	fast  *net.UDPConn // conn, if it is one: its methods allocate nothing
	cache dupCache

	// of the goroutine that reads
	source *membership.Member // of the last frame
	parsed []udpMessage       // of the last datagram

	mu     sync.Mutex
	queue  []udpMessage
	bytes  int
	ended  bool
	filled chan struct{} // has room for one
}

// udpMessage is a message on its way to delivery.
type udpMessage struct {
	rxEntry
	from udpSource
}

// udpSource is where a datagram came from, in the form that answers are sent to.
type udpSource struct {
	ip   netip.AddrPort
	addr net.Addr // for a connection that is no *net.UDPConn
}

// shown is the address for logs and counters.
func (s *udpSource) shown() netip.AddrPort {
	return netip.AddrPortFrom(s.ip.Addr().Unmap(), s.ip.Port())
}

func newUDPReceiver(r *Receiver, conn net.PacketConn) *udpReceiver {
	u := &udpReceiver{r: r, conn: conn, filled: make(chan struct{}, 1)}
	u.fast, _ = conn.(*net.UDPConn)
	return u
}

// read takes datagrams until stopReading.
func (u *udpReceiver) read() {
	defer u.end()
	buf := u.r.env.Pool.Get(rxDatagram)
	defer buf.Release()
	delay := firstPause
	for {
		n, from, err := u.readOne(buf.Bytes())
		if err == nil {
			delay = firstPause
			u.take(buf.Bytes()[:n], from)
			continue
		}
		if u.r.isClosing() || errors.Is(err, net.ErrClosed) {
			return
		}
		// On some systems a datagram of ours that was refused is told by the next
		// read; nothing is wrong with the socket.
		if n, ok := u.r.lines.allow("datagram", noAddr, u.r.now()); ok {
			u.r.env.Logger.Warn("cannot read datagrams", "err", err, "unlogged", n)
		}
		select {
		case <-time.After(delay):
		case <-u.r.closing:
			return
		}
		delay = min(2*delay, lastPause)
	}
}

func (u *udpReceiver) readOne(b []byte) (int, udpSource, error) {
	if u.fast != nil {
		n, from, err := u.fast.ReadFromUDPAddrPort(b)
		return n, udpSource{ip: from}, err
	}
	n, addr, err := u.conn.ReadFrom(b)
	if err != nil {
		return n, udpSource{}, err
	}
	return n, udpSource{ip: addrPort(addr), addr: addr}, nil
}

// stopReading ends read. Answers can still be sent.
func (u *udpReceiver) stopReading() {
	if err := u.conn.SetReadDeadline(longAgo); err != nil {
		u.cut()
	}
}

// cut closes the connection. What the system says to that is of no use.
func (u *udpReceiver) cut() { u.conn.Close() }

func (u *udpReceiver) end() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.ended = true
	u.signal()
}

// signal wakes the goroutine that delivers. Called with mu held.
func (u *udpReceiver) signal() {
	select {
	case u.filled <- struct{}{}:
	default: // it is awake
	}
}

// take parses a datagram, puts its messages into the queue and answers those
// that are answered on arrival.
func (u *udpReceiver) take(b []byte, from udpSource) {
	u.r.count.datagrams.Add(1)
	chunk := u.r.env.Pool.Get(len(b))
	defer chunk.Release()
	copy(chunk.Bytes(), b)
	all, err := u.parse(chunk, from)
	if err == nil {
		u.r.count.frames.Add(uint64(len(all)))
		if !u.put(all, len(b)) {
			err = errInbox
		}
	}
	if err != nil {
		u.r.reject(from.shown(), reasonOf(err), "transport", "udp", "err", err, "begin", quote(b))
		for i := range all {
			all[i].m.Release()
		}
	} else {
		for i := range all {
			if e := &all[i]; e.number != 0 && !e.sync {
				u.answer(&e.from, verdict{})
			}
		}
	}
	clear(all)
	u.parsed = all[:0]
}

var (
	errDatagram = errors.New(reasonDatagram)
	errInbox    = errors.New(reasonInbox)
)

// parse returns the messages of a datagram, and an error if there is anything in
// it that is no frame.
func (u *udpReceiver) parse(chunk *message.Buffer, from udpSource) ([]udpMessage, error) {
	all := u.parsed[:0]
	if len(chunk.Bytes()) == 0 {
		return all, errDatagram
	}
	for b := chunk.Bytes(); len(b) > 0; {
		data, size, err := message.Scan(b, u.r.cfg.MaxFrame)
		if err == nil && data == nil {
			err = errDatagram
		}
		if err != nil {
			return all, err
		}
		f, err := message.ParseFrame(data)
		if err != nil {
			return all, err
		}
		if u.source == nil || !u.source.Is(f.Sender) {
			source, err := f.DecodeSender()
			if err != nil {
				return all, err
			}
			u.source = source
		}
		u.r.markSecure(&f, false)
		e := udpMessage{from: from}
		e.m = u.r.env.Pool.FromFrame(&f, u.source, chunk)
		e.size, e.oddID = size, len(f.ID) != len(message.ID{})
		if f.Options.Acked() {
			e.number, e.sync = 1, f.Options.SyncAcked()
		}
		all = append(all, e)
		b = b[size:]
	}
	return all, nil
}

// put appends messages to the queue. If it is full it takes none: unlike a
// connection, datagrams cannot be made to wait.
func (u *udpReceiver) put(all []udpMessage, size int) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.bytes > 0 && u.bytes+size > u.r.cfg.InboxBytes {
		return false
	}
	u.queue = append(u.queue, all...)
	for i := range all {
		u.bytes += all[i].size + entryCost
	}
	u.signal()
	return true
}

// deliver delivers what is in the queue, until read has ended and it is empty.
func (u *udpReceiver) deliver() {
	var batch []udpMessage
	for ended := false; !ended; {
		<-u.filled
		u.mu.Lock()
		batch, u.queue = u.queue, batch[:0]
		ended = u.ended
		u.mu.Unlock()
		u.r.count.messages.Add(uint64(len(batch)))
		for i := range batch {
			u.deliverOne(&batch[i])
		}
		clear(batch)
	}
}

func (u *udpReceiver) deliverOne(e *udpMessage) {
	if u.r.cutting.Load() {
		u.r.drop(e.m, droppedAtStop)
	} else {
		var v verdict
		if e.number != 0 {
			v = u.r.deliverOnce(&e.rxEntry, &u.cache, u.r.now())
		} else {
			v = u.r.deliverNow(e.m)
		}
		if e.sync {
			u.answer(&e.from, v)
		}
	}
	e.m.Release()
	u.mu.Lock()
	defer u.mu.Unlock()
	u.bytes -= e.size + entryCost
}

var ackBytes, failAckBytes = []byte(message.AckFrame), []byte(message.FailAckFrame)

// answer sends an answer to where a datagram came from. If that fails, the sender
// learns it by the lack of an answer.
func (u *udpReceiver) answer(to *udpSource, v verdict) {
	frame := ackBytes
	if v.refused {
		frame = failAckBytes
	}
	var err error
	if u.fast != nil {
		_, err = u.fast.WriteToUDPAddrPort(frame, to.ip)
	} else {
		_, err = u.conn.WriteTo(frame, to.addr)
	}
	if err == nil || errors.Is(err, net.ErrClosed) {
		return
	}
	if n, ok := u.r.lines.allow("answer", to.shown().Addr(), u.r.now()); ok {
		u.r.env.Logger.Warn("cannot answer a datagram", "addr", to.shown(), "err", err, "unlogged", n)
	}
}
