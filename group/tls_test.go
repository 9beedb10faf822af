package group

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/internal/testca"
	"github.com/gotribes/tribes/membership/static"
	"github.com/gotribes/tribes/message"
	"github.com/gotribes/tribes/transport/mem"
	"github.com/gotribes/tribes/transport/nio"
)

// mutual is a configuration for members that all have certificates of one
// authority.
func mutual(t *testing.T) *tls.Config {
	t.Helper()
	ca, err := testca.New()
	if err != nil {
		t.Fatal(err)
	}
	cert, err := ca.Issue(2)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{cert}, RootCAs: ca.Pool, ClientCAs: ca.Pool, ClientAuth: tls.RequireAndVerifyClientCert}
}

// onLoopback starts a member with TCP and a static list that begins with the
// ports of others.
func onLoopback(t *testing.T, others []*Group, options ...Option) *Group {
	t.Helper()
	list := static.Config{Name: "tls", Ping: 50 * time.Millisecond, Members: []static.Peer{{Addr: "127.0.0.1:1"}}} // where nobody is
	for _, g := range others {
		list.Members = append(list.Members, static.Peer{Addr: g.Local().AddrPort().String()})
	}
	g, err := New(append([]Option{WithBind("127.0.0.1"), WithStatic(list),
		WithReceiver(nio.ReceiverConfig{Port: nio.AnyPort})}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Stop(context.Background()); err != nil {
			t.Errorf("stop of %s: %v", g, err)
		}
	})
	return g
}

// TestWithTLS has two members with TLS and one without in a group with the default
// layers: messages among the first two go over TLS, none goes to or comes from the
// third.
func TestWithTLS(t *testing.T) {
	config := mutual(t)
	secure := []Option{WithTLS(config), WithReceiver(nio.ReceiverConfig{Port: nio.AnyPort, SecurePort: nio.AnyPort})}
	var log strings.Builder
	a := onLoopback(t, nil, append(secure, WithLogger(slog.New(slog.NewTextHandler(&log, nil))))...)
	b := onLoopback(t, []*Group{a}, secure...)
	clear := onLoopback(t, []*Group{a, b})
	got := make(chan string, 10)
	for _, g := range []*Group{a, b, clear} {
		g.Listen(ListenerFunc(func(_ context.Context, m *message.Message) error {
			got <- fmt.Sprintf("%s %v", m.Payload(), m.Options.Has(Secure))
			return nil
		}))
		if err := g.WaitMembers(t.Context(), 2); err != nil {
			t.Fatal(err)
		}
	}
	ofB, ofClear := b.Local(), clear.Local()
	for _, o := range []Options{NoAck, UseAck, Sync, Sync | Async} {
		if _, err := a.Send(t.Context(), []*Member{ofB}, []byte("secret"), o); err != nil {
			t.Errorf("%v: Send = %v", o, err)
		}
		if text := <-got; text != "secret true" {
			t.Errorf("%v: delivered %q, want secret true", o, text)
		}
	}
	wantNotSecure(t, a, []*Member{ofB, ofClear}, Sync)
	if text := <-got; text != "secret true" {
		t.Errorf("delivered %q, want the message at the member with TLS", text)
	}
	wantNotSecure(t, a, []*Member{ofClear}, NoAck)
	wantNotSecure(t, a, []*Member{ofB}, UDP)
	wantNotSecure(t, a, []*Member{ofB}, Multicast)

	_, err := clear.Send(t.Context(), []*Member{a.Local()}, []byte("intruder"), Sync)
	var remote *RemoteError
	if !errors.As(err, &remote) || !strings.Contains(remote.Reason, "in the clear") {
		t.Errorf("Send in the clear = %v, want a refusal that says so", err)
	}
	_, err = clear.Send(t.Context(), []*Member{a.Local()}, []byte("intruder"), Sync|Secure)
	if !errors.Is(err, ErrNotSecure) {
		t.Errorf("Send without TLS, with the option Secure = %v, want %v", err, ErrNotSecure)
	}
	if len(got) > 0 {
		t.Errorf("delivered %q", <-got)
	}
	if err := a.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if n := strings.Count(log.String(), "refused"); n != 1 {
		t.Errorf("%d lines about messages that were refused, want 1:\n%s", n, &log)
	}
}

// wantNotSecure sends what cannot go over TLS everywhere.
func wantNotSecure(t *testing.T, g *Group, to []*Member, o Options) {
	t.Helper()
	_, err := g.Send(t.Context(), to, []byte("secret"), o)
	var failed *SendError
	if !errors.Is(err, ErrNotSecure) || !errors.As(err, &failed) {
		t.Errorf("%v: Send = %v, want a SendError with %v", o, err, ErrNotSecure)
		return
	}
	for _, r := range failed.Results {
		if r.Err != nil && r.Outcome != message.NotSent {
			t.Errorf("%v: outcome %v, want %v", o, r.Outcome, message.NotSent)
		}
	}
}

// TestWithTLSIsNotIgnored has WithTLS where it could not do what it says.
func TestWithTLSIsNotIgnored(t *testing.T) {
	c := mem.NewNetwork(mem.Config{}).Node("a").Config()
	tests := []struct {
		name    string
		options []Option
		want    string
	}{
		{"no configuration", []Option{WithTLS(nil)}, "want a configuration"},
		{"no certificate", []Option{WithTLS(new(tls.Config))}, "Certificates"},
		{"another transport", []Option{WithTLS(mutual(t)), WithTransport(c.Sender, c.Receiver)}, "WithTransport"},
		{"another transport first", []Option{WithTransport(nil, c.Receiver), WithTLS(mutual(t))}, "WithTransport"},
	}
	for _, tt := range tests {
		if _, err := New(tt.options...); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: New = %v, want an error that says %q", tt.name, err, tt.want)
		}
	}
	own := mutual(t)
	s := Settings{TLSOnly: true, TLS: mutual(t), Sender: nio.SenderConfig{TLS: own}}
	if err := s.secure(); err != nil || s.Sender.TLS != own || s.Receiver.TLS != s.TLS {
		t.Errorf("secure() = %v; want the sender's own configuration kept and that of WithTLS for the receiver", err)
	}
}

var _ channel.Interceptor = (*tlsOnly)(nil)
