package group

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/gotribes/tribes/membership/static"
	"github.com/gotribes/tribes/message"
	"github.com/gotribes/tribes/transport/nio"
)

// onWire starts n+1 members with TCP on the loopback interface and returns the first,
// with the others as it sees them.
func onWire(tb testing.TB, n int) (*Group, []*Group) {
	tb.Helper()
	list := static.Config{Name: "bench", Members: []static.Peer{{Addr: "127.0.0.1:1"}}} // where nobody is
	var all []*Group
	for range n + 1 {
		g, err := New(WithBind("127.0.0.1"), WithStatic(list), WithReceiver(nio.ReceiverConfig{Port: nio.AnyPort}))
		if err != nil {
			tb.Fatal(err)
		}
		if err := g.Start(context.Background()); err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(func() {
			if err := g.Stop(context.Background()); err != nil {
				tb.Errorf("stop: %v", err)
			}
		})
		list.Members = append(list.Members, static.Peer{Addr: g.Local().AddrPort().String()})
		all = append(all, g)
	}
	first := all[n]
	if err := first.WaitMembers(context.Background(), n); err != nil {
		tb.Fatal(err)
	}
	return first, all[:n]
}

// BenchmarkCall measures calls beside plain messages that are acknowledged after
// processing, to one and to three members.
func BenchmarkCall(b *testing.B) {
	for _, n := range []int{1, 3} {
		g, servers := onWire(b, n)
		for _, s := range servers {
			r, err := s.RPC("echo")
			if err != nil {
				b.Fatal(err)
			}
			if _, err := r.Handle(func(_ context.Context, req *Request) ([]byte, error) { return req.Bytes, nil }, HandlerConfig{Concurrency: 64}); err != nil {
				b.Fatal(err)
			}
			s.Listen(ListenerFunc(func(context.Context, *message.Message) error { return nil }))
		}
		r, err := g.RPC("echo")
		if err != nil {
			b.Fatal(err)
		}
		to, payload := g.View().Members, make([]byte, 100)
		ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
		defer cancel()
		acts := map[string]func() error{
			"Call": func() error {
				_, err := r.Call(ctx, to, payload, AllReplies)
				return err
			},
			"CallNoAck": func() error {
				_, err := r.Call(ctx, to, payload, AllReplies, RequestOptions(NoAck))
				return err
			},
			"SendSync": func() error {
				_, err := g.Send(ctx, to, payload, Sync)
				return err
			},
		}
		for _, name := range []string{"Call", "CallNoAck", "SendSync"} {
			for _, callers := range []int{1, 32} {
				b.Run(fmt.Sprintf("%s/to=%d/callers=%d", name, n, callers), func(b *testing.B) { actTogether(b, callers, acts[name]) })
			}
		}
	}
}

// actTogether runs b.N acts on so many goroutines.
func actTogether(b *testing.B, callers int, act func() error) {
	b.ReportAllocs()
	b.SetParallelism(callers)
	if callers == 1 {
		for b.Loop() {
			if err := act(); err != nil {
				b.Fatal(err)
			}
		}
	} else {
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if err := act(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
}
