package nio

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
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

// heard is a listener that keeps what came, and whether as secure.
type heard struct {
	mu  sync.Mutex
	all []string
}

func (h *heard) receive(_ context.Context, m *message.Message) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all = append(h.all, fmt.Sprintf("%s %v", m.Payload(), m.Options.Has(message.Secure)))
	return nil
}

func (h *heard) sorted() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Sorted(slices.Values(h.all))
}

// TestSecureMessages sends messages with the option Secure and others to one
// member: those with it travel over links of their own, to the secure port, and
// not a byte of them in the clear.
func TestSecureMessages(t *testing.T) {
	for _, poller := range rxPollers() {
		t.Run(poller.String(), func(t *testing.T) {
			ca, tap, got := newAuthority(t), new(wiretap), new(heard)
			p := newPair(t, SenderConfig{Dial: tap.dial, TLS: ca.client()}, ReceiverConfig{Poller: poller, TLS: ca.server()}, got.receive)
			to := &fake{t: t, member: p.to}
			p.send(message.Secure|message.Sync, "first secret", to).want(message.Acknowledged, nil)
			p.send(message.Sync, "public", to).want(message.Acknowledged, nil)
			p.send(message.Secure, "second secret", to).want(message.Written, nil)
			p.send(message.Secure|message.UseAck, strings.Repeat("long secret ", 20_000), to).want(message.Acknowledged, nil)
			p.send(message.Secure|message.Sync, "last secret", to).want(message.Acknowledged, nil)
			want := []string{"first secret true", "last secret true", strings.Repeat("long secret ", 20_000) + " true", "public false", "second secret true"}
			if !slices.Equal(got.sorted(), want) {
				t.Errorf("delivered %.200q, want %.200q", got.sorted(), want)
			}
			if tap.saw("secret") || !tap.saw("public") {
				t.Errorf("in the clear: a secret %v, the other message %v; want false, true", tap.saw("secret"), tap.saw("public"))
			}
			if n := len(tap.dialled()); n != 2 {
				t.Errorf("%d connections, want one for each kind", n)
			}
			wantSecureStats(t, p)
		})
	}
}

func wantSecureStats(t *testing.T, p *pair) {
	t.Helper()
	if err := p.s.Stop(t.Context()); err != nil { // an answer can be faster than the count of what it answers
		t.Fatal(err)
	}
	sent := make(map[bool]uint64)
	for _, m := range p.s.Stats() {
		sent[m.Secure] = m.Sent
		if m.Acks != "numbered" {
			t.Errorf("secure %v: %s acks, want numbered", m.Secure, m.Acks)
		}
	}
	if sent[true] != 4 || sent[false] != 1 {
		t.Errorf("sent by links that are secure: %v, want 4 true, 1 false", sent)
	}
}

// TestNeverInTheClear has messages with the option Secure for which there is no
// secure way: none is sent, and the error says why.
func TestNeverInTheClear(t *testing.T) {
	ca, other := newAuthority(t), newAuthority(t)
	got := new(heard)
	named := ca.client()
	named.ServerName = "member.example"
	strangers := other.client()
	tests := []struct {
		name    string
		sender  *tls.Config
		options message.Options
		port    func(p *pair) int // the secure port that the member tells
		cause   error             // nil: an error of the way
		text    string
	}{
		{"sender without TLS", nil, 0, nil, channel.ErrNotSecure, "no TLS configuration"},
		{"member without secure port", ca.client(), 0, func(*pair) int { return membership.NoPort }, channel.ErrNotSecure, "no secure port"},
		{"secure port 0", ca.client(), 0, func(*pair) int { return 0 }, channel.ErrNotSecure, "no secure port"},
		{"datagram", ca.client(), message.UDP, nil, channel.ErrNotSecure, "in the clear"},
		{"datagram, sender without TLS", nil, message.UDP, nil, channel.ErrNotSecure, "in the clear"},
		{"the port is a clear one", ca.client(), 0, func(p *pair) int { return p.to.Port() }, nil, "TLS handshake"},
		{"nobody listens there", ca.client(), 0, func(*pair) int { return unusedPort(t) }, nil, "refused"},
		{"certificate of a stranger", strangers, 0, nil, nil, "unknown authority"},
		{"certificate for another name", named, 0, nil, nil, "member.example"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tap := new(wiretap)
			p := newPair(t, SenderConfig{Dial: tap.dial, TLS: tt.sender}, ReceiverConfig{TLS: ca.server(), UDPPort: AnyPort}, got.receive)
			to := p.to
			if tt.port != nil {
				to = withSecurePort(t, to, tt.port(p))
			}
			for _, o := range []message.Options{0, message.UseAck, message.Sync} {
				err := p.tell(o|message.Secure|tt.options, "secret", to)
				if err == nil || !errors.Is(err, tt.cause) && tt.cause != nil || !strings.Contains(err.Error(), tt.text) {
					t.Errorf("%v: error = %v, want one of %v that says %q", o, err, tt.cause, tt.text)
				}
				if tt.cause == nil && errors.Is(err, channel.ErrNotSecure) {
					t.Errorf("%v: error = %v, want one of the way", o, err)
				}
			}
			if tap.saw("secret") || tt.cause != nil && len(tap.dialled()) > 0 {
				t.Errorf("a secret in the clear: %v; dialled %v", tap.saw("secret"), tap.dialled())
			}
		})
	}
	if len(got.sorted()) > 0 {
		t.Errorf("delivered %q, want nothing", got.sorted())
	}
}

