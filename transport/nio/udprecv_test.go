package nio

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gotribes/tribes/message"
)

// udpPeer is a socket that sends datagrams to a receiver.
type udpPeer struct {
	g *rxRig
	net.Conn
}

func newUDPRx(t *testing.T, cfg ReceiverConfig, handle func(ctx context.Context, m *message.Message) error) (*rxRig, *udpPeer) {
	t.Helper()
	if cfg.PacketConn == nil {
		cfg.UDPPort = AnyPort
	}
	g := newRx(t, cfg, handle)
	addr := net.UDPAddr{IP: g.bound.Host.AsSlice(), Port: g.bound.UDPPort}
	c, err := net.Dial("udp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return g, &udpPeer{g, c}
}

func (p *udpPeer) put(parts ...string) {
	p.g.Helper()
	if _, err := p.Write([]byte(strings.Join(parts, ""))); err != nil {
		p.g.Fatal(err)
	}
}

// want reads a datagram for each answer.
func (p *udpPeer) want(answers ...string) {
	p.g.Helper()
	b := make([]byte, 1000)
	for _, want := range answers {
		if err := p.SetReadDeadline(time.Now().Add(waiting)); err != nil {
			p.g.Fatal(err)
		}
		n, err := p.Read(b)
		if err != nil || string(b[:n]) != want {
			p.g.Fatalf("answer %q, %v, want %q", b[:n], err, want)
		}
	}
}

// slowPackets hides that a packet connection is a *net.UDPConn.
type slowPackets struct{ net.PacketConn }

func TestUDPReceiver(t *testing.T) {
	inner, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	for name, cfg := range map[string]ReceiverConfig{
		"IPv4": {}, "IPv6": {Address: "::1"}, "both": {Address: "::", Advertise: "127.0.0.1"},
		"foreign": {PacketConn: slowPackets{inner}},
	} {
		t.Run(name, func(t *testing.T) {
			g, c := newUDPRx(t, cfg, func(_ context.Context, m *message.Message) error {
				if string(m.Payload()) == "bad" {
					return errors.New("no good")
				}
				return nil
			})
			f := newFrames(t)
			c.put(f.frame(optAck, "a"))
			c.want(ackPlainOK)
			c.put(f.frame(optSync, "b"), f.frame(optSync, "bad"), f.frame(optNone, "c"))
			c.want(ackPlainOK, ackPlainBad)
			c.put(f.frame(optSyncNum, "d"))
			c.want(ackPlainOK)
			again := f.frame(optSync, "e")
			c.put(again)
			c.want(ackPlainOK)
			c.put(again)
			c.want(ackPlainOK)
			large := strings.Repeat("x", 64000)
			c.put(f.frame(optSync, large))
			c.want(ackPlainOK)
			g.wantDelivered("a", "b", "bad", "c", "d", "e", large)
			if s := g.r.Stats(); s.Datagrams != 6 || s.Duplicates != 1 || s.Frames != 8 {
				t.Errorf("%d datagrams, %d duplicates, %d frames, want 6, 1, 8", s.Datagrams, s.Duplicates, s.Frames)
			}
		})
	}
}

// TestUDPReceiverBadDatagrams has datagrams of all wrong kinds between good ones:
// the socket stays open, and no part of a bad one is delivered.
func TestUDPReceiverBadDatagrams(t *testing.T) {
	f := newFrames(t)
	good := f.frame(optSync, "half")
	noEnd := good[:len(good)-1] + "X"
	tests := []struct{ name, bytes, reason string }{
		{"empty", "", reasonDatagram},
		{"garbage", "\x01\x02\x03", "bad magic"},
		{"heartbeat", "TRIBES-B\x01\x00", "bad magic"},
		{"half a frame", good[:50], reasonDatagram},
		{"header", good[:11], reasonDatagram},
		{"frame and garbage", good + "xxx", "bad magic"},
		{"frame and half", good + good[:30], reasonDatagram},
		{"wrong end", noEnd, "bad end magic"},
		{"frame and wrong end", good + noEnd, "bad end magic"},
		{"an answer", message.AckFrame, "lengths disagree"},
		{"too large", good[:7] + "\x7f\xff\xff\xff" + good[11:], "too large"},
	}
	g, c := newUDPRx(t, ReceiverConfig{}, nil)
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c.put(tt.bytes)
			g.until("a rejection", func() bool { return len(g.rejected) == i+1 })
			if g.rejected[i] != tt.reason {
				t.Errorf("rejected for %q, want %q", g.rejected[i], tt.reason)
			}
			c.put(f.frame(optSync, tt.name))
			c.want(ackPlainOK)
		})
	}
	var want []string
	for _, tt := range tests {
		want = append(want, tt.name)
	}
	g.wantDelivered(want...)
	if lines := strings.Count(g.logged(), "\n"); lines > 6 {
		t.Errorf("%d log lines, want one for each kind", lines)
	}
}

// TestUDPReceiverFullInbox has a listener that blocks: datagrams that find no
// room are dropped, counted, and not answered.
func TestUDPReceiverFullInbox(t *testing.T) {
	w := newRxGate()
	g, c := newUDPRx(t, ReceiverConfig{InboxBytes: 10 << 10}, w.receive)
	f := newFrames(t)
	c.put(f.frame(optSync, "first"))
	w.wantEntered(t, "first")
	payload := strings.Repeat("x", 1000)
	for i := 0; len(g.r.Stats().Rejected) == 0; i++ {
		if i > 100_000 {
			t.Fatal("nothing was dropped")
		}
		c.put(f.frame(optNone, payload))
	}
	g.wantRejected(reasonInbox)
	close(w.open)
	c.want(ackPlainOK)
}

// TestUDPReceiverStop answers what was received before the stop, and cuts when
// there is no time.
func TestUDPReceiverStop(t *testing.T) {
	for _, cut := range []bool{false, true} {
		w := newRxGate()
		g, c := newUDPRx(t, ReceiverConfig{}, w.receive)
		f := newFrames(t)
		c.put(f.frame(optSync, "a"), f.frame(optSync, "b"))
		w.wantEntered(t, "a")
		ctx, cancel := context.WithCancel(context.Background())
		if cut {
			cancel()
		}
		stopped := make(chan error)
		go func() { stopped <- g.r.Stop(ctx) }() // ends when the receiver has stopped
		if cut {
			<-g.r.ctx.Done()
		} else {
			<-g.r.closing
		}
		close(w.open)
		if err := <-stopped; (err != nil) != cut {
			t.Errorf("cut %v: Stop() = %v", cut, err)
		}
		if cut {
			g.wantDelivered("a")
		} else {
			c.want(ackPlainOK, ackPlainOK)
			g.wantDelivered("a", "b")
		}
		cancel()
	}
}
