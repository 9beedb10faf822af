package nio

import (
	"context"
	"encoding/binary"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// pair is a sender and the receiver that it sends to.
type pair struct {
	*bench
	r  *Receiver
	to *membership.Member
}

func newPair(t *testing.T, cfg SenderConfig, rc ReceiverConfig, deliver channel.ReceiveFunc) *pair {
	t.Helper()
	p := &pair{bench: newTCPBench(t, cfg)}
	rc.Address, rc.Port = "127.0.0.1", AnyPort
	if rc.TLS != nil {
		rc.SecurePort = AnyPort
	}
	r, err := NewReceiver(rc)
	if err != nil {
		t.Fatal(err)
	}
	env := p.env()
	env.Deliver, env.Logger = deliver, slog.New(slog.DiscardHandler)
	bound, err := r.Start(t.Context(), env)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.stop()
		ctx, cancel := context.WithTimeout(context.Background(), waiting)
		defer cancel()
		if err := r.Stop(ctx); err != nil {
			t.Errorf("Receiver.Stop: %v", err)
		}
	})
	p.r, p.to = r, withSecurePort(t, testMember(t, bound.Host.String(), bound.Port), bound.SecurePort)
	return p
}

// TestOrderAcrossRenewals has connections that are renewed every few messages,
// in the midst of traffic of all kinds: nothing is lost, doubled or overtaken.
func TestOrderAcrossRenewals(t *testing.T) {
	for _, poller := range []Poller{PollerRuntime, PollerEpoll} {
		t.Run(poller.String(), func(t *testing.T) {
			var mu sync.Mutex
			var got []uint32
			p := newPair(t, SenderConfig{Pool: SenderPool{MaxUses: 7}}, ReceiverConfig{Poller: poller},
				func(_ context.Context, m *message.Message) error {
					mu.Lock()
					defer mu.Unlock()
					got = append(got, binary.BigEndian.Uint32(m.Payload()))
					if len(got)%50 == 0 {
						<-time.After(time.Millisecond) // a listener that takes its time
					}
					return nil
				})
			const count = 2000
			f := &fake{t: t, member: p.to}
			var all []*sending
			for i := range uint32(count) {
				o := []message.Options{0, message.UseAck, message.Sync}[i%3]
				if i%100 < 50 {
					o = 0
				}
				all = append(all, p.send(o, string(binary.BigEndian.AppendUint32(nil, i)), f))
			}
			for _, s := range all {
				if r := s.results()[0]; !r.Outcome.OK() {
					t.Fatalf("result = %+v, want a success", r)
				}
			}
			p.send(message.Sync, "last", f).want(message.Acknowledged, nil)
			mu.Lock()
			defer mu.Unlock()
			for i, n := range got[:count] {
				if n != uint32(i) {
					t.Fatalf("message %d is number %d", n, i)
				}
			}
		})
	}
}
