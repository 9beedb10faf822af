package interceptor

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// TCPPing is a layer that tries the way to members at regular intervals, so that one
// which cannot be reached is found out when nothing is sent to it (docs/wire.md,
// Interceptors; TcpPingInterceptor in Tribes). It has two forms.
//
// With a Detector, which stands below it in the same stack, it asks that for a probe
// of each member (TCPFailureDetector.Check) and sends nothing. Tribes does this
// whenever there is a detector below. What is found is told by the detector.
//
// Without one it sends a small message to each member, which is not answered. A
// member that cannot be reached is a fault, which the sender tells to the layers
// above, such as a detector there. The messages of others are swallowed.
//
// The fields are settings; they are read when the layer is bound. The zero value has
// the defaults of Tribes. A TCPPing serves one channel. Its methods are safe for
// concurrent use.
type TCPPing struct {
	// OptionFlag is what the messages have as options, and only messages that have
	// these bits are taken for pings of others (optionFlag in Tribes).
	OptionFlag message.Options
	// Interval is the time between two pings (interval in Tribes, where it counts with
	// useThread alone; here it always does). Zero means 1 s; the least is 10 ms. While
	// a ping is not settled at some member no other begins.
	Interval time.Duration
	// Detector, if not nil, is asked for probes in place of sending messages.
	Detector *TCPFailureDetector
	// Only, if not nil, restricts pings to the members of that layer, which stands
	// below this one (staticOnly in Tribes).
	Only *StaticMembers

	flag  message.Options
	host  channel.Host
	next  channel.SendFunc
	below channel.ViewFunc
	above channel.ReceiveFunc

	busy                                atomic.Bool // a ping is not settled
	pings, skipped, failures, swallowed atomic.Uint64
}

var (
	_ channel.Interceptor = (*TCPPing)(nil)
	_ channel.Checked     = (*TCPPing)(nil)
)

const (
	defaultPingInterval = time.Second
	leastPingInterval   = 10 * time.Millisecond

	// pingBytes is the message of a ping (docs/wire.md, Interceptors).
	pingBytes = "" +
		"\x4f\xa7\x73\x48\x79\xdf\x43\xc9\x9f\x6f\x89\x80\xa1\x5b\x07\x14" +
		"\x7d\xd9\x52\x5b\xeb\xdf\x43\x9a\xb7\x7e\xbe\x8f\x81\x67\x1e\xb6" +
		"\x37\x15\xbe\x87\x45\x21\x4c\xa8\xbf\x0a\x4d\x13\x53\x38\x15\x32" +
		"\x55\xf6\x94\xb7\x3a\xdf\x21\x78\x91\x04\x7d\xd7\x72\x84\xc0\xd5"
)

func (p *TCPPing) interval() (time.Duration, error) {
	interval := cmp.Or(p.Interval, defaultPingInterval)
	var errs []error
	if interval < leastPingInterval {
		errs = append(errs, fmt.Errorf("tribes: ping: Interval %v: want at least %v", interval, leastPingInterval))
	}
	if p.OptionFlag&(message.UseAck|message.SyncAck|message.Multicast|message.NumberedAcks) != 0 {
		errs = append(errs, fmt.Errorf("tribes: ping: OptionFlag %s: want no acks and no multicast", p.OptionFlag))
	}
	return interval, errors.Join(errs...)
}

// Traits implements channel.Checked.
func (p *TCPPing) Traits() channel.Traits {
	t := channel.Traits{Selects: p.OptionFlag}
	if p.Detector != nil {
		t.Above = append(t.Above, p.Detector)
	}
	if p.Only != nil {
		t.Above = append(t.Above, p.Only)
	}
	return t
}

// BindDown implements channel.Interceptor. The error joins everything that is
// wrong with the settings.
func (p *TCPPing) BindDown(h channel.Host, below channel.Down) (channel.Down, error) {
	if p.host != nil {
		return below, errBound
	}
	interval, err := p.interval()
	if err != nil {
		return below, err
	}
	p.host, p.flag, p.next, p.below = h, p.OptionFlag, below.Send, below.View
	h.Every(interval, p.ping)
	return below, nil
}

// BindUp implements channel.Interceptor.
func (p *TCPPing) BindUp(above channel.Up) channel.Up {
	p.above = above.Receive
	above.Receive = p.receive
	return above
}

// receive swallows the pings of others.
func (p *TCPPing) receive(ctx context.Context, m *message.Message) error {
	if m.Len() == len(pingBytes) && m.Options.Has(p.flag) && bytes.Equal(m.Payload(), []byte(pingBytes)) {
		p.swallowed.Add(1)
		return nil
	}
	return p.above(ctx, m)
}

// ping tries the way to the members once.
func (p *TCPPing) ping(ctx context.Context) {
	to := p.members()
	switch {
	case len(to) == 0:
		return
	case !p.busy.CompareAndSwap(false, true):
		p.skipped.Add(1)
		return
	}
	p.pings.Add(1)
	if p.Detector != nil {
		p.Detector.Check(to...)
		p.busy.Store(false)
		return
	}
	m := p.host.NewMessage(len(pingBytes))
	defer m.Release()
	copy(m.Payload(), pingBytes)
	m.Options = p.flag
	settled := func(r *message.Receipt) { p.settled(to, r) }
	if err := p.next(ctx, to, m, message.NewReceipt(len(to), settled)); err != nil {
		p.failures.Add(uint64(len(to)))
		p.busy.Store(false)
	}
}

// members are those to be tried. A detector knows more than its view shows: who
// cannot be reached, which it tries by itself.
func (p *TCPPing) members() []*membership.Member {
	if p.Only == nil {
		return p.below().Members
	}
	return p.Only.present()
}

// settled is told what became of a ping everywhere.
func (p *TCPPing) settled(to []*membership.Member, r *message.Receipt) {
	defer p.busy.Store(false)
	if r.OK() {
		return
	}
	for _, res := range r.Results(to, nil) {
		if !res.Outcome.OK() {
			p.failures.Add(1)
		}
	}
}

// TCPPingStats says what a [TCPPing] has done.
type TCPPingStats struct {
	Pings     uint64 // times that there were members to be tried
	Skipped   uint64 // times that the last one was not settled yet
	Failures  uint64 // messages that could not be sent
	Swallowed uint64 // pings of others
}

// Stats returns the counts so far. Each is exact; they are not of one instant.
func (p *TCPPing) Stats() TCPPingStats {
	return TCPPingStats{
		Pings:     p.pings.Load(),
		Skipped:   p.skipped.Load(),
		Failures:  p.failures.Load(),
		Swallowed: p.swallowed.Load(),
	}
}
