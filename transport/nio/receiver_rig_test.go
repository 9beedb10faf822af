package nio

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// rxRig is a receiver under test, on a port of the loopback interface, and what
// it was seen to do.
type rxRig struct {
	testing.TB
	r     *Receiver
	pool  message.Pool
	bound channel.Bound

	forgetful atomic.Bool // messages are not noted

	mu         sync.Mutex
	changed    chan struct{} // closed at the next change of what follows
	delivered  []string      // payloads
	rejected   []string
	dropped    []string
	duplicates int
	log        bytes.Buffer
}

// rxPollers are the pollers that the system has.
func rxPollers() []Poller {
	if runtime.GOOS == "linux" {
		return []Poller{PollerRuntime, PollerEpoll}
	}
	return []Poller{PollerRuntime}
}

// eachPoller runs a test with every poller.
func eachPoller(t *testing.T, test func(t *testing.T, p Poller)) {
	for _, p := range rxPollers() {
		t.Run(p.String(), func(t *testing.T) { test(t, p) })
	}
}

// newRx starts a receiver. Its messages are noted, then handled by handle, which
// may be nil.
func newRx(t testing.TB, cfg ReceiverConfig, handle channel.ReceiveFunc) *rxRig {
	t.Helper()
	g := &rxRig{TB: t, changed: make(chan struct{})}
	if cfg.Address == "" {
		cfg.Address = "127.0.0.1"
	}
	if cfg.Port == 0 {
		cfg.Port = AnyPort
	}
	if cfg.TLS != nil {
		cfg.SecurePort = AnyPort
	}
	r, err := NewReceiver(cfg)
	if err != nil {
		t.Fatalf("NewReceiver: %v", err)
	}
	g.r = r
	if g.bound, err = r.Start(context.Background(), g.env(handle)); err != nil {
		t.Fatalf("Start: %v", err)
	}
	t.Cleanup(g.stop)
	return g
}

func (g *rxRig) env(handle channel.ReceiveFunc) channel.Env {
	trace := &channel.Trace{
		Rejected: func(_ netip.AddrPort, reason string) {
			g.note(func() { g.rejected = append(g.rejected, reason) })
		},
		MessageDropped: func(_ string, _ *membership.Member, _ message.ID, reason string) {
			g.note(func() { g.dropped = append(g.dropped, reason) })
		},
		Duplicate: func(*membership.Member, message.ID) { g.note(func() { g.duplicates++ }) },
	}
	return channel.Env{
		Pool:   &g.pool,
		Logger: slog.New(slog.NewTextHandler(lockedWriter{g}, nil)),
		Trace:  trace.WithDefaults(),
		Deliver: func(ctx context.Context, m *message.Message) error {
			if !g.forgetful.Load() {
				g.note(func() { g.delivered = append(g.delivered, string(m.Payload())) })
			}
			if handle == nil {
				return nil
			}
			return handle(ctx, m)
		},
	}
}

// lockedWriter is the log of a rig.
type lockedWriter struct{ g *rxRig }

func (w lockedWriter) Write(b []byte) (int, error) {
	w.g.mu.Lock()
	defer w.g.mu.Unlock()
	return w.g.log.Write(b)
}

func (g *rxRig) note(change func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	change()
	close(g.changed)
	g.changed = make(chan struct{})
}

// until waits until ok returns true, which is asked after every change.
func (g *rxRig) until(what string, ok func() bool) {
	g.Helper()
	timer := time.NewTimer(waiting)
	defer timer.Stop()
	for {
		g.mu.Lock()
		done, changed := ok(), g.changed
		g.mu.Unlock()
		if done {
			return
		}
		select {
		case <-changed:
		case <-timer.C:
			g.mu.Lock()
			defer g.mu.Unlock()
			g.Fatalf("waited %v for %s; delivered %d, rejected %q", waiting, what, len(g.delivered), g.rejected)
		}
	}
}

// wantDelivered waits for so many messages and compares them.
func (g *rxRig) wantDelivered(want ...string) {
	g.Helper()
	g.until(fmt.Sprintf("%d messages", len(want)), func() bool { return len(g.delivered) >= len(want) })
	g.mu.Lock()
	defer g.mu.Unlock()
	if !slices.Equal(g.delivered, want) {
		g.Errorf("delivered %q, want %q", g.delivered, want)
	}
}

// wantRejected waits for the first rejection and compares its reason.
func (g *rxRig) wantRejected(reason string) {
	g.Helper()
	g.until("a rejection", func() bool { return len(g.rejected) > 0 })
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.rejected[0] != reason {
		g.Errorf("rejected for %q, want %q", g.rejected[0], reason)
	}
}

func (g *rxRig) logged() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.log.String()
}

// stop ends the receiver and looks at what is left of its books.
func (g *rxRig) stop() {
	g.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), waiting)
	defer cancel()
	if err := g.r.Stop(ctx); err != nil {
		g.Errorf("Stop: %v", err)
	}
	g.wantNothingHeld()
}

