package nio

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/gotribes/tribes/internal/golden"
	"github.com/gotribes/tribes/message"
)

// closeWrite ends what is sent; answers can still be read.
func (p *rxPeer) closeWrite() {
	p.g.Helper()
	if err := p.Conn.(*net.TCPConn).CloseWrite(); err != nil {
		p.g.Fatal(err)
	}
}

func TestReceiverRejects(t *testing.T) {
	f := newFrames(t)
	good := f.frame(optNone, "payload")
	edit := func(at int, with string) string { return good[:at] + with + good[at+len(with):] }
	length := func(n uint32) string { return edit(7, string(binary.BigEndian.AppendUint32(nil, n))) }
	const senderAt = 11 + 12 + 4 + 16 // offset of the length of the sender
	long := f.frame(optNone, strings.Repeat("x", 3<<20))
	tests := []struct {
		name, bytes, reason string
	}{
		{"random bytes", "\x9e\x03\xa7 some random bytes \x00\x01\x02", "bad magic"},
		{"HTTP request", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "looks like HTTP"},
		{"TLS client hello", "\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03", "looks like TLS"},
		{"SSH", "SSH-2.0-OpenSSH_9.9\r\n", "looks like SSH"},
		{"garbage before a frame", "x" + good, "bad magic"},
		{"garbage after a frame", good + "GET / HTTP/1.1\r\n", "bad magic"},
		{"length 0", length(0), "bad end magic"},
		{"length 1", length(1), "bad end magic"},
		{"length 2^31-1", length(1<<31 - 1), "too large"},
		{"length 2^32-1", length(1<<32 - 1), "negative length"},
		{"length -1000", length(1<<32 - 1000), "negative length"},
		{"length above the limit", length(2 << 20), "too large"},
		{"frame above the limit", long, "too large"},
		{"length one too small", length(uint32(len(good)-18) - 1), "bad end magic"},
		{"inner length past the end", edit(len(good)-7-len("payload")-4, "\x00\x00\x00\x09"), "length past end"},
		{"inner length negative", edit(senderAt, "\xff\xff\xff\xff"), "negative length"},
		{"inner length large", edit(senderAt, "\x7f\xff\xff\xff"), "length past end"},
		{"bytes left over", edit(len(good)-7-len("payload")-4, "\x00\x00\x00\x06"), "trailing bytes"},
		{"sender without magic", edit(senderAt+4, "X"), "bad magic"},
		{"sender lengths disagree", edit(senderAt+4+13, "\x00"), "lengths disagree"},
		{"end magic", good[:len(good)-1] + "X", "bad end magic"},
		{"plain ack", message.AckFrame, "lengths disagree"},
		{"numbered ack", numberedAck(1), "length past end"},
	}
	eachPoller(t, func(t *testing.T, p Poller) {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				g := newRx(t, ReceiverConfig{Poller: p, MaxFrame: 1 << 20}, nil)
				c := g.dial()
				io.WriteString(c, tt.bytes) // may fail: the other end need not read all of it
				c.wantClosed()
				g.wantRejected(tt.reason)
				if n := g.r.Stats().Rejected[tt.reason]; n != 1 {
					t.Errorf("counted %d times, want 1: %v", n, g.r.Stats().Rejected)
				}
				if log := g.logged(); strings.Count(log, "\n") != 1 || !strings.Contains(log, tt.reason) {
					t.Errorf("log %q, want one line that says %q", log, tt.reason)
				}
			})
		}
	})
}

// TestReceiverKeepsGoodFrames has a bad frame behind good ones: those are
// delivered and answered all the same.
func TestReceiverKeepsGoodFrames(t *testing.T) {
	eachPoller(t, func(t *testing.T, p Poller) {
		g := newRx(t, ReceiverConfig{Poller: p}, nil)
		c, f := g.dial(), newFrames(t)
		c.put(f.frame(optSync, "a"), f.frame(optAck, "b"), f.frame(optNone, "c"), "garbage")
		c.want(ackPlainOK, ackPlainOK)
		c.wantClosed()
		g.wantDelivered("a", "b", "c")
		g.wantRejected("bad magic")
	})
}

