package nio

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// listen adds a member behind a real socket.
func (b *bench) listen() *fake {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	f := &fake{t: b.T, conns: make(chan *fakeConn, 100)}
	f.member = testMember(b.T, "127.0.0.1", l.Addr().(*net.TCPAddr).Port)
	done := make(chan struct{})
	go func() { // ends when l is closed
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			f.mu.Lock()
			f.dials++
			f.mu.Unlock()
			f.conns <- &fakeConn{t: b.T, Conn: conn}
		}
	}()
	b.Cleanup(func() {
		l.Close()
		<-done
		for len(f.conns) > 0 {
			(<-f.conns).Close()
		}
	})
	return f
}

func newTCPBench(t *testing.T, cfg SenderConfig) *bench {
	if cfg.Dial == nil {
		cfg.Dial = new(net.Dialer).DialContext
	}
	return newBench(t, cfg)
}

func (f *fake) acceptTCP() *fakeConn {
	c := f.accept()
	f.t.Cleanup(func() { c.Close() })
	return c
}

// TestSizes sends frames of all sizes, copied and retained ones in one batch,
// and compares the bytes.
func TestSizes(t *testing.T) {
	b := newTCPBench(t, SenderConfig{})
	f := b.listen()
	sizes := []int{0, 1, 100, inlineMax - 136, inlineMax - 135, inlineMax - 134, inlineMax, chunkSize, 1 << 20, 5 << 20, 3, 20000, 4}
	random := rand.NewChaCha8([32]byte{1})
	var all []*sending
	var payloads [][]byte
	for _, o := range []message.Options{0, message.UseAck} {
		for _, size := range sizes {
			payload := make([]byte, size)
			random.Read(payload)
			payloads = append(payloads, payload)
			all = append(all, b.send(o, string(payload), f))
		}
	}
	c := f.acceptTCP()
	acked := uint64(0)
	for i, payload := range payloads {
		got := c.frame()
		if got == nil || !bytes.Equal(got.Message, payload) {
			t.Fatalf("message %d of %d bytes differs", i, len(payload))
		}
		if got.Options.Acked() {
			acked++
			c.numbered(acked)
		}
	}
	for _, s := range all {
		if r := s.results()[0]; !r.Outcome.OK() {
			t.Errorf("result = %+v, want a success", r)
		}
	}
}

// TestRetryOfLargeFrames writes retained and copied frames again from the same
// memory.
func TestRetryOfLargeFrames(t *testing.T) {
	b := newTCPBench(t, SenderConfig{})
	f := b.listen()
	large := string(bytes.Repeat([]byte("large"), 100_000))
	proof := b.send(message.UseAck, "proof", f)
	c := f.acceptTCP()
	c.want("proof")
	c.numbered(1)
	proof.want(message.Acknowledged, nil)
	all := []*sending{b.send(message.UseAck, "one", f), b.send(message.UseAck, large, f), b.send(message.UseAck, "two", f)}
	c.want("one")
	c.want(large)
	c.Close()
	c = f.acceptTCP()
	for i, payload := range []string{"one", large, "two"} {
		c.want(payload)
		c.numbered(uint64(i + 1))
	}
	for _, s := range all {
		s.want(message.Acknowledged, nil)
	}
}

// TestGivenUpIsReset looks for the reset at the other end: what was given up
// cannot arrive later.
func TestGivenUpIsReset(t *testing.T) {
	b := newTCPBench(t, SenderConfig{Timeouts: SenderTimeouts{Ack: 50 * time.Millisecond}})
	f := b.listen()
	s := b.send(message.UseAck, "x", f)
	c := f.acceptTCP()
	c.want("x")
	s.want(message.Unknown, message.ErrTimeout)
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("Read at the other end: %v, want %v", err, syscall.ECONNRESET)
	}
}

