package interceptor

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/interceptor/interceptortest"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

func vectorStack(t *testing.T) []channel.Interceptor {
	return []channel.Interceptor{
		new(Order), new(Gzip), &Fragmentation{MaxSize: 40, MinSize: -1},
		&Encrypt{Key: mustKey(t, key128), Clock: func() time.Time { return vectorTime }},
	}
}

// What Tribes has sent through a whole stack comes out of ours as it went in, and what
// ours sends has the form of it: the number of frames, their sizes and options. (Ivs are
// random and two deflaters differ, so the bytes are not the same.)
func TestVectorOfAWholeStack(t *testing.T) {
	v := loadVector(t, "stack-order-gzip-fragment40-encrypt")
	h := interceptortest.New(t, interceptortest.Config{}, vectorStack(t)...)
	h.Start()
	for _, frame := range v.frames {
		if err := arrive(t, h, frame.bytes); err != nil {
			t.Fatalf("Receive = %v", err)
		}
	}
	got := h.Top.Received()
	if len(got) != 1 || !bytes.Equal(got[0].Payload(), v.input[0]) {
		t.Fatalf("%d messages came out, want the one that went in", len(got))
	}

	out := interceptortest.New(t, interceptortest.Config{}, vectorStack(t)...)
	out.Start()
	first, _ := parse(t, v.frames[0].bytes)
	m := out.Message(v.input[0], first.Options&^message.Gzip)
	r := message.NewReceipt(1, nil)
	if err := out.SendMessage(context.Background(), []*membership.Member{peer}, m, r); err != nil {
		t.Fatal(err)
	}
	m.Release()
	<-r.Done()
	sent := out.Bottom.Sent()
	if len(sent) < 2 || len(sent) > len(v.frames)+1 {
		t.Fatalf("%d frames were sent, want about %d", len(sent), len(v.frames))
	}
	back := interceptortest.New(t, interceptortest.Config{}, vectorStack(t)...)
	back.Start()
	for i, s := range sent {
		if s.Message.Options != first.Options || i < len(sent)-1 && s.Message.Len() != len(first.Message) {
			t.Errorf("frame %d has the options %s and %d bytes, want %s and %d", i, s.Message.Options, s.Message.Len(), first.Options, len(first.Message))
		}
		arrived := s.Message.Copy()
		arrived.Source = interceptortest.Member(2)
		if err := back.Deliver(context.Background(), arrived); err != nil {
			t.Fatal(err)
		}
		arrived.Release()
	}
	if all := back.Top.Received(); len(all) != 1 || !bytes.Equal(all[0].Payload(), v.input[0]) {
		t.Errorf("%d messages came back, want the one that went in", len(all))
	}
}

// A part that was not decrypted does not get into a message of parts that were.
func TestPartsOfOneSealMakeAMessage(t *testing.T) {
	h := interceptortest.New(t, interceptortest.Config{}, &Fragmentation{MaxSize: 40, MinSize: -1})
	h.Start()
	parts := fragments(bytes.Repeat([]byte("x"), 60), 40)
	mark, id := new(message.Mark), message.NewID()
	deliver := func(part []byte, marked bool) {
		m := h.Message(part, message.ByteMessage)
		m.ID, m.Source = id, interceptortest.Member(2)
		if marked {
			mark.Set(m)
		}
		if err := h.Deliver(context.Background(), m); err != nil {
			t.Fatal(err)
		}
		m.Release()
	}
	deliver(parts[0], true)
	deliver(parts[1], false)
	if got := len(h.Top.Received()); got != 0 {
		t.Fatalf("%d messages were made of parts of two kinds", got)
	}
	deliver(parts[1], true)
	if all := h.Top.Received(); len(all) != 1 || !mark.On(all[0]) {
		t.Errorf("%d messages with the mark, want 1", len(all))
	}
}
