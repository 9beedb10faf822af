package nio

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// bareRx is a receiver that has no sockets: the test is its reactor.
type bareRx struct {
	*Receiver
	pool message.Pool

	mu        sync.Mutex
	delivered []string
}

// refusedPayload is what the listener of a bareRx refuses.
const refusedPayload = "refuse me"

func newBareRx(t testing.TB, cfg ReceiverConfig) *bareRx {
	r, err := NewReceiver(cfg)
	if err != nil {
		t.Fatal(err)
	}
	b := &bareRx{Receiver: r}
	var trace *channel.Trace
	r.env = channel.Env{Pool: &b.pool, Logger: slog.New(slog.DiscardHandler), Trace: trace.WithDefaults(), Deliver: b.deliver}
	r.ctx, r.endRun = context.WithCancelCause(context.Background())
	r.state = receiverRuns
	return b
}

func (b *bareRx) deliver(_ context.Context, m *message.Message) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.delivered = append(b.delivered, string(m.Payload()))
	if string(m.Payload()) == refusedPayload {
		return errors.New("refused")
	}
	return nil
}

// bareSocket is the socket of a connection without one. Each second write stalls
// after a byte.
type bareSocket struct {
	c       *rxConn
	written []byte
	writes  int
	stalled bool

	wasReset bool
}

func (s *bareSocket) write(b []byte) (int, error) {
	if s.writes++; s.writes%2 == 0 {
		s.written = append(s.written, b[:1]...)
		return 1, errWouldBlock
	}
	s.written = append(s.written, b...)
	return len(b), nil
}

func (s *bareSocket) awaitWrite() { s.stalled = true }

// unstall lets a write that has stalled go on.
func (s *bareSocket) unstall() {
	if s.stalled {
		s.stalled = false
		s.stalled = s.c.writable()
	}
}

func (s *bareSocket) resume()      {}
func (s *bareSocket) stopReading() {}
func (s *bareSocket) shrink()      {}
func (s *bareSocket) relieve()     {}
func (s *bareSocket) close()       {}
func (s *bareSocket) broken() bool { return s.wasReset }

// feedBare gives stream to a connection in pieces of the sizes in cuts, on this
// goroutine alone, and returns when all is delivered and answered.
func feedBare(t testing.TB, b *bareRx, stream, cuts []byte) *bareSocket {
	c := newRxConn(b.Receiver, netip.AddrPort{})
	s := &bareSocket{c: c}
	c.sock, c.mayDeliver = s, true
	if _, ok := b.enter(c); !ok {
		t.Fatal("the connection was refused")
	}
	at, cut := 0, 0
	read := func(room []byte) (int, error) {
		if at == len(stream) {
			return 0, io.EOF
		}
		n := len(room)
		if len(cuts) > 0 {
			n = min(n, 1+int(cuts[cut%len(cuts)]))
			cut++
		}
		n = copy(room[:n], stream[at:])
		at += n
		return n, nil
	}
	rounds := 0
	for what := readOn; what != readEnd || !c.finished; rounds++ {
		if rounds > 4*len(stream)+100 {
			t.Fatalf("stuck at byte %d of %d, held for %b", at, len(stream), c.hold.Load())
		}
		if what != readEnd {
			what = c.fill(read)
		}
		if held, most := c.ledger.held.Load(), int64(b.cfg.InboxBytes+4*b.cfg.MaxFrame+4*rxLarge); held > most {
			t.Fatalf("%d bytes held, want at most %d", held, most)
		}
		if c.here {
			c.here = false
			c.drain()
		}
		s.unstall()
	}
	b.live.Wait()
	b.pending.Wait()
	if held := c.ledger.held.Load(); held != 0 {
		t.Errorf("%d bytes held at the end, want 0", held)
	}
	return s
}

// wantedOf is what a stream is worth: the payloads in it up to the first
// violation, and the answers that the sender should read from it.
func wantedOf(stream []byte, limit int) (payloads []string, kinds []ackRecord, outcomes []message.Outcome) {
	type key struct {
		sender, id, payload string
	}
	seen := make(map[key]bool)
	for len(stream) > 0 {
		data, size, err := message.Scan(stream, limit)
		if err != nil || data == nil {
			return
		}
		f, err := message.ParseFrame(data)
		if err != nil {
			return
		}
		m, err := f.DecodeSender()
		if err != nil {
			return
		}
		stream = stream[size:]
		payload := string(f.Message)
		if !f.Options.Acked() {
			payloads = append(payloads, payload)
			continue
		}
		if k := (key{m.String() + m.ID().String(), string(f.ID), payload}); !seen[k] {
			seen[k] = true
			payloads = append(payloads, payload)
		}
		var kind ackRecord
		if !f.Options.Has(message.NumberedAcks) {
			kind = ackPlain
		}
		outcome := message.Acknowledged
		if f.Options.SyncAcked() && payload == refusedPayload {
			outcome = message.Refused
		}
		kinds, outcomes = append(kinds, kind), append(outcomes, outcome)
	}
	return
}

