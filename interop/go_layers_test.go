//go:build interop

package interop

import (
	"bytes"
	"context"
	"testing"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/group"
	"github.com/gotribes/tribes/interceptor"
	"github.com/gotribes/tribes/message"
)

// TestOrder sends one sequence each way that takes many ways at once: from us over the pool of connections that a Java
// node is sent to, from Java by the threads of its dispatch queue as well. The Order layers put it in order again, alone
// and with Gzip layers below them. What bounds their patience is set so high that a slow machine does not matter.
func TestOrder(t *testing.T) {
	stacks := []struct {
		name, java string
		below      func() []channel.Interceptor
	}{
		{"", "order,dispatch,tcpfd", func() []channel.Interceptor { return nil }},
		{" over gzip", "order,dispatch,gzip,tcpfd", func() []channel.Interceptor { return []channel.Interceptor{new(interceptor.Gzip)} }},
	}
	for _, v := range versions {
		for _, stack := range stacks {
			t.Run(string(v)+stack.name, func(t *testing.T) {
				ctx := testContext(t)
				address := freeGroup(t)
				order := &interceptor.Order{Expire: patience, MaxBytes: -1}
				layers := append([]channel.Interceptor{new(interceptor.Dispatch), order}, stack.below()...)
				n := startNode(ctx, t, goConfig{
					Group:   address,
					Layers:  append(layers, new(interceptor.TCPFailureDetector)),
					Options: []group.Option{patientGo},
				})
				p := startPeer(ctx, t, v, peerConfig{
					Group: address, Stack: stack.java, Heap: "1g",
					Flags: append([]string{"--order-expire", "120000"}, patientJava...),
				})
				meet(ctx, t, n, p)
				trade(ctx, t, n, p, bulkSend{Options: optAsync | optAck, Series: series{profile: mix}, Count: mixCount(v)}, inOrder)
				stats := order.Stats()
				t.Logf("%d messages of %s came in order, %d had to wait", stats.InOrder, p, stats.Early)
				if stats.Missing+stats.Late+stats.Recounts+stats.Overflows != 0 {
					t.Errorf("Order.Stats = %+v, want nothing missing, late, counted anew or overflowing", stats)
				}
			})
		}
	}
}

// TestGzip sends the mix and a text both ways. Java compresses every message that is not empty, we those that get
// smaller by it, which random bytes do not.
func TestGzip(t *testing.T) {
	for _, v := range versions {
		t.Run(string(v), func(t *testing.T) {
			ctx := testContext(t)
			address := freeGroup(t)
			gzip := &interceptor.Gzip{MinSize: 1000}
			n := startNode(ctx, t, goConfig{
				Group:   address,
				Layers:  []channel.Interceptor{new(interceptor.Dispatch), gzip, new(interceptor.TCPFailureDetector)},
				Options: []group.Option{patientGo},
			})
			p := startPeer(ctx, t, v, peerConfig{Group: address, Stack: "dispatch,gzip,tcpfd", Heap: "1g", Flags: patientJava})
			meet(ctx, t, n, p)
			trade(ctx, t, n, p, bulkSend{Options: optSync, Series: series{profile: mix}, Count: mixCount(v)}, inOrder)
			count := mixCount(v)
			empty := series{seedFromJava, mix}.empty(count)
			if got := gzip.Stats().Received; got.Plain != uint64(empty) || got.Compressed != uint64(count-empty) {
				t.Errorf("%d messages of Java were compressed and %d not, want %d and %d", got.Compressed, got.Plain, count-empty, empty)
			}
			tradeText(ctx, t, n, p, gzip)
		})
	}
}

// empty is how many of the first count messages have no bytes.
func (s series) empty(count int) int {
	n := 0
	for i := range count {
		if len(s.message(i)) == 0 {
			n++
		}
	}
	return n
}

// tradeText sends a long text and a short one both ways.
func tradeText(ctx context.Context, t *testing.T, n *node, p *peer, gzip *interceptor.Gzip) {
	t.Helper()
	long := bytes.Repeat([]byte("all work and no play makes jack a dull boy. "), 1000)
	short := long[:100]
	p.call(ctx, "forget", "ok")
	n.recorder.forget()
	before := gzip.Stats().Sent
	for _, text := range [][]byte{long, short} {
		p.send(ctx, n.id, optSync, text)
		if _, err := n.group.SendAll(ctx, text, message.Sync); err != nil {
			t.Errorf("send %d bytes of text: %v", len(text), err)
		}
	}
	sent := gzip.Stats().Sent
	if sent.Compressed-before.Compressed != 1 || sent.Plain-before.Plain != 1 || sent.WireBytes-before.WireBytes > 1000 {
		t.Errorf("long and short text went as %+v after %+v, want one of them compressed and less than 1000 bytes in all", sent, before)
	}
	for _, got := range [][]record{p.received(ctx, n.id), n.recorder.from(p.id)} {
		if len(got) != 2 || got[0].sha256 != hashOf(long) || got[1].sha256 != hashOf(short) {
			t.Errorf("received %v, want the long text and the short one", got)
		}
	}
}
