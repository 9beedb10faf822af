package nio

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/message"
)

// BenchmarkReceiver measures receiving alone: the other end writes frames that
// were made before, as fast as it may.
func BenchmarkReceiver(b *testing.B) {
	for _, p := range rxPollers() {
		for _, size := range []int{100, 1 << 10, 16 << 10, 1 << 20} {
			b.Run(fmt.Sprintf("poller=%v/ack=none/size=%d", p, size), func(b *testing.B) { benchOneWay(b, p, size) })
		}
		for _, window := range []int{1, 16, 256} {
			b.Run(fmt.Sprintf("poller=%v/ack=sync/size=1024/window=%d", p, window), func(b *testing.B) {
				benchWindow(b, p, 1<<10, window)
			})
		}
	}
}

// benchRx starts a receiver that does nothing with its messages and returns a
// connection to it.
func benchRx(b *testing.B, p Poller, deliver channel.ReceiveFunc) (*rxRig, net.Conn) {
	b.Helper()
	g := &rxRig{TB: b, changed: make(chan struct{})}
	r, err := NewReceiver(ReceiverConfig{Address: "127.0.0.1", Port: AnyPort, Poller: p})
	if err != nil {
		b.Fatal(err)
	}
	env := g.env(nil)
	env.Deliver = deliver
	g.r = r
	if g.bound, err = r.Start(b.Context(), env); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(g.stop)
	return g, g.dial().Conn
}

func benchOneWay(b *testing.B, p Poller, size int) {
	done := make(chan struct{})
	got := 0
	g, conn := benchRx(b, p, func(context.Context, *message.Message) error {
		if got++; got == b.N {
			close(done)
		}
		return nil
	})
	frame := newFrames(b).frame(0, strings.Repeat("x", size))
	many := max(1, (256<<10)/len(frame))
	batch := []byte(strings.Repeat(frame, many))
	b.ReportAllocs()
	b.SetBytes(int64(size))
	b.ResetTimer()
	for left := b.N; left > 0; left -= many {
		if _, err := conn.Write(batch[:min(left, many)*len(frame)]); err != nil {
			b.Fatal(err)
		}
	}
	<-done
	b.StopTimer()
	_ = g
}

func benchWindow(b *testing.B, p Poller, size, window int) {
	_, conn := benchRx(b, p, func(context.Context, *message.Message) error { return nil })
	f := newFrames(b)
	payload := strings.Repeat("x", size)
	// Ids must differ, or they are repeats: each frame is made anew in place.
	frame := []byte(f.frame(optSyncNum, payload))
	batch := make([]byte, 0, window*len(frame))
	const idAt = 27
	var sent, acked uint64
	buf := make([]byte, 64<<10)
	have := 0
	var reply message.Reply
	b.ReportAllocs()
	b.ResetTimer()
	for acked < uint64(b.N) {
		batch = batch[:0]
		for ; sent < uint64(b.N) && sent-acked < uint64(window); sent++ {
			binary.BigEndian.PutUint64(frame[idAt:], sent)
			batch = append(batch, frame...)
		}
		if len(batch) > 0 {
			if _, err := conn.Write(batch); err != nil {
				b.Fatal(err)
			}
		}
		n, err := conn.Read(buf[have:])
		if err != nil && err != io.EOF {
			b.Fatal(err)
		}
		have += n
		at := 0
		for {
			data, size, err := message.Scan(buf[at:have], 0)
			if err != nil {
				b.Fatal(err)
			}
			if data == nil {
				break
			}
			if err := message.ParseReply(data, &reply); err != nil {
				b.Fatal(err)
			}
			acked = max(acked, reply.UpTo)
			at += size
		}
		have = copy(buf, buf[at:have])
	}
}