// tell sends a message that must have the outcome NotSent, and returns why.
func (b *bench) tell(o message.Options, payload string, to *membership.Member) error {
	b.Helper()
	m := b.message(o, payload)
	defer m.Release()
	done := make(chan struct{})
	r := message.NewReceipt(1, func(*message.Receipt) { close(done) })
	if err := b.s.Send(b.Context(), []*membership.Member{to}, m, r); err != nil {
		return err // the channel then says NotSent for all
	}
	<-done
	res := r.Results([]*membership.Member{to}, nil)[0]
	if res.Outcome != message.NotSent {
		b.Errorf("outcome = %v (%v), want %v", res.Outcome, res.Err, message.NotSent)
	}
	return res.Err
}

func unusedPort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// TestSecureToSome sends one message to a member that has TLS and to one that
// has not: the first gets it, and the second costs it nothing.
func TestSecureToSome(t *testing.T) {
	ca, got := newAuthority(t), new(heard)
	p := newPair(t, SenderConfig{TLS: ca.client()}, ReceiverConfig{TLS: ca.server()}, got.receive)
	clear := p.listen()
	r := p.send(message.Secure|message.Sync, "secret", &fake{t: t, member: p.to}, clear).results()
	if r[0].Outcome != message.Acknowledged || r[1].Outcome != message.NotSent || !errors.Is(r[1].Err, channel.ErrNotSecure) {
		t.Errorf("results = %+v, want acknowledged, and not sent for %v", r, channel.ErrNotSecure)
	}
	if len(p.faults) > 0 || clear.dialled() > 0 {
		t.Errorf("%d faults, %d connections; want none: the member without TLS can be reached", len(p.faults), clear.dialled())
	}
}

// TestServerName checks certificates by name instead of by address.
func TestServerName(t *testing.T) {
	ca, got := newAuthority(t), new(heard)
	client, server := ca.client(), ca.server()
	client.ServerName = "member.example"
	server.Certificates = []tls.Certificate{ca.issue(4, "member.example")}
	p := newPair(t, SenderConfig{TLS: client}, ReceiverConfig{TLS: server}, got.receive)
	p.send(message.Secure|message.Sync, "secret", &fake{t: t, member: p.to}).want(message.Acknowledged, nil)
}

// TestClientCertificateRequired has a sender whose certificate the member does
// not take. With TLS 1.3 that shows only after the first message was written.
func TestClientCertificateRequired(t *testing.T) {
	ca, got := newAuthority(t), new(heard)
	client := ca.client()
	client.Certificates = nil
	p := newPair(t, SenderConfig{TLS: client}, ReceiverConfig{TLS: ca.server()}, got.receive)
	r := p.send(message.Secure|message.Sync, "secret", &fake{t: t, member: p.to}).results()[0]
	if r.Outcome.OK() || r.Err == nil || !strings.Contains(r.Err.Error(), "certificate required") {
		t.Errorf("result = %+v, want a failure that says that a certificate is required", r)
	}
	if n := p.r.Stats().Rejected[reasonHandshake]; n == 0 || len(got.sorted()) > 0 {
		t.Errorf("%d handshakes counted as failed, delivered %q; want some, nothing", n, got.sorted())
	}
}

// TestSecurePortChanges has a member that tells another secure port later, as
// one does that was known by its address alone.
func TestSecurePortChanges(t *testing.T) {
	ca, got := newAuthority(t), new(heard)
	p := newPair(t, SenderConfig{TLS: ca.client(), Retries: -1}, ReceiverConfig{TLS: ca.server()}, got.receive)
	moved := withSecurePort(t, p.to, unusedPort(t))
	p.send(message.Secure|message.Sync, "lost", &fake{t: t, member: moved}).want(message.NotSent, nil)
	p.send(message.Secure|message.Sync, "arrives", &fake{t: t, member: p.to}).want(message.Acknowledged, nil)
	p.send(message.Sync, "public", &fake{t: t, member: p.to}).want(message.Acknowledged, nil)
	p.s.Forget(p.to)
	if n := len(p.s.Stats()); n != 0 {
		t.Errorf("after Forget something is kept for %d ways to the member, want none", n)
	}
	p.send(message.Secure|message.Sync, "begins anew", &fake{t: t, member: p.to}).want(message.Acknowledged, nil)
}

