package nio

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// loop is a sender and receivers for it, in one process over loopback.
type loop struct {
	pool  message.Pool
	local *membership.Member
	s     *Sender
	to    []*membership.Member
}

func newLoop(b testing.TB, cfg SenderConfig, receivers int, poller Poller) *loop {
	b.Helper()
	l := &loop{local: testMember(b, "127.0.0.1", 1)}
	var trace *channel.Trace
	env := channel.Env{
		Local:   func() *membership.Member { return l.local },
		Deliver: func(context.Context, *message.Message) error { return nil },
		Fault:   func(m *membership.Member, _ message.ID, err error) { b.Errorf("fault at %v: %v", m, err) },
		Pool:    &l.pool, Logger: slog.New(slog.DiscardHandler), Trace: trace.WithDefaults(),
	}
	for range receivers {
		r, err := NewReceiver(ReceiverConfig{Address: "127.0.0.1", Port: AnyPort, Poller: poller})
		if err != nil {
			b.Fatal(err)
		}
		bound, err := r.Start(b.Context(), env)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() {
			if err := r.Stop(context.Background()); err != nil {
				b.Error(err)
			}
		})
		l.to = append(l.to, testMember(b, bound.Host.String(), bound.Port))
	}
	s, err := NewSender(cfg)
	if err != nil {
		b.Fatal(err)
	}
	if err := s.Start(b.Context(), env); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Stop(context.Background()); err != nil {
			b.Error(err)
		}
	})
	l.s = s
	return l
}

// caller sends one message after the other, each when the last one is settled.
type caller struct {
	l *loop
	r *message.Receipt
}

func (c *caller) send(o message.Options, size int) error {
	m := c.l.pool.New(size)
	m.ID, m.Source, m.Options = message.NewID(), c.l.local, o|message.ByteMessage
	c.r.Reset(len(c.l.to), nil)
	err := c.l.s.Send(context.Background(), c.l.to, m, c.r)
	m.Release()
	if err != nil {
		return err
	}
	<-c.r.Done()
	if !c.r.OK() {
		return fmt.Errorf("results: %v", c.r.Results(c.l.to, nil))
	}
	return nil
}

// BenchmarkSend compares the pipelined sender with one that waits for each
// answer on each of 25 connections, as Tribes does.
func BenchmarkSend(b *testing.B) {
	kinds := []struct {
		name string
		cfg  SenderConfig
	}{
		{"stop-and-wait", SenderConfig{Window: 1}},
		{"pipelined", SenderConfig{}},
	}
	for _, size := range []int{1 << 10, 16 << 10} {
		for _, callers := range []int{1, 8, 64} {
			for _, kind := range kinds {
				b.Run(fmt.Sprintf("size=%d/callers=%d/%s", size, callers, kind.name), func(b *testing.B) {
					l := newLoop(b, kind.cfg, 1, PollerAuto)
					b.SetBytes(int64(size))
					b.ReportAllocs()
					l.drive(b, callers, size)
				})
			}
		}
	}
}

func (l *loop) drive(b *testing.B, callers, size int) {
	var left atomic.Int64
	left.Store(int64(b.N))
	var wg sync.WaitGroup
	b.ResetTimer()
	for range callers {
		wg.Go(func() {
			c := &caller{l: l, r: message.NewReceipt(0, nil)}
			for left.Add(-1) >= 0 {
				if err := c.send(message.Sync, size); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// BenchmarkPost sends as fast as the queue takes messages, from one goroutine
// and without acks, to a receiver whose listener does nothing.
func BenchmarkPost(b *testing.B) {
	for _, size := range []int{100, 1 << 10, 10 << 10, 100 << 10} {
		b.Run(fmt.Sprintf("size=%d", size), func(b *testing.B) {
			l := newLoop(b, SenderConfig{}, 1, PollerAuto)
			free := make(chan *message.Receipt, 1<<15)
			back := func(r *message.Receipt) { free <- r }
			for range cap(free) {
				free <- message.NewReceipt(0, nil)
			}
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				r := <-free
				r.Reset(1, back)
				m := l.pool.New(size)
				m.ID, m.Source, m.Options = message.NewID(), l.local, message.ByteMessage
				if err := l.s.Send(b.Context(), l.to, m, r); err != nil {
					b.Fatal(err)
				}
				m.Release()
			}
			for range cap(free) {
				<-free
			}
		})
	}
}
