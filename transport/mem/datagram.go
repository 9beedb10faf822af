package mem

import (
	"net/netip"
	"time"

	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// maxDatagram is the largest frame, in bytes, that goes into one datagram.
const maxDatagram = 65507

// sendDatagram sends f, once, to the UDP port of its destination.
func (s *Sender) sendDatagram(fx *effects, f *flight, now time.Time) {
	if f.to.UDPPort() == membership.NoPort {
		s.refuse(fx, f, errNoUDP)
		return
	}
	if !f.options.Acked() {
		s.settle(fx, f, message.Written, nil)
	}
	far := s.n.byAddr[f.to.Host()]
	if far == nil { // lost somewhere
		f.unload()
		s.tidy(f)
		return
	}
	f.fwd, f.rev = s.n.edge(s.node.host, far), s.n.edge(far, s.node.host)
	f.transmit(fx, now)
}

// refuse settles f, which cannot be sent at all.
func (s *Sender) refuse(fx *effects, f *flight, err error) {
	s.settle(fx, f, message.NotSent, err)
	f.unload()
	s.tidy(f)
}

// landDatagram is when a datagram reaches the other host.
func (f *flight) landDatagram(fx *effects, now time.Time) {
	r := f.s.n.receivers[netip.AddrPortFrom(f.to.Host(), uint16(f.to.UDPPort()))]
	if r == nil {
		f.lose(now)
		return
	}
	x := r.lane(f.s)
	if x.stored > f.s.n.cfg.Window { // as a socket's buffer is full
		f.lose(now)
		return
	}
	x.take(fx, f, now)
}