// TestReceiverLogsLittle has many bad connections from one source.
func TestReceiverLogsLittle(t *testing.T) {
	eachPoller(t, func(t *testing.T, p Poller) {
		g := newRx(t, ReceiverConfig{Poller: p}, nil)
		const conns = 100
		for range conns {
			c := g.dial()
			c.put("GET / HTTP/1.1\r\n")
			c.wantClosed()
		}
		g.until("rejections", func() bool { return len(g.rejected) == conns })
		if lines := strings.Count(g.logged(), "\n"); lines != 1 {
			t.Errorf("%d log lines for %d bad connections, want 1", lines, conns)
		}
	})
}

// TestReceiverTruncation ends the stream at every byte of a frame.
func TestReceiverTruncation(t *testing.T) {
	eachPoller(t, func(t *testing.T, p Poller) {
		g := newRx(t, ReceiverConfig{Poller: p}, nil)
		whole := newFrames(t).frame(optSync, "payload")
		for n := range len(whole) {
			c := g.dial()
			c.put(whole[:n])
			c.closeWrite()
			c.wantClosed()
			c.Close()
		}
		g.until("rejections", func() bool { return len(g.rejected) == len(whole)-1 })
		if n := g.r.Stats().Rejected[reasonCutShort]; n != uint64(len(whole)-1) {
			t.Errorf("%d connections counted as cut short, want %d", n, len(whole)-1)
		}
		c := g.dial()
		c.put(whole)
		c.want(ackPlainOK)
		g.wantDelivered("payload")
	})
}

// TestReceiverBitFlips flips each bit of a frame: it is rejected, or what it
// says now is delivered.
func TestReceiverBitFlips(t *testing.T) {
	eachPoller(t, func(t *testing.T, p Poller) {
		g := newRx(t, ReceiverConfig{Poller: p}, nil)
		whole := []byte(newFrames(t).frame(optNone, "payload"))
		flips := 8 * len(whole)
		for bit := range flips {
			whole[bit/8] ^= 1 << (bit % 8)
			c := g.dial()
			c.put(string(whole))
			whole[bit/8] ^= 1 << (bit % 8)
			c.closeWrite()
			c.until(waiting)
			if _, err := io.Copy(io.Discard, c); isTimeout(err) { // an answer may be asked for now
				t.Fatalf("bit %d: the connection was not closed", bit)
			}
			c.Close()
		}
		g.until("an end of each connection", func() bool { return len(g.delivered)+len(g.rejected) == flips })
	})
}

// TestReceiverCuts sends frames in two pieces, cut at every byte.
func TestReceiverCuts(t *testing.T) {
	eachPoller(t, func(t *testing.T, p Poller) {
		g := newRx(t, ReceiverConfig{Poller: p}, nil)
		c, f := g.dial(), newFrames(t)
		size := len(f.frame(optSync, "00000"))
		for cut := 1; cut < 2*size; cut++ {
			two := f.frame(optSync, fmt.Sprintf("%05d", cut)) + f.frame(optAck, "later")
			c.put(two[:cut])
			c.put(two[cut:])
			c.want(ackPlainOK, ackPlainOK)
		}
	})
}

// TestReceiverLargeFrames has frames around the sizes of chunks, up to the limit.
func TestReceiverLargeFrames(t *testing.T) {
	eachPoller(t, func(t *testing.T, p Poller) {
		const limit = 2 << 20
		f := newFrames(t)
		overhead := len(f.frame(optSync, ""))
		sums := make(chan int, 1)
		g := newRx(t, ReceiverConfig{Poller: p, MaxFrame: limit, InboxBytes: 64 << 10}, func(_ context.Context, m *message.Message) error {
			sum := 0
			for _, x := range m.Payload() {
				sum += int(x)
			}
			sums <- sum
			return nil
		})
		c := g.dial()
		for _, size := range []int{0, rxSmall, rxSmall + 1, rxMedium, rxLarge - 1, rxLarge, rxLarge + 1, 1 << 20, limit, limit, 17} {
			payload := strings.Repeat("a", max(0, size-overhead))
			c.put(f.frame(optSync, payload))
			c.want(ackPlainOK)
			if got, want := <-sums, 'a'*len(payload); got != want {
				t.Errorf("sum of a payload of %d bytes = %d, want %d", len(payload), got, want)
			}
		}
		// Its head is enough: the receiver does not wait for the rest.
		c.put(f.frame(optSync, strings.Repeat("a", limit-overhead+1))[:64])
		c.wantClosed()
		g.wantRejected("too large")
	})
}

