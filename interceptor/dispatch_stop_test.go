package interceptor

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/interceptor/interceptortest"
	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

func TestDrainOnStopSendsWhatWasAccepted(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		const count = 500
		h := newDispatch(t, new(Dispatch))
		m := interceptortest.Member(2)
		h.Bottom.Use(func(ctx context.Context, to []*membership.Member, msg *message.Message, r *message.Receipt) error {
			time.Sleep(2 * time.Millisecond)
			return h.Bottom.Take(ctx, to, msg, r)
		})
		var receipts []*message.Receipt
		for range count {
			receipts = append(receipts, h.Post(context.Background(), one(m), []byte("x"), async|message.UseAck))
		}
		begin := time.Now()
		h.Stop(context.Background())
		if took := time.Since(begin); took > 1100*time.Millisecond {
			t.Errorf("Stop took %v, want the second that sending takes", took)
		}
		for i, r := range receipts {
			if res := result(t, r, m); res.Outcome != message.Acknowledged {
				t.Fatalf("message %d of %d: outcome %s, %v, want %s", i, count, res.Outcome, res.Err, message.Acknowledged)
			}
		}
	})
}

func TestDrainOnStopReportsTheRest(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		const count = 100
		h := newDispatch(t, new(Dispatch))
		stuck, unanswered := interceptortest.Member(2), interceptortest.Member(3)
		blockFor(h, stuck)
		h.Bottom.Hold()
		var receipts []*message.Receipt
		for range count {
			receipts = append(receipts, h.Post(context.Background(), []*membership.Member{stuck, unanswered}, []byte("x"), async))
		}
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		begin := time.Now()
		h.Stop(ctx)
		if took := time.Since(begin); took != 3*time.Second {
			t.Errorf("Stop took %v, want the 3 s it was given", took)
		}
		for i, r := range receipts {
			for _, m := range []*membership.Member{stuck, unanswered} {
				if res := result(t, r, m); res.Outcome != message.NotSent || !errors.Is(res.Err, channel.ErrClosed) {
					t.Fatalf("message %d to %s: outcome %s, %v, want %s, %v", i, m, res.Outcome, res.Err, message.NotSent, channel.ErrClosed)
				}
			}
		}
	})
}

func TestStopLetsThoseWhoWaitForRoomGo(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		h := newDispatch(t, &Dispatch{MaxMessages: 1, PutTimeout: -1})
		m := interceptortest.Member(2)
		blockFor(h, m)
		h.Post(context.Background(), one(m), []byte("x"), async)
		begin := time.Now()
		var work sync.WaitGroup
		for range 5 {
			work.Go(func() {
				err := h.Send(context.Background(), one(m), []byte("x"), async)
				if took := time.Since(begin); !errors.Is(err, channel.ErrClosed) || took > 0 {
					t.Errorf("Send that waited for room = %v after %v, want %v at once", err, took, channel.ErrClosed)
				}
			})
		}
		synctest.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		h.Stop(ctx)
		work.Wait()
	})
}

// chaos is a bottom that does with messages whatever a sender may do.
type chaos struct {
	mu   sync.Mutex
	r    *rand.Rand
	work sync.WaitGroup
}

func (c *chaos) intN(n int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.r.IntN(n)
}

func (c *chaos) send(ctx context.Context, to []*membership.Member, _ *message.Message, r *message.Receipt) error {
	outcome := message.Outcome(1 + c.intN(5))
	var err error
	if !outcome.OK() {
		err = errPending
	}
	switch c.intN(5) {
	case 0:
		return errPending
	case 1:
		r.SettleAll(to, outcome, err)
		return nil
	case 2: // no room for a while
		select {
		case <-time.After(time.Duration(c.intN(500)) * time.Millisecond):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	dest, pause := to[0], time.Duration(c.intN(1000))*time.Millisecond
	c.work.Go(func() {
		time.Sleep(pause)
		r.Settle(dest, outcome, err)
	})
	return nil
}

// Whatever the layers below do, whoever leaves, and whenever the channel stops,
// each destination of each send is settled once: a receipt panics at a second
// time, and is not done without the first.
func TestEveryAsyncMessageHasOneOutcome(t *testing.T) {
	for seed := range uint64(40) {
		bubble.Test(t, func(t *testing.T) {
			c := &chaos{r: rand.New(rand.NewPCG(seed, 1))}
			d := &Dispatch{
				MaxBytes: 2000, MaxMessages: 1 + c.intN(50), WhenFull: FullPolicy(c.intN(3)),
				PutTimeout: time.Duration(c.intN(2000)-100) * time.Millisecond,
				Retries:    c.intN(3), RetryPause: 50 * time.Millisecond,
			}
			h := newDispatch(t, d)
			h.Bottom.Use(c.send)
			members := interceptortest.Members(2, 6)
			h.Join(members...)
			var sent, settled atomic.Int64
			var work sync.WaitGroup
			for range 4 {
				work.Go(func() {
					for range 40 {
						c.sendOne(h, members, &sent, &settled)
					}
				})
			}
			work.Go(func() {
				for range 10 {
					time.Sleep(time.Duration(c.intN(400)) * time.Millisecond)
					h.Part(membership.Failed, members[c.intN(len(members))])
				}
			})
			time.Sleep(time.Duration(c.intN(6000)) * time.Millisecond)
			ctx, cancel := context.WithTimeout(context.Background(), time.Duration(c.intN(2000))*time.Millisecond)
			defer cancel()
			h.Stop(ctx)
			work.Wait()
			c.work.Wait()
			synctest.Wait()
			if sent.Load() != settled.Load() {
				t.Errorf("seed %d: %d of %d sends were settled at every destination", seed, settled.Load(), sent.Load())
			}
			if st := d.Stats(); st.Bytes != 0 || st.Messages != 0 {
				t.Errorf("seed %d: after the stop Stats() = %+v, want nothing held", seed, st)
			}
		})
		if t.Failed() {
			return
		}
	}
}

// sendOne sends to some members and counts the send when it was accepted, and
// when all its destinations were settled.
func (c *chaos) sendOne(h *interceptortest.Harness, members []*membership.Member, sent, settled *atomic.Int64) {
	to := members[:1+c.intN(len(members))]
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(c.intN(3000))*time.Millisecond)
	defer cancel()
	r := message.NewReceipt(len(to), func(*message.Receipt) { settled.Add(1) })
	m := h.Message(make([]byte, c.intN(300)), async)
	defer m.Release()
	sent.Add(1)
	if err := h.SendMessage(ctx, to, m, r); err != nil {
		r.SettleAll(to, message.NotSent, err) // panics if the layer had settled any
	}
}
