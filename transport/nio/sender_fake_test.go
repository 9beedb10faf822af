package nio

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// waiting is how long a test waits, on whatever clock it has, for what must happen.
const waiting = time.Minute

// bench is a sender under test and what it was heard to do.
type bench struct {
	*testing.T
	s     *Sender
	pool  message.Pool
	local *membership.Member
	world *world

	mu     sync.Mutex
	events []string
	faults []message.ID
	log    strings.Builder
}

// has reports whether the sender was heard to do that.
func (b *bench) has(event string) bool { return slices.Contains(b.heard(), event) }

// world has the members that a sender can reach, by address.
type world struct {
	mu    sync.Mutex
	fakes map[string]*fake
}

// fake is a member whose every move the test makes.
type fake struct {
	t      *testing.T
	member *membership.Member
	conns  chan *fakeConn
	mu     sync.Mutex
	dials  int
	refuse error // what dialling returns
	hang   bool  // dialling takes for ever
}

func newBench(t *testing.T, cfg SenderConfig) *bench {
	t.Helper()
	b := &bench{T: t, local: testMember(t, "10.0.0.1", 4000), world: &world{fakes: make(map[string]*fake)}}
	if cfg.Dial == nil {
		cfg.Dial = b.world.dial
	}
	s, err := NewSender(cfg)
	if err != nil {
		t.Fatalf("NewSender: %v", err)
	}
	b.s = s
	if err := s.Start(t.Context(), b.env()); err != nil {
		t.Fatalf("Start: %v", err)
	}
	t.Cleanup(b.stop)
	return b
}

// stop cuts off whatever the test has left.
func (b *bench) stop() {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = b.s.Stop(ctx) // tests that care have stopped before
}

func (b *bench) env() channel.Env {
	trace := &channel.Trace{
		LinkUp: func(m *membership.Member) { b.note("up") },
		LinkDown: func(m *membership.Member, err error) {
			if err != nil {
				b.note("down: error")
			} else {
				b.note("down")
			}
		},
		Retry:    func(_ *membership.Member, id message.ID, cause error) { b.note("retry") },
		Rejected: func(_ netip.AddrPort, reason string) { b.note("rejected: " + reason) },
	}
	return channel.Env{
		Local: func() *membership.Member { return b.local },
		Fault: func(m *membership.Member, id message.ID, err error) {
			var remote *message.RemoteError
			if err == nil || errors.As(err, &remote) {
				b.Errorf("Fault(%v): %v", m, err)
			}
			b.mu.Lock()
			defer b.mu.Unlock()
			b.faults = append(b.faults, id)
		},
		Pool:   &b.pool,
		Logger: slog.New(slog.NewTextHandler(&b.log, nil)),
		Trace:  trace.WithDefaults(),
	}
}

func (b *bench) note(event string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.events = append(b.events, event)
}

func (b *bench) heard() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.events)
}

func (b *bench) faulted(id message.ID) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Contains(b.faults, id)
}

func testMember(t testing.TB, host string, port int) *membership.Member {
	t.Helper()
	m, err := membership.New(membership.Attributes{Host: netip.MustParseAddr(host), Port: port,
		SecurePort: membership.NoPort, UDPPort: membership.NoPort, ID: membership.NewID()})
	if err != nil {
		t.Fatalf("membership.New: %v", err)
	}
	return m
}

// member adds a member to the world.
func (b *bench) member() *fake {
	b.Helper()
	b.world.mu.Lock()
	defer b.world.mu.Unlock()
	f := &fake{t: b.T, conns: make(chan *fakeConn, 1000)}
	f.member = testMember(b.T, fmt.Sprintf("10.0.1.%d", len(b.world.fakes)+1), 4000)
	b.world.fakes[f.member.AddrPort().String()] = f
	return f
}

// dial connects to a fake through net.Pipe.
func (w *world) dial(ctx context.Context, _, address string) (net.Conn, error) {
	w.mu.Lock()
	f := w.fakes[address]
	w.mu.Unlock()
	f.mu.Lock()
	f.dials++
	refuse, hang := f.refuse, f.hang
	f.mu.Unlock()
	if hang {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if refuse != nil {
		return nil, refuse
	}
	ours, theirs := net.Pipe()
	f.conns <- &fakeConn{t: f.t, Conn: theirs}
	return ours, nil
}

func (f *fake) dialled() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.dials
}

func (f *fake) setRefuse(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refuse = err
}

// accept waits for the next connection.
func (f *fake) accept() *fakeConn {
	f.t.Helper()
	select {
	case c := <-f.conns:
		return c
	case <-time.After(waiting):
		f.t.Fatal("waited in vain for a connection")
		return nil
	}
}

// fakeConn is the member's end of a connection.
type fakeConn struct {
	t *testing.T
	net.Conn
	buf []byte
}

