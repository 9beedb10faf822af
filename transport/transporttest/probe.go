package transporttest

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

var probeChecks = []check{
	{"probe of a live member", probeLive},
	{"probe of a member that is gone", probeGone},
	{"probe beside a stuck listener", probeStuck},
	{"probe whose context ends", probeContext},
}

var probeKinds = []channel.ProbeKind{channel.ProbeConnect, channel.ProbeWrite, channel.ProbeRead}

// probe asks the sender of n to test the way to m.
func (n *node) probe(ctx context.Context, m *membership.Member, kind channel.ProbeKind, o message.Options) error {
	p := channel.Probe{Kind: kind, Connect: short.Timeout, Read: short.Timeout}
	if kind != channel.ProbeConnect {
		msg := n.pool.New(64)
		defer msg.Release()
		copy(msg.Payload(), probePayload)
		msg.ID, msg.Source, msg.Options = message.NewID(), n.member(), o
		p.Message = msg
	}
	return n.Sender.Probe(ctx, m, p)
}

var probePayload = random(64)

func probeLive(g *rig) {
	rec := g.recorder(1)
	a, b := g.node(defaults, discard), g.node(defaults, rec.receive)
	for range 2 {
		for _, kind := range probeKinds {
			if err := a.probe(g.Context(), b.member(), kind, message.UseAck); err != nil {
				g.Errorf("%v probe: %v", kind, err)
			}
			if kind == channel.ProbeConnect {
				continue
			}
			m := await(g, rec.got, "the message of the probe")
			if !bytes.Equal(m.Payload(), probePayload) || m.Options != message.UseAck || m.Source.Key() != a.member().Key() {
				g.Errorf("%v probe: a message of %d bytes with the options %v from %v arrived", kind, m.Len(), m.Options, m.Source)
			}
		}
	}
}

func probeGone(g *rig) {
	a, gone := g.node(defaults, discard), g.gone(defaults)
	for _, kind := range probeKinds {
		if err := a.probe(g.Context(), gone, kind, message.UseAck); err == nil {
			g.Errorf("%v probe of a member that is gone succeeded", kind)
		}
	}
}

func probeStuck(g *rig) {
	block := g.gate()
	a, b := g.node(defaults, discard), g.node(defaults, block.receive)
	a.send(0, []byte("x"), b).want(message.Written)
	await(g, block.entered, "the message")
	for _, kind := range probeKinds {
		if err := a.probe(g.Context(), b.member(), kind, message.UseAck); err != nil {
			g.Errorf("%v probe: %v", kind, err)
		}
	}
	block.open()
}

func probeTimeout(g *rig) {
	block := g.gate()
	a, b := g.node(defaults, discard), g.node(defaults, block.receive)
	begin := time.Now()
	err := a.probe(g.Context(), b.member(), channel.ProbeRead, message.Sync)
	took := time.Since(begin)
	if !isTimeout(err) {
		g.Errorf("probe of a member that does not answer: %v, want a timeout", err)
	}
	if took < short.Timeout/2 || took > short.Timeout+patience/2 {
		g.Errorf("the probe took %v, want %v", took, short.Timeout)
	}
	block.open()
}

func probeContext(g *rig) {
	block := g.gate()
	a, b := g.node(defaults, discard), g.node(defaults, block.receive)
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(g.Context())
	go func() { // ends when the probe has arrived, or with the check
		select {
		case <-block.entered:
		case <-g.Context().Done():
		}
		cancel(cause)
	}()
	if err := a.probe(ctx, b.member(), channel.ProbeRead, message.Sync); !errors.Is(err, cause) {
		g.Errorf("probe whose context ends: %v, want %v", err, cause)
	}
	block.open()
}