// TestReceiverUnknownOptions has bits that nobody knows: they arrive unchanged,
// but for the one that is between sender and receiver.
func TestReceiverUnknownOptions(t *testing.T) {
	eachPoller(t, func(t *testing.T, p Poller) {
		const odd = message.Options(0x2F00_0FF9) | message.Sync
		got := make(chan message.Options, 1)
		g := newRx(t, ReceiverConfig{Poller: p}, func(_ context.Context, m *message.Message) error {
			got <- m.Options
			return nil
		})
		c, f := g.dial(), newFrames(t)
		c.put(f.frame(odd|message.NumberedAcks, "x"))
		c.want(numberedAck(1))
		if o := <-got; o != odd|message.ByteMessage {
			t.Errorf("options %#x, want %#x", uint32(o), uint32(odd|message.ByteMessage))
		}
	})
}

// TestReceiverSenders has frames of several senders on one connection.
func TestReceiverSenders(t *testing.T) {
	eachPoller(t, func(t *testing.T, p Poller) {
		got := make(chan string, 10)
		g := newRx(t, ReceiverConfig{Poller: p}, func(_ context.Context, m *message.Message) error {
			got <- m.Source.ID().String()
			return nil
		})
		c, a, b := g.dial(), newFrames(t), newFrames(t)
		var want []string
		for _, f := range []*frames{a, a, b, a, b, b} {
			c.put(f.frame(optSync, "x"))
			want = append(want, f.source.ID().String())
		}
		for i, w := range want {
			if id := <-got; id != w {
				t.Errorf("message %d came from %s, want %s", i, id, w)
			}
		}
		c.get(6 * len(ackPlainOK))
	})
}

// streamVector is a conversation with the receiver of Tribes, chunk by chunk.
type streamVector struct {
	Name   string
	Output []struct {
		Chunk              string
		DeliveredUniqueIDs []string `json:"deliveredUniqueIds"`
	}
}

// TestReceiverStreamVectors replays what the Java receiver was fed with. The
// well-formed streams give the same messages; the others end the connection,
// after the good frames before the damage.
func TestReceiverStreamVectors(t *testing.T) {
	well := map[string]bool{"stream-two-in-one-read": true, "stream-split": true}
	for _, v := range golden.Read[streamVector](t, "streams.json") {
		eachPoller(t, func(t *testing.T, p Poller) {
			t.Run(v.Name, func(t *testing.T) { replay(t, p, v, well[v.Name]) })
		})
	}
}

func replay(t *testing.T, p Poller, v streamVector, well bool) {
	ids := make(chan string, 100)
	g := newRx(t, ReceiverConfig{Poller: p}, func(_ context.Context, m *message.Message) error {
		ids <- m.ID.String()
		return nil
	})
	c := g.dial()
	var want []string
	for _, out := range v.Output {
		chunk, err := hex.DecodeString(out.Chunk)
		if err != nil {
			t.Fatal(err)
		}
		c.Write(chunk) // may fail behind damage, as may the next
		want = append(want, out.DeliveredUniqueIDs...)
	}
	c.Conn.(*net.TCPConn).CloseWrite()
	c.until(waiting)
	if _, err := io.Copy(io.Discard, c); isTimeout(err) {
		t.Fatal("the connection was not closed")
	}
	g.stop()
	close(ids)
	var got []string
	for id := range ids {
		got = append(got, id)
	}
	rejected := len(g.rejected) > 0
	if rejected == well {
		t.Errorf("rejected %q, want a well-formed stream: %v", g.rejected, well)
	}
	if well && strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("delivered %q, want %q", got, want)
	}
}
