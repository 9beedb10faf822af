package mem

import (
	"net/netip"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// effects are calls of code outside of this package that follow from a change
// of the network. They are gathered while Network.mu is held and made when it
// is not.
type effects struct{ list []effect }

type effect struct {
	kind    effectKind
	s       *Sender // nil for accepted
	env     *channel.Env
	receipt *message.Receipt
	to      *membership.Member
	id      message.ID
	outcome message.Outcome
	err     error
	from    netip.AddrPort
	caps    message.Caps
}

type effectKind uint8

const (
	settle effectKind = iota
	fault
	linkUp
	linkDown
	accepted
	learned
)

func (n *Network) effects() *effects {
	if fx, ok := n.fx.Get().(*effects); ok {
		return fx
	}
	return new(effects)
}

// effect adds a call that s makes; Stop of s waits for it.
func (s *Sender) effect(fx *effects, e effect) {
	s.owed.Add(1)
	e.s, e.env = s, &s.env
	fx.list = append(fx.list, e)
}

// token returns an empty channel with room for one.
func (n *Network) token() chan struct{} {
	if ch, ok := n.tokens.Get().(chan struct{}); ok {
		return ch
	}
	return make(chan struct{}, 1)
}

// run makes the calls and gives fx back. It is called without n.mu.
func (n *Network) run(fx *effects) {
	for i := range fx.list {
		fx.list[i].run()
	}
	clear(fx.list)
	fx.list = fx.list[:0]
	n.fx.Put(fx)
}

func (e *effect) run() {
	switch e.kind {
	case settle:
		e.receipt.Settle(e.to, e.outcome, e.err)
	case fault:
		if e.env.Fault != nil {
			e.env.Fault(e.to, e.id, e.err)
		}
	case linkUp:
		e.env.Trace.LinkUp(e.to)
	case linkDown:
		e.env.Trace.LinkDown(e.to, e.err)
	case learned:
		e.env.Learned(e.to, e.caps)
	case accepted:
		e.env.Trace.Accepted(e.from)
	}
	if e.s != nil {
		e.s.owed.Done()
	}
}
