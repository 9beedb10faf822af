package interceptor

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/gotribes/tribes/interceptor/interceptortest"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// A journey is what a fuzzer lets happen to the messages of one sender. Each
// byte is a step; see step.
type journey struct {
	h     *interceptortest.Harness
	o     *Order
	now   time.Time
	at    uint32            // the number around which the sender counts
	last  *message.Message  // the last message, to be repeated
	again map[string]bool   // payloads of messages that came more than once
	given map[string]uint32 // payload to number of all
}

const (
	stepNear   = 0x40 // below: a message; 3 bits say how far behind or ahead
	stepTime   = 0x80 // below: time passes, in tenths of Expire
	stepJump   = 0xa0 // below: the sender counts on elsewhere; 4 bytes follow
	stepRepeat = 0xc0 // below: the last message comes again
	stepGone   = 0xe0 // below: the sender leaves
)

// step does what the first byte of b says and returns the rest of b.
func (j *journey) step(t *testing.T, b []byte) []byte {
	op, rest := b[0], b[1:]
	switch {
	case op < stepNear:
		j.arrive(t, j.at+uint32(op&7)-3)
		j.at += uint32(op >> 3 & 1)
	case op < stepTime:
		j.now = j.now.Add(time.Duration(op&0x1f) * j.o.set.gather)
		j.o.tick(j.now)
	case op < stepJump && len(rest) >= 4:
		j.at = binary.BigEndian.Uint32(rest)
		return rest[4:]
	case op < stepRepeat && j.last != nil:
		j.again[string(j.last.Payload()[:j.last.Len()-numberSize])] = true
		j.deliver(t, j.last)
	case op < stepGone:
		j.h.Part(membership.Left, peer)
		j.h.Flush()
	default: // what is no message
		if err := j.h.Arrive(peer, rest[:min(len(rest), int(op&3))], 0); err == nil {
			t.Error("Receive of a message without a number = nil, want an error")
		}
	}
	return rest
}

func (j *journey) arrive(t *testing.T, nr uint32) {
	text := fmt.Sprint(len(j.given))
	j.given[text] = nr
	m := j.h.Message(numbered(text, nr), message.Sync)
	defer m.Release()
	m.Source = peer
	j.last = m.Clone()
	j.deliver(t, m)
}

func (j *journey) deliver(t *testing.T, m *message.Message) {
	m = m.Clone() // a layer may change what it gets
	if err := j.h.Deliver(context.Background(), m); err != nil {
		t.Errorf("Receive of number %d = %v, want nil", j.given[string(m.Payload())], err)
	}
}

// Whatever numbers come, each message is delivered, and only once if it came
// only once; nothing is held at the end.
func FuzzOrderReceive(f *testing.F) {
	f.Add([]byte("\x0b\x0b\x0b\x0b"))                             // in order
	f.Add([]byte("\x0c\x0a\x0b\xa0\x5f\x5f"))                     // swapped, repeated, late
	f.Add([]byte("\x0b\x80\x7f\xff\xff\xff\x0b\x43\x0b\x0d\x5f")) // elsewhere, over the change of the sign
	f.Add([]byte("\x0b\x80\xff\xff\xff\xff\x0b\x0b\x0b\x5f"))     // round
	f.Add([]byte("\x0b\x0b\x0f\xc0\x0b\x80\x00\x00\x00\x01\x0b")) // gone, and counting anew
	f.Add([]byte("\xe3ab"))
	f.Fuzz(func(t *testing.T, script []byte) {
		o := &Order{MaxQueue: 5, MaxBytes: 8 << 10}
		j := &journey{
			h: newOrder(t, o), o: o, now: time.Now(), at: 1,
			again: make(map[string]bool), given: make(map[string]uint32),
		}
		for b := bytes.Clone(script); len(b) > 0; {
			b = j.step(t, b)
		}
		o.drain(context.Background())
		times := make(map[string]int)
		for _, m := range j.h.Top.Received() {
			times[string(m.Payload())]++
		}
		for text, nr := range j.given {
			if n := times[text]; n == 0 || n > 1 && !j.again[text] {
				t.Errorf("message %s with the number %d was delivered %d times, want once", text, nr, n)
			}
		}
		j.h.Flush()
		if got := o.Stats(); got.Held != 0 || got.HeldBytes != 0 {
			t.Errorf("Stats() = %+v, want nothing held", got)
		}
	})
}
