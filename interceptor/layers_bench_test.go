//go:build !race

package interceptor

import (
	"bytes"
	"context"
	"testing"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/interceptor/interceptortest"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// BenchmarkLayerCost is what docs/layers.md shows: one message of 1000 bytes of text
// through each layer, to one member and from one, with a bottom that settles at once
// and an application that does nothing. None is the harness alone.
func BenchmarkLayerCost(b *testing.B) {
	text := bytes.Repeat([]byte("some text "), 100)
	for _, bm := range []struct {
		name string
		f    func(b *testing.B) func()
	}{
		{"None/send", func(b *testing.B) func() { return costOfSend(b, silent{}, text, message.Sync) }},
		{"None/receive", func(b *testing.B) func() { return receiving(b, silent{}, text, 0, false) }},
		{"Dispatch/send", func(b *testing.B) func() { return costOfSend(b, new(Dispatch), text, message.Sync) }},
		{"Dispatch/async", func(b *testing.B) func() { return costOfSend(b, new(Dispatch), text, message.Async) }},
		{"Throughput/send", func(b *testing.B) func() { return costOfSend(b, new(Throughput), text, message.Sync) }},
		{"Throughput/receive", func(b *testing.B) func() { return receiving(b, new(Throughput), text, 0, false) }},
		{"Order/send", func(b *testing.B) func() { return costOfSend(b, new(Order), text, message.Sync) }},
		{"Order/receive", func(b *testing.B) func() { return receiving(b, new(Order), text, 0, true) }},
		{"Gzip/send", func(b *testing.B) func() { return costOfSend(b, new(Gzip), text, message.Sync) }},
		{"Gzip/receive", func(b *testing.B) func() { return receiving(b, new(Gzip), members(b, text), message.Gzip, false) }},
		{"TwoPhaseCommit/send", func(b *testing.B) func() { return costOfSend(b, new(TwoPhaseCommit), text, message.Sync) }},
		{"TwoPhaseCommit/receive", func(b *testing.B) func() { return costOfCommit(b, text) }},
		{"Fragmentation/send", func(b *testing.B) func() { return costOfSend(b, new(Fragmentation), text, message.Sync) }},
		{"Fragmentation/receive", func(b *testing.B) func() {
			return receiving(b, new(Fragmentation), append(bytes.Clone(text), 0), 0, false)
		}},
		{"Fragmentation/sendPart", func(b *testing.B) func() {
			return costOfSend(b, &Fragmentation{MaxSize: 200}, text, message.Sync)
		}},
		{"Fragmentation/receivePart", func(b *testing.B) func() { return costOfParts(b, text) }},
		{"DomainFilter/receive", func(b *testing.B) func() { return receiving(b, new(DomainFilter), text, 0, false) }},
		{"TCPPing/receive", func(b *testing.B) func() { return receiving(b, new(TCPPing), text, 0, false) }},
		{"TCPFailureDetector/receive", func(b *testing.B) func() { return receiving(b, new(TCPFailureDetector), text, 0, false) }},
		{"StaticMembers/receive", func(b *testing.B) func() { return receiving(b, new(StaticMembers), text, 0, false) }},
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

// costOfSend returns a function that sends a message to one member.
func costOfSend(tb testing.TB, layer channel.Interceptor, payload []byte, o message.Options) func() {
	h := interceptortest.New(tb, interceptortest.Config{}, layer)
	h.Start()
	h.Bottom.Use(takesAll)
	to := []*membership.Member{peer}
	r := message.NewReceipt(0, nil)
	return func() {
		r.Reset(len(to), nil)
		m := h.Message(payload, o|message.ByteMessage)
		if err := h.SendMessage(context.Background(), to, m, r); err != nil {
			tb.Fatal(err)
		}
		m.Release()
		<-r.Done()
	}
}

// costOfCommit returns a function that lets a message and its confirmation arrive.
func costOfCommit(tb testing.TB, payload []byte) func() {
	h := interceptortest.New(tb, interceptortest.Config{}, silent{}, new(TwoPhaseCommit))
	h.Start()
	var id message.ID
	confirms, confirmed := confirmation(id), false
	f := receivingAs(tb, h, func(m *message.Message) []byte {
		m.ID = id
		if confirmed = !confirmed; confirmed {
			return payload
		}
		return confirms
	})
	return func() {
		f()
		f()
	}
}

// costOfParts returns a function that lets the next of five parts arrive.
func costOfParts(tb testing.TB, payload []byte) func() {
	h := interceptortest.New(tb, interceptortest.Config{}, silent{}, &Fragmentation{MaxSize: 200})
	h.Start()
	parts := fragments(payload, 200)
	next := -1
	return receivingAs(tb, h, func(m *message.Message) []byte {
		if next++; next == len(parts) {
			next = 0
			m.ID[0]++
		}
		return parts[next]
	})
}
