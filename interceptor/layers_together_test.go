package interceptor

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/interceptor/interceptortest"
	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/message"
)

// stackOfAll is every layer in an order that works.
func stackOfAll() []channel.Interceptor {
	d, listed := new(TCPFailureDetector), new(StaticMembers)
	return []channel.Interceptor{
		new(Dispatch), new(Throughput), new(TwoPhaseCommit), new(Order), new(Gzip), &Fragmentation{MaxSize: 1000},
		new(DomainFilter), &TCPPing{Detector: d}, d, listed,
	}
}

// All layers together deliver every message once and in order, as it was sent, both
// ways at the same time, and leave nothing.
func TestAllLayersTogether(t *testing.T) {
	before := message.CheckLive()
	for name, o := range map[string]message.Options{"sync": message.Sync, "async": message.Async | message.UseAck, "no ack": 0} {
		t.Run(name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				p := interceptortest.NewPair(t, interceptortest.Config{}, stackOfAll)
				const count = 200
				content := func(from string, i int) []byte {
					b := fmt.Append(nil, from, i, " ")
					if i%2 == 0 {
						return append(b, noise(i*i)...) // up to 40 parts
					}
					return append(b, bytes.Repeat([]byte("text "), i)...)
				}
				post := func(from, to *interceptortest.Harness, name string) (receipts []*message.Receipt) {
					for i := range count {
						receipts = append(receipts, from.Post(context.Background(), one(to.Local()), content(name, i), o))
					}
					return receipts
				}
				back := make(chan []*message.Receipt)
				go func() { back <- post(p.B, p.A, "b") }()
				for _, r := range append(post(p.A, p.B, "a"), <-back...) {
					if <-r.Done(); !r.OK() {
						t.Errorf("outcome: %v, want a success", r.Results(one(p.B.Local()), nil)[0])
					}
				}
				synctest.Wait()
				for _, end := range []struct {
					h    *interceptortest.Harness
					from string
				}{{p.A, "b"}, {p.B, "a"}} {
					got := end.h.Top.Received()
					if len(got) != count {
						t.Fatalf("%d messages of %s were delivered, want %d", len(got), end.from, count)
					}
					for i, m := range got {
						if !bytes.Equal(m.Payload(), content(end.from, i)) {
							t.Fatalf("message %d of %s is not what was sent", i, end.from)
						}
					}
				}
			})
		})
	}
	if err := message.CheckLive(); before == nil && err != nil {
		t.Errorf("after the stop: %v", err)
	}
}

// Gzip below compresses one part and not the next, and a message and not its
// confirmation, and its mark stays in the options: they belong together all the same.
func TestPartsThatAreCompressedAndNot(t *testing.T) {
	stacks := map[string]func() []channel.Interceptor{
		"Fragmentation":  func() []channel.Interceptor { return []channel.Interceptor{&Fragmentation{MaxSize: 1000}, new(Gzip)} },
		"TwoPhaseCommit": func() []channel.Interceptor { return []channel.Interceptor{new(TwoPhaseCommit), new(Gzip)} },
	}
	for name, stack := range stacks {
		t.Run(name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				p := interceptortest.NewPair(t, interceptortest.Config{}, stack)
				for _, content := range [][]byte{
					append(noise(1000), make([]byte, 1000)...),
					append(make([]byte, 1000), noise(1000)...),
					make([]byte, 3000), noise(3000),
				} {
					r := p.A.Post(context.Background(), one(p.B.Local()), content, message.Sync)
					<-r.Done()
					synctest.Wait()
					got := p.B.Top.Received()
					p.B.Top.Reset()
					if len(got) != 1 || !bytes.Equal(got[0].Payload(), content) {
						t.Errorf("%d messages were delivered, want the one that was sent", len(got))
					}
				}
			})
		})
	}
}