func (g *rxRig) wantNothingHeld() {
	g.Helper()
	if s := g.r.Stats(); s.Conns != 0 || s.Held != 0 {
		g.Errorf("after Stop: %d connections, %d bytes held, want none", s.Conns, s.Held)
	}
	if b := g.r.budget; b.used.Load() != 0 || len(b.line) != 0 || b.holder != nil {
		g.Errorf("after Stop: budget has %d bytes in use, %d in line, holder %v", b.used.Load(), len(b.line), b.holder)
	}
}

// rxConnRig is the receiver's side of a connection.
type rxConnRig struct {
	g *rxRig
	*rxConn
}

// conn is the only connection.
func (g *rxRig) conn() *rxConnRig {
	g.Helper()
	g.poll("a connection", func() bool { return len(g.r.connections()) == 1 })
	return &rxConnRig{g, g.r.connections()[0]}
}

func (c *rxConnRig) untilReset() {
	c.g.Helper()
	c.g.poll("the reset to be noticed", c.reset.Load)
}

// untilHeld waits until the connection is not read for that reason.
func (c *rxConnRig) untilHeld(bit uint32) {
	c.g.Helper()
	c.g.poll("the reading to pause", func() bool { return c.hold.Load()&bit != 0 })
}

// poll waits for what a receiver tells nobody when it happens.
func (g *rxRig) poll(what string, ok func() bool) {
	g.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(waiting); !ok(); <-tick.C {
		if time.Now().After(end) {
			g.Fatalf("waited %v for %s", waiting, what)
		}
	}
}

// rxPeer is a raw connection to the receiver.
type rxPeer struct {
	g *rxRig
	net.Conn
}

func (g *rxRig) addr() string {
	return netip.AddrPortFrom(g.bound.Host, uint16(g.bound.Port)).String()
}

func (g *rxRig) dial() *rxPeer {
	g.Helper()
	c, err := net.Dial("tcp", g.addr())
	if err != nil {
		g.Fatalf("dial: %v", err)
	}
	g.Cleanup(func() { c.Close() })
	return &rxPeer{g, c}
}

// put writes bytes.
func (p *rxPeer) put(all ...string) {
	p.g.Helper()
	if _, err := io.WriteString(p, strings.Join(all, "")); err != nil {
		p.g.Fatalf("write: %v", err)
	}
}

// want reads as many bytes as the answers have and compares.
func (p *rxPeer) want(answers ...string) {
	p.g.Helper()
	want := strings.Join(answers, "")
	if got := p.get(len(want)); got != want {
		p.g.Fatalf("answer %q, want %q", got, want)
	}
}

func (p *rxPeer) get(n int) string {
	p.g.Helper()
	p.until(waiting)
	b := make([]byte, n)
	n, err := io.ReadFull(p, b)
	if err != nil {
		p.g.Fatalf("read: %v after %q", err, b[:n])
	}
	return string(b)
}

func (p *rxPeer) until(d time.Duration) {
	p.g.Helper()
	if err := p.SetReadDeadline(time.Now().Add(d)); err != nil {
		p.g.Fatal(err)
	}
}

// wantClosed reads until the connection ends and wants nothing before that.
func (p *rxPeer) wantClosed() {
	p.g.Helper()
	p.until(waiting)
	rest, err := io.ReadAll(p)
	if len(rest) > 0 || isTimeout(err) {
		p.g.Errorf("read %q, %v, want the end of the connection", rest, err)
	}
}

// reset closes the connection such that the other end sees a reset.
func (p *rxPeer) reset() {
	p.g.Helper()
	if err := p.Conn.(*net.TCPConn).SetLinger(0); err != nil {
		p.g.Fatal(err)
	}
	p.Close()
}

// frames makes frames of one sender.
type frames struct {
	t      testing.TB
	source *membership.Member
	pool   message.Pool
}

func newFrames(t testing.TB) *frames {
	return &frames{t: t, source: testMember(t, "10.0.0.1", 4000)}
}

func (f *frames) frame(o message.Options, payload string) string {
	return f.frameID(message.NewID(), o, payload)
}

func (f *frames) frameID(id message.ID, o message.Options, payload string) string {
	m := f.pool.New(len(payload))
	defer m.Release()
	copy(m.Payload(), payload)
	m.ID, m.Source, m.Sent, m.Options = id, f.source, 1700000000123, o|message.ByteMessage
	return string(message.AppendFrame(nil, m, 0))
}

const (
	optNone     = message.Options(0)
	optAck      = message.UseAck
	optSync     = message.Sync
	optAckNum   = message.UseAck | message.NumberedAcks
	optSyncNum  = message.Sync | message.NumberedAcks
	ackPlainOK  = message.AckFrame
	ackPlainBad = message.FailAckFrame
)

func numberedAck(upTo uint64, settled ...message.Settled) string {
	return string(message.AppendNumberedAck(nil, 0, upTo, settled))
}

func ackOf(n uint64) message.Settled {
	return message.Settled{Number: n, Outcome: message.Acknowledged}
}

func refusalOf(n uint64, reason string) message.Settled {
	return message.Settled{Number: n, Outcome: message.Refused, Reason: reason}
}
