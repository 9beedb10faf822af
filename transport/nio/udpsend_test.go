package nio

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// udpFake is a member with a UDP port.
type udpFake struct {
	fake
	conn net.PacketConn
}

func (b *bench) listenUDP() *udpFake {
	b.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close() })
	m, err := testMember(b.T, "127.0.0.1", 4000).With(func(a *membership.Attributes) {
		a.UDPPort = conn.LocalAddr().(*net.UDPAddr).Port
	})
	if err != nil {
		b.Fatal(err)
	}
	return &udpFake{fake{t: b.T, member: m}, conn}
}

// want waits for a datagram with that message and returns its source.
func (f *udpFake) want(payload string) (*message.Frame, net.Addr) {
	f.t.Helper()
	b := make([]byte, 1<<16)
	if err := f.conn.SetReadDeadline(time.Now().Add(waiting)); err != nil {
		f.t.Fatal(err)
	}
	n, from, err := f.conn.ReadFrom(b)
	if err != nil {
		f.t.Fatal(err)
	}
	data, size, err := message.Scan(b[:n], 0)
	if err != nil || size != n || data == nil {
		f.t.Fatalf("a datagram of %d bytes with a frame of %d: %v", n, size, err)
	}
	frame, err := message.ParseFrame(data)
	if err != nil || string(frame.Message) != payload {
		f.t.Fatalf("message = %q (%v), want %q", frame.Message, err, payload)
	}
	return &frame, from
}

func (f *udpFake) answer(to net.Addr, answers ...string) {
	f.t.Helper()
	for _, a := range answers {
		if _, err := f.conn.WriteTo([]byte(a), to); err != nil {
			f.t.Error(err)
		}
	}
}

func TestUDPWithoutAck(t *testing.T) {
	b := newTCPBench(t, SenderConfig{})
	f := b.listenUDP()
	for _, payload := range []string{"", "one", "two", string(make([]byte, maxDatagram-135))} {
		b.send(message.UDP, payload, &f.fake).want(message.Written, nil)
		got, _ := f.want(payload)
		if got.Options != message.UDP|message.ByteMessage {
			t.Errorf("options = %v, want udp and byte", got.Options)
		}
	}
	if n := f.dialled(); n != 0 {
		t.Errorf("%d connections, want none", n)
	}
}

func TestUDPAnswers(t *testing.T) {
	numbered := string(message.AppendNumberedAck(nil, 0, 1, nil))
	tests := []struct {
		name    string
		answers []string
		want    message.Outcome
		wrong   uint64
	}{
		{"ack", []string{message.AckFrame}, message.Acknowledged, 0},
		{"fail-ack", []string{message.FailAckFrame}, message.Refused, 0},
		{"garbage first", []string{"", "garbage", message.AckFrame[:20], message.AckFrame + "x", numbered, message.AckFrame}, message.Acknowledged, 5},
		{"nothing", nil, message.Unknown, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := SenderConfig{}
			if tt.answers == nil {
				cfg.Timeouts.Ack = 50 * time.Millisecond
			}
			b := newTCPBench(t, cfg)
			f := b.listenUDP()
			s := b.send(message.UDP|message.UseAck, "x", &f.fake)
			got, from := f.want("x")
			if got.Options != message.UDP|message.UseAck|message.ByteMessage {
				t.Errorf("options = %v, want udp, use_ack and byte", got.Options)
			}
			f.answer(from, tt.answers...)
			cause := error(nil)
			if tt.want == message.Unknown {
				cause = message.ErrTimeout
			}
			s.want(tt.want, cause)
			if got := b.faulted(s.id); got != (tt.want == message.Unknown) {
				t.Errorf("Fault was called: %v", got)
			}
			wrong := uint64(0)
			for _, n := range b.s.Stats()[0].WrongAnswers {
				wrong += n
			}
			if wrong != tt.wrong {
				t.Errorf("%d wrong answers were counted, want %d", wrong, tt.wrong)
			}
		})
	}
}

func TestUDPErrors(t *testing.T) {
	b := newTCPBench(t, SenderConfig{})
	none, healthy := &fake{member: testMember(t, "127.0.0.1", 4000)}, b.listenUDP()
	r := b.send(message.UDP, "x", none, &healthy.fake).results()
	if r[0].Outcome != message.NotSent || !errors.Is(r[0].Err, errNoUDP) {
		t.Errorf("result without UDP port = %+v, want %v", r[0], errNoUDP)
	}
	if r[1].Outcome != message.Written {
		t.Errorf("result at the healthy member = %+v", r[1])
	}
	m := b.message(message.UDP, string(make([]byte, maxDatagram-134)))
	defer m.Release()
	err := b.s.Send(t.Context(), []*membership.Member{healthy.member}, m, message.NewReceipt(1, nil))
	if !errors.Is(err, message.ErrTooLarge) {
		t.Errorf("Send of more than a datagram: %v, want %v", err, message.ErrTooLarge)
	}
}

