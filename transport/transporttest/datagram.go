package transporttest

import (
	"bytes"
	"errors"

	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

var datagramChecks = []check{
	{"datagrams", datagrams},
	{"datagram to a member without a port", datagramNoPort},
}

// datagrams looks at what a transport does with the option UDP: if its receiver
// has no UDP port, sends with that option are refused.
func datagrams(g *rig) {
	rec := g.recorder(1)
	a, b := g.node(defaults, discard), g.node(defaults, rec.receive)
	if b.bound.UDPPort == membership.NoPort {
		a.send(message.UDP, []byte("x"), b).want(message.NotSent)
		return
	}
	for _, mode := range modes {
		for _, size := range []int{0, 1000, 30_000} {
			payload := random(size)
			a.send(mode.options|message.UDP, payload, b).want(mode.success)
			m := await(g, rec.got, "the datagram")
			if !bytes.Equal(m.Payload(), payload) || m.Source.Key() != a.member().Key() {
				g.Errorf("%s: %d bytes were sent, other bytes or another source arrived", mode.name, size)
			}
		}
		r := a.send(mode.options|message.UDP, random(70_000), b).want(message.NotSent)
		if !errors.Is(r.Err, message.ErrTooLarge) {
			g.Errorf("%s: error of a datagram of 70000 bytes = %v, want %v", mode.name, r.Err, message.ErrTooLarge)
		}
	}
}

func datagramNoPort(g *rig) {
	a, b := g.node(defaults, discard), g.node(defaults, discard)
	silent, err := b.member().With(func(at *membership.Attributes) { at.UDPPort = membership.NoPort })
	if err != nil {
		g.Fatal(err)
	}
	r := a.sendTo(g.Context(), message.UDP|message.UseAck, []byte("x"), silent).want(message.NotSent)
	if errors.Is(r.Err, message.ErrTimeout) {
		g.Errorf("error = %v, want one at once", r.Err)
	}
}
