//go:build !race

package interceptor

import (
	"bytes"
	"context"
	"encoding/binary"
	"testing"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/interceptor/interceptortest"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// silent is an application that does nothing.
type silent struct{}

func (silent) BindDown(_ channel.Host, below channel.Down) (channel.Down, error) { return below, nil }

func (silent) BindUp(above channel.Up) channel.Up {
	above.Receive = func(context.Context, *message.Message) error { return nil }
	return above
}

// sending returns a function that sends a message through a layer.
func sending(tb testing.TB, layer channel.Interceptor, to []*membership.Member, payload []byte) func() {
	h := interceptortest.New(tb, interceptortest.Config{}, layer)
	h.Start()
	h.Bottom.Use(takesAll)
	r := message.NewReceipt(0, nil)
	return func() {
		r.Reset(len(to), nil)
		m := h.Message(payload, message.Sync)
		if err := h.SendMessage(context.Background(), to, m, r); err != nil {
			tb.Fatal(err)
		}
		m.Release()
		<-r.Done()
	}
}

// receiving returns a function that lets a message arrive at a layer, whose
// payload is numbered if number is true.
func receiving(tb testing.TB, layer channel.Interceptor, payload []byte, o message.Options, number bool) func() {
	h := interceptortest.New(tb, interceptortest.Config{}, silent{}, layer)
	h.Start()
	nr := uint32(0)
	return func() {
		m := h.Message(payload, o)
		m.Source = peer
		if number {
			nr++
			binary.BigEndian.PutUint32(m.Extend(numberSize), nr)
		}
		if err := h.Deliver(context.Background(), m); err != nil {
			tb.Fatal(err)
		}
		m.Release()
	}
}

func TestLayersAllocateNothing(t *testing.T) {
	text := bytes.Repeat([]byte("some text "), 400)
	few, many := interceptortest.Members(2, 2), interceptortest.Members(2, 9)
	tests := []struct {
		name string
		f    func()
	}{
		{"Gzip sends a short message", sending(t, new(Gzip), few, text[:50])},
		{"Gzip sends noise", sending(t, new(Gzip), few, noise(4000))},
		{"Gzip sends text", sending(t, new(Gzip), few, text)},
		{"Gzip receives a message without the flag", receiving(t, new(Gzip), text, 0, false)},
		{"Gzip receives text", receiving(t, new(Gzip), members(t, text), message.Gzip, false)},
		{"Order sends to one", sending(t, new(Order), few, text)},
		{"Order sends to eight", sending(t, new(Order), many, text)},
		{"Order receives", receiving(t, new(Order), text, 0, true)},
		{"Order passes", receiving(t, &Order{OptionFlag: 8}, text, 0, false)},
		{"DomainFilter sends", sending(t, new(DomainFilter), many, text)},
		{"DomainFilter receives", receiving(t, new(DomainFilter), text, 0, false)},
		{"DomainFilter drops", receiving(t, &DomainFilter{Domain: "red", LogInterval: -1}, text, 0, false)},
		{"Throughput sends", sending(t, new(Throughput), many, text)},
		{"Throughput receives", receiving(t, new(Throughput), text, 0, false)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for range 2000 {
				tt.f() // fills the pools, and the memory of Order
			}
			if got := testing.AllocsPerRun(2000, tt.f); got != 0 {
				t.Errorf("%v allocations, want 0", got)
			}
		})
	}
}

func BenchmarkLayers(b *testing.B) {
	text := bytes.Repeat([]byte("some text "), 100)
	few, many := interceptortest.Members(2, 2), interceptortest.Members(2, 4)
	for _, bm := range []struct {
		name string
		f    func(b *testing.B) func()
	}{
		{"None/send", func(b *testing.B) func() { return sending(b, silent{}, few, text) }},
		{"None/receive", func(b *testing.B) func() { return receiving(b, silent{}, text, 0, false) }},
		{"Gzip/send", func(b *testing.B) func() { return sending(b, new(Gzip), few, text) }},
		{"Gzip/receive", func(b *testing.B) func() { return receiving(b, new(Gzip), members(b, text), message.Gzip, false) }},
		{"Order/send1", func(b *testing.B) func() { return sending(b, new(Order), few, text) }},
		{"Order/send3", func(b *testing.B) func() { return sending(b, new(Order), many, text) }},
		{"Order/receive", func(b *testing.B) func() { return receiving(b, new(Order), text, 0, true) }},
		{"DomainFilter/receive", func(b *testing.B) func() { return receiving(b, new(DomainFilter), text, 0, false) }},
		{"Throughput/receive", func(b *testing.B) func() { return receiving(b, new(Throughput), text, 0, false) }},
	} {
		b.Run(bm.name, func(b *testing.B) {
			f := bm.f(b)
			b.ReportAllocs()
			for b.Loop() {
				f()
			}
		})
	}
}
