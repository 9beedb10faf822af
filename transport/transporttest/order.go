package transporttest

import (
	"context"
	"encoding/binary"
	"sync"
	"sync/atomic"

	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

var orderChecks = []check{
	{"order of one sender", orderOfOneSender},
	{"order under concurrency", orderUnderConcurrency},
	{"many callers", manyCallers},
	{"two senders at a time", twoSendersAtATime},
	{"both ways", bothWays},
}

// sequence is a listener that looks at the order of numbered messages. The
// payload is the number of a stream and a count within it.
type sequence struct {
	mu      sync.Mutex
	next    map[stream]uint32
	bad     int
	total   int
	arrived chan struct{} // closed when want messages have come
	want    int
}

// stream is one caller on one node.
type stream struct {
	from   membership.Key
	number uint32
}

func newSequence(want int) *sequence {
	return &sequence{next: make(map[stream]uint32), arrived: make(chan struct{}), want: want}
}

func numbered(stream, count uint32, size int) []byte {
	b := make([]byte, 8+size)
	binary.BigEndian.PutUint32(b, stream)
	binary.BigEndian.PutUint32(b[4:], count)
	return b
}

func (q *sequence) receive(_ context.Context, m *message.Message) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	st := stream{m.Source.Key(), binary.BigEndian.Uint32(m.Payload())}
	if binary.BigEndian.Uint32(m.Payload()[4:]) != q.next[st] {
		q.bad++
	}
	q.next[st]++
	if q.total++; q.total == q.want {
		close(q.arrived)
	}
	return nil
}

func (q *sequence) check(g *rig) {
	g.Helper()
	await(g, q.arrived, "all messages")
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.bad != 0 || q.total != q.want {
		g.Errorf("%d messages arrived, %d of them out of order; want %d, 0", q.total, q.bad, q.want)
	}
}

// orderOfOneSender gives messages to the sender without waiting for outcomes,
// in each mode and in a mix of them, small and large ones.
func orderOfOneSender(g *rig) {
	const count = 400
	q := newSequence(4 * count)
	a, b := g.node(defaults, discard), g.node(defaults, q.receive)
	for kind := range uint32(4) {
		all := make([]*sent, count)
		for i := range all {
			mode := modes[(int(kind)+i*int(kind/3))%3] // the fourth kind mixes
			size := 20
			if i%50 == 0 {
				size = 40_000
			}
			all[i] = a.send(mode.options, numbered(kind, uint32(i), size), b)
		}
		for i, s := range all {
			if r := s.result(); r.Err != nil {
				g.Fatalf("message %d: %v (%v)", i, r.Outcome, r.Err)
			}
		}
	}
	q.check(g)
}

// orderUnderConcurrency has several callers that each wait for their outcomes.
func orderUnderConcurrency(g *rig) {
	const callers, count = 8, 150
	q, q2 := newSequence(callers*count), newSequence(callers*count)
	a, b, c := g.node(defaults, discard), g.node(defaults, q.receive), g.node(defaults, q2.receive)
	var wg sync.WaitGroup
	for caller := range uint32(callers) {
		wg.Go(func() { // ends when its messages have their outcomes
			for i := range uint32(count) {
				mode := modes[(caller+i)%3]
				for _, r := range a.send(mode.options, numbered(caller, i, int(i)), b, c).results() {
					if r.Outcome != mode.success {
						g.Errorf("%s: outcome = %v (%v)", mode.name, r.Outcome, r.Err)
					}
				}
			}
		})
	}
	wg.Wait()
	q.check(g)
	q2.check(g)
}

func manyCallers(g *rig) {
	const callers, count = 64, 30
	q := newSequence(callers * count)
	a, b := g.node(defaults, discard), g.node(defaults, q.receive)
	var wg sync.WaitGroup
	for caller := range uint32(callers) {
		wg.Go(func() { // ends when its messages have their outcomes
			for i := range uint32(count) {
				a.send(message.Sync, numbered(caller, i, 100), b).want(message.Acknowledged)
			}
		})
	}
	wg.Wait()
	q.check(g)
}

// twoSendersAtATime has a listener that returns only when messages of two
// senders are in it together.
func twoSendersAtATime(g *rig) {
	var inside atomic.Int32
	both := g.gate()
	c := g.node(defaults, func(ctx context.Context, m *message.Message) error {
		if inside.Add(1) == 2 {
			both.open()
		}
		return both.receive(ctx, m)
	})
	a, b := g.node(defaults, discard), g.node(defaults, discard)
	first := a.send(message.Sync, []byte("x"), c)
	b.send(message.Sync, []byte("x"), c).want(message.Acknowledged)
	first.want(message.Acknowledged)
}

// bothWays lets two nodes send to each other, and answer from inside the
// listener.
func bothWays(g *rig) {
	const count = 100
	var a, b *node
	var ready sync.WaitGroup
	ready.Add(1)
	answers := newSequence(count)
	a = g.node(defaults, answers.receive)
	b = g.node(defaults, func(_ context.Context, m *message.Message) error {
		ready.Wait()
		b.send(message.UseAck, m.Payload(), a).want(message.Acknowledged)
		return nil
	})
	ready.Done()
	for i := range uint32(count) {
		a.send(message.Sync, numbered(0, i, 0), b).want(message.Acknowledged)
	}
	answers.check(g)
}
