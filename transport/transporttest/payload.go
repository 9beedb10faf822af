package transporttest

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"

	"github.com/gotribes/tribes/message"
)

var payloadChecks = []check{
	{"payload sizes", payloadSizes},
	{"largest frame", largestFrame},
	{"beyond the largest frame", tooLarge},
	{"fields arrive", fieldsArrive},
	{"private option is hidden", privateOption},
	{"payload may be retained", retained},
	{"payload is the receiver's own", ownCopy},
}

// random returns bytes that repeat for the same size.
func random(size int) []byte {
	src := rand.NewChaCha8([32]byte{byte(size), byte(size >> 8), byte(size >> 16)})
	b := make([]byte, size)
	src.Read(b) // never fails
	return b
}

func payloadSizes(g *rig) {
	rec := g.recorder(1)
	a, b := g.node(defaults, discard), g.node(defaults, rec.receive)
	for _, size := range []int{0, 1, 100, 4 << 10, 16<<10 - 1, 16 << 10, 16<<10 + 1, 1 << 20} {
		for _, mode := range modes {
			payload := random(size)
			a.send(mode.options, payload, b).want(mode.success)
			m := await(g, rec.got, "the message")
			if !bytes.Equal(m.Payload(), payload) {
				g.Errorf("%s: %d bytes were sent, %d other ones arrived", mode.name, size, m.Len())
			}
		}
	}
}

// frameOf returns a payload that makes a frame of exactly size bytes.
func frameOf(n *node, size int) []byte {
	m := n.pool.New(0)
	defer m.Release()
	m.Source = n.member()
	return random(size - message.FrameSize(m))
}

func largestFrame(g *rig) {
	s := defaults
	s.MaxFrame = 300_000
	rec := g.recorder(1)
	a, b := g.node(s, discard), g.node(s, rec.receive)
	payload := frameOf(a, s.MaxFrame)
	a.send(message.UseAck, payload, b).want(message.Acknowledged)
	if m := await(g, rec.got, "the message"); !bytes.Equal(m.Payload(), payload) {
		g.Errorf("other bytes arrived")
	}
}

func tooLarge(g *rig) {
	s := defaults
	s.MaxFrame = 300_000
	rec := g.recorder(1)
	a, b := g.node(s, discard), g.node(s, rec.receive)
	for _, mode := range modes {
		lost := a.send(mode.options, frameOf(a, s.MaxFrame+1), b)
		if r := lost.want(message.NotSent); !errors.Is(r.Err, message.ErrTooLarge) {
			g.Errorf("%s: error = %v, want %v", mode.name, r.Err, message.ErrTooLarge)
		}
		a.wantNoFault(lost)
	}
	a.send(message.UseAck, []byte("next"), b).want(message.Acknowledged)
	if m := await(g, rec.got, "the next message"); string(m.Payload()) != "next" {
		g.Errorf("%d bytes of a message that was not sent arrived", m.Len())
	}
}

func fieldsArrive(g *rig) {
	rec := g.recorder(1)
	a, b := g.node(defaults, discard), g.node(defaults, rec.receive)
	for _, o := range []message.Options{0, message.UseAck, message.Sync, message.Async | message.Gzip | 0x0002_8000, message.Sync | 1<<31} {
		s := a.send(o, []byte("x"), b)
		m := await(g, rec.got, "the message")
		s.result()
		if want := o | message.ByteMessage; m.Options != want {
			g.Errorf("options = %v, want %v", m.Options, want)
		}
		if m.ID != s.id || m.Sent != s.time {
			g.Errorf("id and time = %v, %d, want %v, %d", m.ID, m.Sent, s.id, s.time)
		}
		if m.Source.Attributes() != a.member().Attributes() {
			g.Errorf("source = %+v, want %+v", m.Source.Attributes(), a.member().Attributes())
		}
	}
}

func privateOption(g *rig) {
	rec := g.recorder(1)
	a, b := g.node(defaults, discard), g.node(defaults, rec.receive)
	for range 3 { // the first answer may open the link for numbered acks
		for _, mode := range modes {
			a.send(mode.options, nil, b).want(mode.success)
			if m := await(g, rec.got, "the message"); m.Options&message.NumberedAcks != 0 {
				g.Errorf("%s: the listener sees the bit NumberedAcks: %v", mode.name, m.Options)
			}
		}
	}
}

func retained(g *rig) {
	const count = 50
	kept := make(chan *message.Message, count)
	a := g.node(defaults, discard)
	b := g.node(defaults, func(_ context.Context, m *message.Message) error {
		m.Retain()
		kept <- m
		return nil
	})
	for i := range count {
		a.send(message.UseAck, random(i*700), b).want(message.Acknowledged)
	}
	for i := range count {
		m := await(g, kept, "a message")
		if !bytes.Equal(m.Payload(), random(i*700)) {
			g.Errorf("message %d of %d bytes has changed while it was retained", i, i*700)
		}
		m.Release()
	}
}

// ownCopy lets two receivers of one message scribble in it, as layers do that
// decrypt in place.
func ownCopy(g *rig) {
	payload := random(20_000)
	bad := make(chan int, 2*20)
	scribble := func(_ context.Context, m *message.Message) error {
		p := m.Payload()
		if !bytes.Equal(p, payload) {
			bad <- m.Len()
		}
		clear(p)
		copy(m.Extend(100), "beyond the end")
		return nil
	}
	a, b, c := g.node(defaults, discard), g.node(defaults, scribble), g.node(defaults, scribble)
	for range 20 {
		for _, r := range a.send(message.Sync, payload, b, c).results() {
			if r.Err != nil {
				g.Errorf("%v: %v", r.Member, r.Err)
			}
		}
	}
	if len(bad) > 0 {
		g.Errorf("a receiver saw what another one wrote into its message")
	}
}
