package transporttest

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gotribes/tribes/message"
)

var stopChecks = []check{
	{"stop before start", stopBeforeStart},
	{"stop twice", stopTwice},
	{"send after stop", sendAfterStop},
	{"stop drains", stopDrains},
	{"stop without time", stopWithoutTime},
	{"stop under load", stopUnderLoad},
	{"receiver stops without time", receiverStopsWithoutTime},
	{"receiver stops under load", receiverStopsUnderLoad},
}

func stopBeforeStart(g *rig) {
	parts := g.make(defaults)
	for range 2 {
		if err := parts.Sender.Stop(g.Context()); err != nil {
			g.Errorf("Sender.Stop: %v", err)
		}
		if err := parts.Receiver.Stop(g.Context()); err != nil {
			g.Errorf("Receiver.Stop: %v", err)
		}
	}
}

func stopTwice(g *rig) {
	a, b := g.node(defaults, discard), g.node(defaults, discard)
	a.send(message.Sync, []byte("x"), b).want(message.Acknowledged)
	var wg sync.WaitGroup
	for range 3 {
		for _, n := range []*node{a, b} {
			wg.Go(func() { n.stop(g.Context()) }) // ends when the node has
		}
	}
	wg.Wait()
}

func sendAfterStop(g *rig) {
	a, b := g.node(defaults, discard), g.node(defaults, discard)
	a.send(message.Sync, []byte("x"), b).want(message.Acknowledged)
	a.stop(g.Context())
	for _, mode := range modes {
		a.send(mode.options, []byte("late"), b).want(message.NotSent)
	}
	a.Sender.Forget(b.member())
}

// slow is how long a listener takes for a message when a check wants to have
// some that wait.
const slow = 3 * time.Millisecond

func stopDrains(g *rig) {
	const count = 60
	q := newSequence(count)
	a := g.node(defaults, discard)
	b := g.node(defaults, func(ctx context.Context, m *message.Message) error {
		time.Sleep(slow)
		return q.receive(ctx, m)
	})
	all := make([]*sent, count)
	for i := range all {
		all[i] = a.send(modes[i%3].options, numbered(0, uint32(i), 1000), b)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	a.stop(ctx)
	for i, s := range all {
		s.want(modes[i%3].success)
	}
	q.check(g)
}

func stopWithoutTime(g *rig) {
	block := g.gate()
	a, b := g.node(defaults, discard), g.node(defaults, block.receive)
	var all []*sent
	for range 10 {
		all = append(all, a.send(message.Sync, []byte("x"), b))
	}
	await(g, block.entered, "the first message")
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	begin := time.Now()
	a.stop(ended)
	if took := time.Since(begin); took >= defaults.Timeout {
		g.Errorf("Sender.Stop with an ended context took %v", took)
	}
	all[0].want(message.Unknown)
	for _, s := range all[1:] {
		if r := s.result(); r.Outcome != message.Unknown && r.Outcome != message.NotSent {
			g.Errorf("outcome = %v (%v), want %v or %v", r.Outcome, r.Err, message.Unknown, message.NotSent)
		}
	}
	block.open()
}

// stopUnderLoad ends a sender while callers use it: each message has one
// outcome, and one that says success tells the truth.
func stopUnderLoad(g *rig) {
	const callers = 8
	var mu sync.Mutex
	seen := make(map[message.ID]bool)
	under := make(chan struct{})
	var once sync.Once
	a, c := g.node(defaults, discard), g.node(defaults, discard)
	b := g.node(defaults, func(_ context.Context, m *message.Message) error {
		mu.Lock()
		defer mu.Unlock()
		if seen[m.ID] = true; len(seen) >= 100 {
			once.Do(func() { close(under) })
		}
		return nil
	})
	var acked []message.ID
	var over atomic.Bool
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() { // ends with the stop, and before when nothing is sent any more
			for outcome := message.Outcome(0); outcome != message.NotSent && !over.Load(); {
				s := a.send(message.Sync, []byte("x"), b, c)
				if outcome = s.results()[0].Outcome; outcome == message.Acknowledged {
					mu.Lock()
					acked = append(acked, s.id)
					mu.Unlock()
				}
			}
		})
	}
	await(g, under, "the load")
	a.stop(g.Context())
	over.Store(true)
	wg.Wait()
	a.send(message.Sync, []byte("x"), b).want(message.NotSent)
	mu.Lock()
	defer mu.Unlock()
	for _, id := range acked {
		if !seen[id] {
			g.Errorf("message %v was acknowledged and not delivered", id)
		}
	}
}

// receiverStopsWithoutTime has a listener that outlives the context of Stop:
// Stop waits for it, and what was behind it is settled at its sender.
func receiverStopsWithoutTime(g *rig) {
	block := g.gate()
	a, b := g.node(short, discard), g.node(short, block.receive)
	all := []*sent{a.send(message.Sync, []byte("x"), b), a.send(message.Sync, []byte("x"), b)}
	await(g, block.entered, "the first message")
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	stopped := make(chan struct{})
	go func() { // ends when the receiver has stopped
		defer close(stopped)
		b.stop(ended)
	}()
	for _, s := range all {
		if r := s.result(); r.Outcome == message.Refused || r.Outcome == message.Written {
			g.Errorf("outcome = %v (%v), want none of these", r.Outcome, r.Err)
		}
	}
	block.open()
	await(g, stopped, "the receiver's end")
}

// receiverStopsUnderLoad counts what is delivered after Stop has returned.
func receiverStopsUnderLoad(g *rig) {
	var stopped atomic.Bool
	var late, count atomic.Int32
	under := make(chan struct{})
	b := g.node(short, func(context.Context, *message.Message) error {
		if count.Add(1) == 100 {
			close(under)
		}
		if stopped.Load() {
			late.Add(1)
		}
		return nil
	})
	var wg sync.WaitGroup
	for range 3 {
		a := g.node(short, discard)
		wg.Go(func() { // ends when it has found out that the receiver is gone, or has not
			for left := 3; left > 0 && a.send(message.Sync, []byte("x"), b).result().Outcome.OK(); {
				if stopped.Load() {
					left--
				}
			}
		})
	}
	await(g, under, "the load")
	if err := b.Receiver.Stop(g.Context()); err != nil {
		g.Errorf("Receiver.Stop: %v", err)
	}
	stopped.Store(true)
	wg.Wait()
	if n := late.Load(); n != 0 {
		g.Errorf("%d messages were delivered after Receiver.Stop had returned", n)
	}
}
