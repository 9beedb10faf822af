package nio

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"testing"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// idleLink is a link with n acked frames in flight whose goroutines do not run.
func idleLink(t testing.TB, n int, settled func(*message.Receipt)) *link {
	s, err := NewSender(SenderConfig{})
	if err != nil {
		t.Fatal(err)
	}
	var trace *channel.Trace
	s.env = channel.Env{Pool: new(message.Pool), Logger: slog.New(slog.DiscardHandler), Trace: trace.WithDefaults(),
		Fault: func(*membership.Member, message.ID, error) { t.Error("Fault was called for an answer") }}
	p := newPeer(s, testMember(t, "10.0.1.1", 4000))
	ours, theirs := net.Pipe()
	theirs.Close()
	l := &link{p: p, conn: ours, state: linkOpen, wake: make(chan struct{}, 1)}
	p.links = []*link{l}
	m := s.env.Pool.New(1)
	defer m.Release()
	m.Source, m.Options = p.member, message.UseAck
	for range n {
		o := outgoing{m: m, receipt: message.NewReceipt(1, settled), size: message.FrameSize(m), acked: true, now: s.now()}
		l.flight.add(p.store.frame(&o, message.AppendHead(nil, m, 0), p.member))
		p.pending++
	}
	l.rd.buf = make([]byte, readSize)
	l.rd.limit = replyBase + n*replyItem
	return l
}

// FuzzAnswers gives a link answers in pieces of any size. Whatever comes, each
// frame is settled at most once, the memory stays small, and a wrong answer ends
// the link.
func FuzzAnswers(f *testing.F) {
	numbered := func(upTo uint64, settled ...message.Settled) []byte {
		return message.AppendNumberedAck(nil, 0, upTo, settled)
	}
	f.Add([]byte(message.AckFrame), uint8(21))
	f.Add([]byte(message.FailAckFrame+message.AckFrame), uint8(3))
	f.Add(numbered(5), uint8(200))
	f.Add(append(numbered(0, message.Settled{Number: 3, Outcome: message.Refused, Reason: "no"}), numbered(8)...), uint8(7))
	f.Add(numbered(9), uint8(1))
	f.Add(numbered(1, message.Settled{Number: 1, Outcome: message.Acknowledged}), uint8(1))
	f.Add([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"), uint8(5))
	f.Fuzz(func(t *testing.T, data []byte, piece uint8) {
		const frames = 8
		outcomes := 0
		l := idleLink(t, frames, func(*message.Receipt) { outcomes++ }) // a second one panics
		for len(data) > 0 {
			n := min(len(data), int(piece)+1, len(l.rd.buf)-l.rd.have)
			copy(l.rd.buf[l.rd.have:], data[:n])
			l.rd.have += n
			data = data[n:]
			if !l.answers() {
				if l.state != linkClosed || !errors.As(l.cause, new(*message.FormatError)) {
					t.Errorf("state %d, cause %v after a wrong answer", l.state, l.cause)
				}
				break
			}
			if len(l.rd.buf) > l.rd.limit && len(l.rd.buf) > readSize {
				t.Errorf("%d bytes of memory for answers, want at most %d", len(l.rd.buf), l.rd.limit)
			}
		}
		if l.flight.count+outcomes != frames || l.p.pending != l.flight.count {
			t.Errorf("%d outcomes and %d without, %d pending, want %d in all", outcomes, l.flight.count, l.p.pending, frames)
		}
		l.fail(endBroken, errRefused)
		l.p.s.cancel(context.Canceled)
		var out settlements
		for l.flight.span() > 0 {
			if f := l.flight.advance(); f != nil {
				l.p.finish(f, message.Unknown, l.cause, false, &out)
			}
		}
		l.p.s.settle(&out)
		l.p.store.close()
		l.conn.Close()
	})
}