// seedStreams are streams that are the same in each run.
func seedStreams(f testing.TB) []string {
	m, err := membership.New(membership.Attributes{Host: netip.MustParseAddr("10.0.0.1"), Port: 4000,
		SecurePort: membership.NoPort, UDPPort: membership.NoPort, ID: membership.ID(idOf(7))})
	if err != nil {
		f.Fatal(err)
	}
	fr := &frames{t: f, source: m}
	n := uint64(0)
	frame := func(o message.Options, payload string) string {
		n++
		return fr.frameID(idOf(n), o, payload)
	}
	plain := frame(optNone, "a") + frame(optAck, "b") + frame(optSync, refusedPayload)
	numbered := frame(optSyncNum, refusedPayload) + frame(optAckNum, "c")
	same := frame(optSync, "same")
	long := frame(optSyncNum, strings.Repeat("long ", 900))
	return []string{plain, numbered, plain + numbered, numbered[:len(numbered)-3], same + same + "x", long,
		"GET / HTTP/1.1\r\n", "FLT2002\x7f\xff\xff\xff"}
}

// FuzzStream feeds arbitrary bytes in arbitrary cuts through a connection: it
// delivers and answers exactly the good frames before the first bad byte, holds
// no more memory than it may, and gives all of it back.
func FuzzStream(f *testing.F) {
	for i, stream := range seedStreams(f) {
		f.Add([]byte(stream), []byte{0})
		f.Add([]byte(stream), []byte{byte(29 * i), 255, 3})
	}
	f.Fuzz(func(t *testing.T, stream, cuts []byte) {
		b := newBareRx(t, ReceiverConfig{MaxFrame: 64 << 10, InboxBytes: 4 << 10, Limits: ReceiverLimits{MaxBytes: 1 << 20, MaxConns: 4}})
		s := feedBare(t, b, stream, cuts)
		payloads, kinds, outcomes := wantedOf(stream, b.cfg.MaxFrame)
		if !slices.Equal(b.delivered, payloads) {
			t.Errorf("delivered %q, want %q", b.delivered, payloads)
		}
		peer := &ackPeer{t: t, kinds: kinds, outcome: make([]message.Outcome, len(kinds))}
		peer.read(s.written)
		if !slices.Equal(peer.outcome, outcomes) {
			t.Errorf("outcomes %v, want %v", peer.outcome, outcomes)
		}
	})
}

// sinkPackets is a packet connection whose answers go nowhere.
type sinkPackets struct{ net.PacketConn }

func (sinkPackets) WriteTo(b []byte, _ net.Addr) (int, error) { return len(b), nil }

// FuzzDatagram takes arbitrary datagrams: all of the frames in one are
// delivered, or none.
func FuzzDatagram(f *testing.F) {
	for _, b := range seedStreams(f) {
		f.Add([]byte(b))
	}
	f.Fuzz(checkDatagram)
}

// checkDatagram fails the test unless all of the frames in a datagram are
// delivered, or none and it is counted.
func checkDatagram(t *testing.T, datagram []byte) {
	t.Helper()
	b := newBareRx(t, ReceiverConfig{MaxFrame: 64 << 10})
	u := newUDPReceiver(b.Receiver, sinkPackets{})
	u.take(datagram, udpSource{})
	u.end()
	u.deliver()
	payloads, _, _ := wantedOf(datagram, b.cfg.MaxFrame)
	if rest := b.Stats().Rejected; len(rest) > 0 {
		payloads = nil
	} else if len(payloads) == 0 {
		t.Error("a datagram with nothing to deliver was not counted")
	}
	if !slices.Equal(b.delivered, payloads) {
		t.Errorf("delivered %q, want %q", b.delivered, payloads)
	}
}

// Every datagram of the seeds is cut at every byte and has every bit flipped.
func TestDatagramDamagedAnywhere(t *testing.T) {
	for _, whole := range seedStreams(t) {
		whole = whole[:min(len(whole), 600)]
		for n := range whole {
			checkDatagram(t, []byte(whole[:n]))
			for bit := range 8 {
				b := []byte(whole)
				b[n] ^= 1 << bit
				checkDatagram(t, b)
			}
		}
	}
}
