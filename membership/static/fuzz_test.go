package static

import (
	"bytes"
	"context"
	"testing"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/internal/javaser"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// FuzzReceive gives any bytes to the layer, as a message that is no byte
// message. It must take them or pass them on as they are, and believe in no
// member that has not answered.
func FuzzReceive(f *testing.F) {
	w := newWire(f)
	e := w.end(1, Config{Members: list(2, 2), Name: "chan"})
	e.send = func(context.Context, []*membership.Member, *message.Message, *message.Receipt) error {
		return channel.ErrClosed // so that nobody answers, and nothing is kept
	}
	passed := 0
	var last []byte
	up := e.BindUp(channel.Up{Receive: func(_ context.Context, m *message.Message) error {
		passed++
		last = bytes.Clone(m.Payload())
		return nil
	}}).Receive
	e.start()
	from := newMember(f, addr(2))
	for _, bad := range hostile(f, e.Service, from) {
		if bad.m.Len() < 1<<12 {
			f.Add(bad.m.Payload())
		}
	}
	f.Add(questionFrom(f, e.Service, from, nil, javaser.MemberPing, callID{1}, false).Payload())
	f.Add(questionFrom(f, e.Service, from, nil, javaser.MemberPing, callID{1}, true).Payload())
	f.Add(notice(f, e.Service, from, nil, javaser.MemberStop).Payload())
	f.Add(unhex(f, "aced0005"+javaStart))
	f.Fuzz(func(t *testing.T, payload []byte) {
		passed, e.dropped = 0, nil
		if err := up(t.Context(), object(payload, from, nil)); err != nil {
			t.Fatalf("receive(%x) = %v, want nil", payload, err)
		}
		if passed > 1 || passed == 1 && !bytes.Equal(last, payload) {
			t.Errorf("receive(%x) passed %d messages, the last one %x", payload, passed, last)
		}
		if len(e.drops()) > 1 || len(e.drops()) == 1 && passed != 0 {
			t.Errorf("receive(%x) dropped it as %q and passed %d", payload, e.drops(), passed)
		}
		if got := e.View().Len(); got != 0 {
			t.Errorf("receive(%x) made %d members", payload, got)
		}
	})
}
