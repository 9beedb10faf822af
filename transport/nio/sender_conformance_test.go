package nio

import (
	"testing"

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
					return func(s transporttest.Settings) transporttest.Node { return conformingNode(t, s, poller, window) }
				})
			})
		}
	}
}

func conformingNode(t *testing.T, s transporttest.Settings, poller Poller, window int) transporttest.Node {
	t.Helper()
	sender, err := NewSender(SenderConfig{
		Timeouts:   SenderTimeouts{Connect: s.Timeout, Write: s.Timeout, Ack: s.Timeout},
		MaxFrame:   s.MaxFrame,
		QueueBytes: s.Buffer,
		Window:     window,
		Pool:       SenderPool{Size: 1}, // else plain acks cost the order
	})
	if err != nil {
		t.Fatal(err)
	}
	receiver, err := NewReceiver(ReceiverConfig{
		Address: "127.0.0.1", Port: AnyPort, UDPPort: AnyPort, Poller: poller,
		MaxFrame: s.MaxFrame, InboxBytes: s.Buffer,
	})
	if err != nil {
		t.Fatal(err)
	}
	return transporttest.Node{Sender: sender, Receiver: receiver}
}
