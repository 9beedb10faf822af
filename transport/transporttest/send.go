package transporttest

import (
	"context"
	"sync"
	"time"

	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// modes are the three ways in which a destination may be asked to answer.
var modes = []struct {
	name    string
	options message.Options
	success message.Outcome
}{
	{"no ack", 0, message.Written},
	{"ack", message.UseAck, message.Acknowledged},
	{"sync ack", message.Sync, message.Acknowledged},
}

// sent is a message that was given to a sender.
type sent struct {
	n       *node
	id      message.ID
	time    int64
	to      []*membership.Member
	receipt *message.Receipt
	settled chan struct{} // closed when every destination is
}

// send gives a message to the sender of n and returns when it was accepted or
// refused; like a channel it then settles the destinations itself.
func (n *node) send(o message.Options, payload []byte, to ...*node) *sent {
	members := make([]*membership.Member, len(to))
	for i, d := range to {
		members[i] = d.member()
	}
	return n.sendTo(n.g.Context(), o, payload, members...)
}

func (n *node) sendTo(ctx context.Context, o message.Options, payload []byte, to ...*membership.Member) *sent {
	m := n.pool.New(len(payload))
	copy(m.Payload(), payload)
	m.ID, m.Source, m.Sent, m.Options = message.NewID(), n.member(), time.Now().UnixMilli(), o|message.ByteMessage
	s := &sent{n: n, id: m.ID, time: m.Sent, to: to, settled: make(chan struct{})}
	s.receipt = message.NewReceipt(len(to), func(*message.Receipt) { close(s.settled) })
	err := n.Sender.Send(ctx, to, m, s.receipt)
	m.Release()
	if err != nil {
		s.receipt.SettleAll(to, message.NotSent, err)
	}
	n.mu.Lock()
	n.sends = append(n.sends, s)
	n.mu.Unlock()
	return s
}

// results waits until every destination is settled and returns the outcomes in
// the order of the destinations.
func (s *sent) results() []message.Result {
	s.n.g.Helper()
	await(s.n.g, s.settled, "the outcome of a send")
	return s.receipt.Results(s.to, nil)
}

// result is for a send to one destination.
func (s *sent) result() message.Result {
	s.n.g.Helper()
	return s.results()[0]
}

// want fails the check if the outcome at the only destination is another.
func (s *sent) want(o message.Outcome) message.Result {
	s.n.g.Helper()
	r := s.result()
	if r.Outcome != o {
		s.n.g.Errorf("outcome = %v (%v), want %v", r.Outcome, r.Err, o)
	}
	if r.Outcome.OK() != (r.Err == nil) {
		s.n.g.Errorf("outcome %v with the error %v", r.Outcome, r.Err)
	}
	return r
}

func (s *sent) isSettled() bool {
	select {
	case <-s.settled:
		return true
	default:
		return false
	}
}

// recorder is a listener that keeps a copy of each message.
type recorder struct {
	g   *rig
	got chan *message.Message
}

// recorder returns one that has room for as many messages as can come before
// the check takes one.
func (g *rig) recorder(room int) *recorder { return &recorder{g, make(chan *message.Message, room)} }

func (r *recorder) receive(_ context.Context, m *message.Message) error {
	select {
	case r.got <- m.Clone():
	default:
		r.g.Errorf("more messages came than were sent: %v", m.ID)
	}
	return nil
}

// gate is a listener that blocks until it is opened, at the latest when the
// check has ended.
type gate struct {
	entered chan message.ID // has room for one; later messages find it full
	opened  chan struct{}
	once    sync.Once
}

func (g *rig) gate() *gate {
	t := &gate{entered: make(chan message.ID, 1), opened: make(chan struct{})}
	g.gates = append(g.gates, t)
	return t
}

func (t *gate) receive(_ context.Context, m *message.Message) error {
	select {
	case t.entered <- m.ID:
	default:
	}
	<-t.opened
	return nil
}

func (t *gate) open() { t.once.Do(func() { close(t.opened) }) }