// TestRefusedByTheSystem sends to a port where nobody listens.
func TestRefusedByTheSystem(t *testing.T) {
	b := newTCPBench(t, SenderConfig{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{member: testMember(t, "127.0.0.1", l.Addr().(*net.TCPAddr).Port)}
	l.Close()
	healthy := b.listen()
	r := b.send(0, "x", f, healthy).results()
	if r[0].Outcome != message.NotSent || !errors.Is(r[0].Err, syscall.ECONNREFUSED) {
		t.Errorf("result = %+v, want a refused connection", r[0])
	}
	if r[1].Outcome != message.Written {
		t.Errorf("result at the healthy member = %+v", r[1])
	}
}

// TestResetByMember has a member that resets the connection.
func TestResetByMember(t *testing.T) {
	b := newTCPBench(t, SenderConfig{})
	f := b.listen()
	s := b.send(message.UseAck, "x", f)
	for range 2 {
		c := f.acceptTCP()
		c.want("x")
		abort(c.Conn)
	}
	s.want(message.Unknown, syscall.ECONNRESET)
}

// TestStuckReader fills the buffers of the system until nothing moves.
func TestStuckReader(t *testing.T) {
	b := newTCPBench(t, SenderConfig{Timeouts: SenderTimeouts{Write: 100 * time.Millisecond}, QueueBytes: 1 << 20})
	stuck, healthy := b.listen(), b.listen()
	large := string(make([]byte, 1<<20))
	for i := 0; ; i++ {
		if i == 100 {
			t.Fatal("100 MiB were written to a member that reads nothing")
		}
		if r := b.send(0, large, stuck).results()[0]; r.Outcome != message.Written {
			if r.Outcome != message.NotSent || !errors.Is(r.Err, message.ErrTimeout) {
				t.Errorf("result = %+v, want a timeout", r)
			}
			break
		}
	}
	b.send(0, "x", healthy).want(message.Written, nil)
}

// TestSocketOptions looks at what the system says of a connection.
func TestSocketOptions(t *testing.T) {
	for _, network := range []string{"tcp4", "tcp6"} {
		l, err := net.Listen(network, "localhost:0")
		if err != nil {
			if network == "tcp6" {
				continue // a machine without IPv6
			}
			t.Fatal(err)
		}
		c, err := net.Dial(network, l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		o := SocketOptions{ReadBuffer: 32 << 10, WriteBuffer: 16 << 10, Delay: true, KeepAlive: time.Minute, TrafficClass: 28}
		if err := o.apply(c); err != nil {
			t.Errorf("apply: %v", err)
		}
		checkSocket(t, c.(*net.TCPConn), &o)
		if err := new(SocketOptions).apply(c); err != nil {
			t.Errorf("apply: %v", err)
		}
		c.Close()
		if err := o.apply(c); err == nil {
			t.Error("apply on a closed connection returned no error")
		}
		l.Close()
	}
	ours, theirs := net.Pipe()
	defer theirs.Close()
	if err := new(SocketOptions).apply(ours); err != nil {
		t.Errorf("apply on a pipe: %v", err)
	}
	abort(ours)
}

func (b *bench) probe(kind channel.ProbeKind, m *membership.Member) error {
	b.Helper()
	msg := b.message(message.UseAck, "probe")
	defer msg.Release()
	return b.s.Probe(b.Context(), m, channel.Probe{Kind: kind, Message: msg, Connect: time.Second, Read: 50 * time.Millisecond})
}

func TestProbe(t *testing.T) {
	b := newTCPBench(t, SenderConfig{})
	f := b.listen()
	go func() { // ends when the test has read the last probe
		for range 3 {
			f.acceptTCP()
		}
	}()
	if err := b.probe(channel.ProbeConnect, f.member); err != nil {
		t.Errorf("connect: %v", err)
	}
	if err := b.probe(channel.ProbeWrite, f.member); err != nil {
		t.Errorf("write: %v", err)
	}
	if err := b.probe(channel.ProbeRead, f.member); !errors.Is(err, message.ErrTimeout) {
		t.Errorf("read of a member that does not answer: %v, want %v", err, message.ErrTimeout)
	}
	answered := make(chan *message.Frame, 1)
	go func() { // ends with the probe
		c := f.acceptTCP()
		answered <- c.frame()
		c.ack()
		c.wantEnd()
	}()
	if err := b.probe(channel.ProbeRead, f.member); err != nil {
		t.Errorf("read: %v", err)
	}
	if got := <-answered; string(got.Message) != "probe" || got.Options != message.ByteMessage|message.UseAck {
		t.Errorf("probe frame = %q, %v", got.Message, got.Options)
	}
	if err := b.s.Probe(t.Context(), f.member, channel.Probe{Kind: channel.ProbeWrite}); err == nil {
		t.Error("a probe without message returned no error")
	}
	if err := b.probe(channel.ProbeConnect, testMember(t, "0.0.0.0", 1)); !errors.Is(err, errAddress) {
		t.Errorf("probe of an unusable address: %v, want %v", err, errAddress)
	}
	if len(b.s.Stats()) != 0 {
		t.Error("a probe left something behind")
	}
}

func TestProbeRefusedAndContext(t *testing.T) {
	b := newTCPBench(t, SenderConfig{Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		if netip.MustParseAddrPort(address).Port() == 1 {
			return nil, errRefused
		}
		<-ctx.Done()
		return nil, ctx.Err()
	}})
	if err := b.probe(channel.ProbeRead, testMember(t, "127.0.0.1", 1)); !errors.Is(err, errRefused) {
		t.Errorf("probe: %v, want %v", err, errRefused)
	}
	hanging := testMember(t, "127.0.0.1", 2)
	err := b.s.Probe(t.Context(), hanging, channel.Probe{Kind: channel.ProbeConnect, Connect: time.Millisecond})
	if !errors.Is(err, message.ErrTimeout) {
		t.Errorf("probe: %v, want %v", err, message.ErrTimeout)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	reason := errors.New("changed my mind")
	cancel(reason)
	if err := b.s.Probe(ctx, hanging, channel.Probe{Kind: channel.ProbeConnect}); !errors.Is(err, reason) {
		t.Errorf("probe: %v, want %v", err, reason)
	}
}