// frame waits for the next frame. It returns nil when the connection has ended.
func (c *fakeConn) frame() *message.Frame {
	c.t.Helper()
	for {
		data, size, err := message.Scan(c.buf, 0)
		if err != nil {
			c.t.Fatalf("the sender wrote nonsense: %v", err)
		}
		if data != nil {
			f, err := message.ParseFrame(slices.Clone(data))
			if err != nil {
				c.t.Fatalf("the sender wrote nonsense: %v", err)
			}
			c.buf = c.buf[size:]
			return &f
		}
		part := make([]byte, 64<<10)
		n, err := c.Read(part)
		c.buf = append(c.buf, part[:n]...)
		if err != nil {
			return nil
		}
	}
}

// want fails the test unless the next frame carries that message.
func (c *fakeConn) want(payload string) *message.Frame {
	c.t.Helper()
	f := c.frame()
	if f == nil {
		c.t.Fatalf("the connection ended, want the message %q", payload)
	}
	if string(f.Message) != payload {
		c.t.Fatalf("message = %q, want %q", f.Message, payload)
	}
	return f
}

// wantEnd fails the test unless the sender closes the connection next.
func (c *fakeConn) wantEnd() {
	c.t.Helper()
	if f := c.frame(); f != nil {
		c.t.Fatalf("message %q, want the end of the connection", f.Message)
	}
}

func (c *fakeConn) say(answer string) {
	c.t.Helper()
	if _, err := io.WriteString(c, answer); err != nil {
		c.t.Errorf("answer: %v", err)
	}
}

func (c *fakeConn) ack()     { c.say(message.AckFrame) }
func (c *fakeConn) failAck() { c.say(message.FailAckFrame) }

func (c *fakeConn) numbered(upTo uint64, settled ...message.Settled) {
	c.say(string(message.AppendNumberedAck(nil, 0, upTo, settled)))
}

// serve answers every frame until the connection ends.
func (c *fakeConn) serve(numbered bool) {
	acked := uint64(0)
	for f := c.frame(); f != nil; f = c.frame() {
		if !options(f).Acked() {
			continue
		}
		acked++
		answer := []byte(message.AckFrame)
		if numbered {
			answer = message.AppendNumberedAck(nil, 0, acked, nil)
		}
		if _, err := c.Write(answer); err != nil {
			return
		}
	}
}

func options(f *message.Frame) message.Options { return f.Options }

// sending is a message on its way.
type sending struct {
	b       *bench
	id      message.ID
	to      []*membership.Member
	receipt *message.Receipt
	done    chan struct{}
}

// send gives the sender a message; it must be accepted.
func (b *bench) send(o message.Options, payload string, to ...*fake) *sending {
	b.Helper()
	return b.sendCtx(b.Context(), o, payload, to...)
}

func (b *bench) sendCtx(ctx context.Context, o message.Options, payload string, to ...*fake) *sending {
	b.Helper()
	s := &sending{b: b, id: message.NewID(), done: make(chan struct{})}
	for _, f := range to {
		s.to = append(s.to, f.member)
	}
	m := b.message(o, payload)
	m.ID = s.id
	defer m.Release()
	s.receipt = message.NewReceipt(len(to), func(*message.Receipt) { close(s.done) })
	if err := b.s.Send(ctx, s.to, m, s.receipt); err != nil {
		b.Fatalf("Send: %v", err)
	}
	return s
}

// sendLater is send on a goroutine of its own, for sends that have to wait.
func (b *bench) sendLater(o message.Options, payload string, to ...*fake) <-chan *sending {
	sent := make(chan *sending, 1)
	go func() { sent <- b.send(o, payload, to...) }() // ends when the send is accepted or refused
	return sent
}

func (b *bench) message(o message.Options, payload string) *message.Message {
	m := b.pool.New(len(payload))
	copy(m.Payload(), payload)
	m.ID, m.Source, m.Sent, m.Options = message.NewID(), b.local, 1, o|message.ByteMessage
	return m
}

// results waits for the outcome at each destination.
func (s *sending) results() []message.Result {
	s.b.Helper()
	select {
	case <-s.done:
	case <-time.After(waiting):
		s.b.Fatal("waited in vain for an outcome")
	}
	return s.receipt.Results(s.to, nil)
}

// want fails the test unless the outcome at the only destination is o. With a
// failure the error must be cause, if that is not nil.
func (s *sending) want(o message.Outcome, cause error) message.Result {
	s.b.Helper()
	r := s.results()[0]
	if r.Outcome != o || o.OK() != (r.Err == nil) || cause != nil && !errors.Is(r.Err, cause) {
		s.b.Errorf("outcome = %v (%v), want %v (%v)", r.Outcome, r.Err, o, cause)
	}
	return r
}

func (s *sending) pending() bool {
	select {
	case <-s.done:
		return false
	default:
		return true
	}
}

func isRemote(err error, reason string) bool {
	var remote *message.RemoteError
	return errors.As(err, &remote) && remote.Reason == reason
}

func errorsAre(err error, all ...error) bool {
	for _, target := range all {
		if !errors.Is(err, target) {
			return false
		}
	}
	return true
}