// TestPreconnectSecure connects early to the port that messages will go to.
func TestPreconnectSecure(t *testing.T) {
	ca, tap := newAuthority(t), new(wiretap)
	p := newPair(t, SenderConfig{Dial: tap.dial, TLS: ca.client(), Pool: SenderPool{Preconnect: true}}, ReceiverConfig{TLS: ca.server()}, new(heard).receive)
	p.s.Prepare(p.to)
	p.send(message.Secure|message.Sync, "secret", &fake{t: t, member: p.to}).want(message.Acknowledged, nil)
	want := net.JoinHostPort("127.0.0.1", fmt.Sprint(p.to.SecurePort()))
	if d := tap.dialled(); len(d) != 1 || d[0] != want {
		t.Errorf("dialled %v, want %s once", d, want)
	}
}

// TestHandshakeTimeout has a member that accepts connections to its secure port
// and says nothing.
func TestHandshakeTimeout(t *testing.T) {
	b := newTCPBench(t, SenderConfig{TLS: newAuthority(t).client(), Timeouts: SenderTimeouts{Connect: 100 * time.Millisecond}})
	f := b.listen()
	f.member = withSecurePort(t, f.member, f.member.Port())
	b.send(message.Secure|message.Sync, "secret", f).want(message.NotSent, message.ErrTimeout)
}

// TestForgetWaitsForNoGoodbye forgets a member that reads no more: the goodbye of
// TLS finds no room, and nobody waits for it.
func TestForgetWaitsForNoGoodbye(t *testing.T) {
	ca := newAuthority(t)
	client := ca.client()
	client.ServerName = "127.0.0.1" // the world of fakes has other addresses
	b := newBench(t, SenderConfig{TLS: client})
	f := b.member()
	f.member = withSecurePort(t, f.member, f.member.Port())
	s := b.send(message.Secure, "x", f)
	c := f.accept()
	t.Cleanup(func() { c.Close() })
	pipe := c.Conn
	c.Conn = tls.Server(pipe, ca.server())
	c.want("x")
	s.want(message.Written, nil)
	begin := time.Now()
	b.s.Forget(f.member)
	if took := time.Since(begin); took > 4*time.Second {
		t.Errorf("took %v, want less than the 5 s that a goodbye may take", took)
	}
	if n, err := pipe.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("read %d bytes, %v; want the end", n, err)
	}
}

// TestCertificateRotation changes the certificates of both sides under load, and
// then what is trusted. Connections are renewed all the time; no message is lost,
// doubled or overtaken.
func TestCertificateRotation(t *testing.T) {
	ca := newAuthority(t)
	var mine, theirs atomic.Pointer[tls.Certificate]
	rotate := func(serial int64) {
		a, b := ca.issue(serial), ca.issue(serial)
		mine.Store(&a)
		theirs.Store(&b)
	}
	rotate(100)
	var mu sync.Mutex
	seen := make(map[int64]bool)
	note := func(s tls.ConnectionState) error {
		mu.Lock()
		defer mu.Unlock()
		seen[s.PeerCertificates[0].SerialNumber.Int64()] = true
		return nil
	}
	server := &tls.Config{
		ClientCAs: ca.pool, ClientAuth: tls.RequireAndVerifyClientCert, VerifyConnection: note,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return theirs.Load(), nil },
	}
	client := &tls.Config{
		RootCAs: ca.pool, VerifyConnection: note,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return mine.Load(), nil },
	}
	var got []uint32
	p := newPair(t, SenderConfig{TLS: client, Pool: SenderPool{MaxUses: 20}}, ReceiverConfig{TLS: server},
		func(_ context.Context, m *message.Message) error {
			mu.Lock()
			defer mu.Unlock()
			got = append(got, binary.BigEndian.Uint32(m.Payload()))
			return nil
		})
	const count, generations = 1000, 5
	to := &fake{t: t, member: p.to}
	var all []*sending
	for i := range uint32(count) {
		if i%(count/generations) == 0 && i > 0 {
			all[i-1].results()
			rotate(100 + int64(i)/(count/generations))
		}
		o := []message.Options{0, message.UseAck, message.Sync}[i%3]
		all = append(all, p.send(o|message.Secure, string(binary.BigEndian.AppendUint32(nil, i)), to))
	}
	for i, s := range all {
		if r := s.results()[0]; !r.Outcome.OK() {
			t.Fatalf("message %d: %+v, want a success", i, r)
		}
	}
	p.send(message.Sync|message.Secure, "\xff\xff\xff\xff", to).want(message.Acknowledged, nil)
	mu.Lock()
	defer mu.Unlock()
	if len(got) != count+1 || !slices.IsSorted(got) {
		t.Errorf("delivered %d messages, in order %v; want %d, true", len(got), slices.IsSorted(got), count+1)
	}
	if len(seen) != generations {
		t.Errorf("certificates %v were used, want %d of them", seen, generations)
	}
}
