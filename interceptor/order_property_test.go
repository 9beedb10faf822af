package interceptor

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gotribes/tribes/interceptor/interceptortest"
	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// weather is what happens to the messages of one sender on their way.
type weather struct {
	count int
	every time.Duration // between two sends
	delay time.Duration // the most; it is less than Expire
	loss  float64
	twice float64 // how many come more than once
	busy  time.Duration
}

// Whatever happens to messages within the time that they may wait, each that
// arrives is delivered once, alone, and in the order of sending.
func TestOrderProperty(t *testing.T) {
	climates := []struct {
		name string
		w    weather
	}{
		{"Reordered", weather{count: 200, every: time.Millisecond, delay: 50 * time.Millisecond}},
		{"Slow", weather{count: 100, every: 20 * time.Millisecond, delay: 2900 * time.Millisecond}},
		{"Lossy", weather{count: 200, every: 10 * time.Millisecond, delay: time.Second, loss: 0.2}},
		{"Repeated", weather{count: 200, every: 10 * time.Millisecond, delay: time.Second, twice: 0.5}},
		{"Everything", weather{count: 300, every: 30 * time.Millisecond, delay: 2900 * time.Millisecond, loss: 0.1, twice: 0.2}},
		{"Burst", weather{count: 900, delay: 2900 * time.Millisecond, loss: 0.1, twice: 0.2}},
		{"BusyListener", weather{count: 100, every: 10 * time.Millisecond, delay: 500 * time.Millisecond, loss: 0.1, twice: 0.2, busy: 15 * time.Millisecond}},
	}
	for _, c := range climates {
		t.Run(c.name, func(t *testing.T) {
			for seed := range uint64(5) {
				bubble.Test(t, func(t *testing.T) { c.w.run(t, seed) })
			}
		})
	}
}

// run sends messages of two members through the weather to a third.
func (w weather) run(t *testing.T, seed uint64) {
	o := new(Order)
	to := interceptortest.New(t, interceptortest.Config{Local: interceptortest.Member(9)}, o)
	to.Start()
	var inside [10]atomic.Int32 // by sender, how many are being delivered
	to.Top.Handle(func(_ context.Context, m *message.Message) error {
		n := &inside[m.Payload()[0]-'0']
		if n.Add(1) > 1 {
			t.Errorf("seed %d: two messages of one sender are delivered at a time", seed)
		}
		time.Sleep(w.busy)
		n.Add(-1)
		return nil
	})
	var work sync.WaitGroup
	arrived := make(map[string]bool) // guarded by mu
	var mu sync.Mutex
	for from := 1; from <= 2; from++ {
		random := rand.New(rand.NewPCG(seed, uint64(from)))
		for i, m := range w.messages(t, from, to.Local()) {
			sent := time.Duration(i) * w.every
			for copies := w.copies(random); copies > 0; copies-- {
				after := sent + time.Duration(random.Int64N(int64(w.delay)))
				work.Go(func() {
					time.Sleep(after)
					mu.Lock()
					arrived[string(m.Payload()[:m.Len()-numberSize])] = true
					mu.Unlock()
					in := to.Message(m.Payload(), m.Options)
					defer in.Release()
					in.ID, in.Source = m.ID, m.Source
					if err := to.Deliver(context.Background(), in); err != nil {
						t.Errorf("seed %d: Receive = %v, want nil", seed, err)
					}
				})
			}
		}
	}
	work.Wait()
	time.Sleep(4 * time.Second)
	w.check(t, seed, to.Top.Received(), arrived)
	if got := o.Stats(); got.Held != 0 || got.HeldBytes != 0 || got.Late != 0 {
		t.Errorf("seed %d: Stats() = %+v, want nothing held and nothing late", seed, got)
	}
}

// messages are what a member sends, numbered by its own Order. Their payload is
// the sender and a counter with leading zeros.
func (w weather) messages(t *testing.T, from int, to *membership.Member) []*message.Message {
	h := interceptortest.New(t, interceptortest.Config{Local: interceptortest.Member(from)}, new(Order))
	h.Start()
	for i := range w.count {
		if err := h.Send(context.Background(), one(to), fmt.Appendf(nil, "%d %06d", from, i), message.Sync); err != nil {
			t.Fatal(err)
		}
	}
	return h.Bottom.SentTo(to)
}

func (w weather) copies(random *rand.Rand) int {
	switch p := random.Float64(); {
	case p < w.loss:
		return 0
	case p < w.loss+w.twice:
		return 2 + random.IntN(2)
	}
	return 1
}

func (w weather) check(t *testing.T, seed uint64, got []*message.Message, arrived map[string]bool) {
	last := make(map[byte]string)
	for _, m := range got {
		text := string(m.Payload())
		if text <= last[text[0]] {
			t.Errorf("seed %d: %q was delivered after %q", seed, text, last[text[0]])
		}
		last[text[0]] = text
		delete(arrived, text)
	}
	if len(arrived) > 0 {
		var some []string
		for text := range arrived {
			some = append(some, text)
		}
		slices.Sort(some)
		t.Errorf("seed %d: %d messages arrived and were not delivered, the first is %q", seed, len(some), some[0])
	}
}