// TestUDPNobodyThere learns from what the system reports for the first
// datagram, and from the second.
func TestUDPNobodyThere(t *testing.T) {
	b := newTCPBench(t, SenderConfig{})
	f := b.listenUDP()
	b.send(message.UDP, "x", &f.fake).want(message.Written, nil)
	f.want("x")
	f.conn.Close()
	s := b.send(message.UDP|message.UseAck, "x", &f.fake)
	if r := s.results()[0]; r.Outcome != message.Unknown && r.Outcome != message.NotSent || r.Err == nil {
		t.Errorf("result = %+v, want a failure", r)
	}
	if !b.faulted(s.id) {
		t.Error("Fault was not called")
	}
	for range 3 { // each by itself may be reported as written
		b.send(message.UDP, "x", &f.fake).results()
	}
}

func TestUDPDialFails(t *testing.T) {
	b := newTCPBench(t, SenderConfig{Dial: func(context.Context, string, string) (net.Conn, error) { return nil, errRefused }})
	f := b.listenUDP()
	for _, o := range []message.Options{0, message.UseAck} {
		s := b.send(message.UDP|o, "x", &f.fake)
		s.want(message.NotSent, errRefused)
		if !b.faulted(s.id) {
			t.Error("Fault was not called")
		}
	}
}

// TestUDPRoom bounds how many datagrams wait for their answer.
func TestUDPRoom(t *testing.T) {
	b := newTCPBench(t, SenderConfig{Pool: SenderPool{Size: 2}})
	f := b.listenUDP()
	const o = message.UDP | message.UseAck
	waiting := []*sending{b.send(o, "x", &f.fake), b.send(o, "x", &f.fake)}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := b.sendCtx(ctx, o, "y", &f.fake).results()[0]
	if r.Outcome != message.NotSent || !errorsAre(r.Err, channel.ErrQueueFull, context.Canceled) {
		t.Errorf("result = %+v, want not sent, queue full", r)
	}
	blocked := b.sendLater(o, "x", &f.fake)
	for range 3 {
		_, from := f.want("x")
		f.answer(from, message.AckFrame)
	}
	for _, s := range append(waiting, <-blocked) {
		s.want(message.Acknowledged, nil)
	}
}

// TestUDPEnds settles what waits, for an answer and for room, when the member
// is forgotten or the sender stops.
func TestUDPEnds(t *testing.T) {
	for _, stop := range []bool{false, true} {
		bubble.Test(t, func(t *testing.T) {
			b := newBench(t, SenderConfig{Pool: SenderPool{Size: 1}})
			f := b.member()
			var err error
			if f.member, err = f.member.With(func(a *membership.Attributes) { a.UDPPort = a.Port }); err != nil {
				t.Fatal(err)
			}
			cast := b.sendLater(message.UDP, "no ack", f)
			f.accept().want("no ack")
			(<-cast).want(message.Written, nil)
			s := b.send(message.UDP|message.UseAck, "x", f)
			f.accept().want("x")
			blocked := b.sendLater(message.UDP|message.UseAck, "y", f)
			synctest.Wait()
			want := ErrForgotten
			if stop {
				want = channel.ErrClosed
				b.stop()
			} else {
				b.s.Forget(f.member)
			}
			s.want(message.Unknown, want)
			(<-blocked).want(message.NotSent, want)
			if len(b.faults) > 0 {
				t.Errorf("Fault was called for %v", b.faults)
			}
		})
	}
}

// TestUDPStopDrains waits for the answers.
func TestUDPStopDrains(t *testing.T) {
	b := newTCPBench(t, SenderConfig{})
	f := b.listenUDP()
	s := b.send(message.UDP|message.UseAck, "x", &f.fake)
	stopped := make(chan error, 1)
	go func() { stopped <- b.s.Stop(context.Background()) }() // ends with the stop
	_, from := f.want("x")
	f.answer(from, message.AckFrame)
	s.want(message.Acknowledged, nil)
	if err := <-stopped; err != nil {
		t.Errorf("Stop: %v", err)
	}
}
