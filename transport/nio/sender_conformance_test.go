package nio

import (
	"context"
	"crypto/tls"
	"testing"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
	"github.com/gotribes/tribes/transport/transporttest"
)

// TestConformance runs the suite of all transports with every way to read and
// with every kind of acks.
func TestConformance(t *testing.T) {
	for _, poller := range []Poller{PollerRuntime, PollerEpoll} {
		for _, window := range []int{0, 1} {
			name := poller.String() + map[int]string{0: ", numbered acks", 1: ", plain acks"}[window]
			t.Run(name, func(t *testing.T) {
				transporttest.Run(t, func(t *testing.T) transporttest.Maker {
					return func(s transporttest.Settings) transporttest.Node {
						return conformingNode(t, s, poller, window, nil)
					}
				})
			})
		}
	}
}

// TestConformanceTLS runs the suite with all messages over TLS, probes and
// datagrams aside.
func TestConformanceTLS(t *testing.T) {
	ca := newAuthority(t)
	for _, window := range []int{0, 1} {
		t.Run(map[int]string{0: "numbered acks", 1: "plain acks"}[window], func(t *testing.T) {
			transporttest.Run(t, func(t *testing.T) transporttest.Maker {
				return func(s transporttest.Settings) transporttest.Node {
					n := conformingNode(t, s, PollerAuto, window, ca)
					return transporttest.Node{Sender: secureSender{n.Sender.(*Sender)}, Receiver: secureReceiver{n.Receiver}}
				}
			})
		})
	}
}

// secureSender adds the option Secure.
type secureSender struct{ *Sender }

func (s secureSender) Send(ctx context.Context, to []*membership.Member, m *message.Message, r *message.Receipt) error {
	if !m.Options.Has(message.UDP) {
		m.Options |= message.Secure
	}
	return s.Sender.Send(ctx, to, m, r)
}

// secureReceiver takes the option Secure away, which the suite did not ask for.
type secureReceiver struct{ channel.Receiver }

func (r secureReceiver) Start(ctx context.Context, env channel.Env) (channel.Bound, error) {
	deliver := env.Deliver
	env.Deliver = func(ctx context.Context, m *message.Message) error {
		m.Options &^= message.Secure
		return deliver(ctx, m)
	}
	return r.Receiver.Start(ctx, env)
}

func conformingNode(t *testing.T, s transporttest.Settings, poller Poller, window int, ca *authority) transporttest.Node {
	t.Helper()
	var server, client *tls.Config
	secure := 0
	if ca != nil {
		server, client, secure = ca.server(), ca.client(), AnyPort
	}
	sender, err := NewSender(SenderConfig{
		Timeouts:   SenderTimeouts{Connect: s.Timeout, Write: s.Timeout, Ack: s.Timeout},
		MaxFrame:   s.MaxFrame,
		QueueBytes: s.Buffer,
		Window:     window,
		TLS:        client,
		Pool:       SenderPool{Size: 1}, // else plain acks cost the order
	})
	if err != nil {
		t.Fatal(err)
	}
	receiver, err := NewReceiver(ReceiverConfig{
		Address: "127.0.0.1", Port: AnyPort, UDPPort: AnyPort, Poller: poller,
		TLS: server, SecurePort: secure,
		MaxFrame: s.MaxFrame, InboxBytes: s.Buffer,
	})
	if err != nil {
		t.Fatal(err)
	}
	return transporttest.Node{Sender: sender, Receiver: receiver}
}
