package interceptor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gotribes/tribes/interceptor/interceptortest"
	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

const async = message.ByteMessage | message.Async

// newDispatch starts d on a harness. It is called in a synctest bubble.
func newDispatch(t *testing.T, d *Dispatch) *interceptortest.Harness {
	t.Helper()
	h := interceptortest.New(t, interceptortest.Config{}, d)
	h.Start()
	return h
}

// blockFor makes the bottom block sends to m until the returned function is
// called, or their context ends.
func blockFor(h *interceptortest.Harness, m *membership.Member) (open func()) {
	gate := make(chan struct{})
	h.Bottom.Use(func(ctx context.Context, to []*membership.Member, msg *message.Message, r *message.Receipt) error {
		if to[0].Key() == m.Key() {
			select {
			case <-gate:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		return h.Bottom.Take(ctx, to, msg, r)
	})
	return func() { close(gate) }
}

// result returns the result of a settled receipt at m.
func result(t *testing.T, r *message.Receipt, m *membership.Member) message.Result {
	t.Helper()
	return r.Results([]*membership.Member{m}, errPending)[0]
}

var errPending = errors.New("pending")

func one(m *membership.Member) []*membership.Member { return []*membership.Member{m} }

func TestAsyncSendDoesNotWaitForTheLink(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		h := newDispatch(t, new(Dispatch))
		m := interceptortest.Member(2)
		open := blockFor(h, m)
		begin := time.Now()
		var receipts []*message.Receipt
		for range 100 {
			receipts = append(receipts, h.Post(context.Background(), one(m), []byte("x"), async))
		}
		if took := time.Since(begin); took != 0 {
			t.Errorf("100 async sends to a blocked member took %v, want no time", took)
		}
		synctest.Wait()
		if res := result(t, receipts[0], m); !errors.Is(res.Err, errPending) {
			t.Errorf("a message to a blocked member has the outcome %s, want none yet", res.Outcome)
		}
		open()
		synctest.Wait()
		for i, r := range receipts {
			if res := result(t, r, m); res.Outcome != message.Written {
				t.Fatalf("message %d: outcome %s, %v, want %s", i, res.Outcome, res.Err, message.Written)
			}
		}
	})
}

func TestSlowDestinationDoesNotStopOthers(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		d := new(Dispatch)
		h := newDispatch(t, d)
		slow, quick := interceptortest.Member(2), interceptortest.Member(3)
		open := blockFor(h, slow)
		defer open()
		for range 50 {
			h.Post(context.Background(), []*membership.Member{slow, quick}, []byte("to both"), async)
		}
		for range 50 {
			if err := h.Send(context.Background(), one(quick), []byte("x"), async); err != nil {
				t.Fatalf("Send to the quick one = %v, want nil", err)
			}
		}
		if got := len(h.Bottom.SentTo(quick)); got != 100 {
			t.Errorf("%d messages went to the quick one, want 100", got)
		}
		if st := d.Stats(); st.Messages != 50 {
			t.Errorf("Stats().Messages = %d, want 50 that wait for the slow one", st.Messages)
		}
	})
}

func TestOrderPerDestinationIsKept(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		const count = 500
		h := newDispatch(t, new(Dispatch))
		members := interceptortest.Members(2, 5)
		h.Bottom.Use(func(ctx context.Context, to []*membership.Member, m *message.Message, r *message.Receipt) error {
			time.Sleep(time.Duration(to[0].Key().ID[1]) * time.Millisecond) // each at its own pace
			return h.Bottom.Take(ctx, to, m, r)
		})
		for i := range count {
			h.Post(context.Background(), members, fmt.Append(nil, i), async)
			if i%10 == 0 {
				time.Sleep(time.Millisecond)
			}
		}
		time.Sleep(time.Minute)
		for _, m := range members {
			sent := h.Bottom.SentTo(m)
			if len(sent) != count {
				t.Fatalf("%d messages went to %s, want %d", len(sent), m, count)
			}
			for i, msg := range sent {
				if got, want := string(msg.Payload()), fmt.Sprint(i); got != want {
					t.Fatalf("message %d to %s is %s, want %s", i, m, got, want)
				}
			}
		}
	})
}

func TestOptionFlagSelectsMessages(t *testing.T) {
	tests := []struct {
		name    string
		flag    message.Options
		options message.Options
		queued  bool
	}{
		{"Async", 0, async, true},
		{"Plain", 0, message.ByteMessage, false},
		{"OwnFlag", 0x400, message.ByteMessage | 0x400, true},
		{"AsyncButOwnFlag", 0x400, async, false},
		{"Multicast", 0, async | message.Multicast, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				d := &Dispatch{OptionFlag: tt.flag}
				h := newDispatch(t, d)
				h.Bottom.Hold()
				h.Post(context.Background(), interceptortest.Members(2, 4), []byte("x"), tt.options)
				if got := d.Stats().Messages > 0; got != tt.queued {
					t.Errorf("queued: %t, want %t", got, tt.queued)
				}
				synctest.Wait()
				sent := h.Bottom.Sent()
				if got := len(sent) == 1; got == tt.queued {
					t.Errorf("%d calls below for 3 members, want one call: %t", len(sent), !tt.queued)
				}
				if got := sent[0].Message.Options; got != tt.options {
					t.Errorf("options below = %s, want %s", got, tt.options)
				}
				h.Bottom.Release()
			})
		})
	}
}

func TestMemberThatIsGoneIsNotWaitedFor(t *testing.T) {
	for _, kind := range []membership.Kind{membership.Left, membership.Failed} {
		t.Run(kind.String(), func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				d := new(Dispatch)
				h := newDispatch(t, d)
				m, other := interceptortest.Member(2), interceptortest.Member(3)
				blockFor(h, m)
				h.Join(m, other)
				var receipts []*message.Receipt
				for range 5 {
					receipts = append(receipts, h.Post(context.Background(), []*membership.Member{m, other}, []byte("x"), async))
				}
				synctest.Wait()
				h.Top.Watch(func(membership.Event) {
					if got := d.Stats().Queues; got != 1 {
						t.Errorf("%d queues when the event is passed on, want that of the other member alone", got)
					}
				})
				h.Part(kind, m)
				h.Flush()
				synctest.Wait()
				for _, r := range receipts {
					if res := result(t, r, m); res.Outcome != message.NotSent || !errors.Is(res.Err, ErrGone) {
						t.Errorf("outcome at the member that is gone: %s, %v, want %s, %v", res.Outcome, res.Err, message.NotSent, ErrGone)
					}
					if res := result(t, r, other); res.Outcome != message.Written {
						t.Errorf("outcome at the other: %s, %v, want %s", res.Outcome, res.Err, message.Written)
					}
				}
				h.Bottom.Use(nil)
				if err := h.Send(context.Background(), one(m), []byte("again"), async); err != nil {
					t.Errorf("a later Send = %v, want nil", err)
				}
			})
		})
	}
}

// Not even where the link would take the messages after all.
func TestNothingIsSentToAMemberThatIsGone(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		h := newDispatch(t, new(Dispatch))
		m := interceptortest.Member(2)
		first := true
		h.Bottom.Use(func(ctx context.Context, to []*membership.Member, msg *message.Message, r *message.Receipt) error {
			if first {
				<-ctx.Done()
				first = false
			}
			return h.Bottom.Take(ctx, to, msg, r)
		})
		h.Join(m)
		for range 5 {
			h.Post(context.Background(), one(m), []byte("x"), async)
		}
		synctest.Wait()
		h.Part(membership.Failed, m)
		synctest.Wait()
		if got := len(h.Bottom.Sent()); got != 1 {
			t.Errorf("%d messages were handed down, want the one that was under way", got)
		}
	})
}

func TestMessageThatNobodyWaitsForIsNotSent(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		h := newDispatch(t, new(Dispatch))
		m := interceptortest.Member(2)
		open := blockFor(h, m)
		h.Post(context.Background(), one(m), []byte("first"), async)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := h.Send(ctx, one(m), []byte("given up"), async); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("Send = %v, want %v", err, context.DeadlineExceeded)
		}
		open()
		if err := h.Send(context.Background(), one(m), []byte("last"), async); err != nil {
			t.Fatalf("Send = %v, want nil", err)
		}
		for _, msg := range h.Bottom.SentTo(m) {
			if string(msg.Payload()) == "given up" {
				t.Error("a message was sent after its sender had been told that it timed out")
			}
		}
	})
}

func TestIdleQueuesEnd(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		d := new(Dispatch)
		h := newDispatch(t, d)
		members := interceptortest.Members(2, 11)
		for range 3 {
			if err := h.Send(context.Background(), members, []byte("x"), async); err != nil {
				t.Fatalf("Send = %v, want nil", err)
			}
			if got := d.Stats().Queues; got != len(members) {
				t.Errorf("%d queues after a message, want %d", got, len(members))
			}
			time.Sleep(2 * laneLinger)
			if got := d.Stats().Queues; got != 0 {
				t.Errorf("%d queues when idle, want none", got)
			}
		}
	})
}

// A message that comes just when its queue ends goes to the next one.
func TestMessageAtTheEndOfItsQueueIsNotLost(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		h := newDispatch(t, new(Dispatch))
		ctx, cancel := context.WithTimeout(context.Background(), 24*time.Hour)
		defer cancel()
		for range 500 {
			if err := h.Send(ctx, interceptortest.Members(2, 5), []byte("x"), async); err != nil {
				t.Fatalf("Send = %v, want nil", err)
			}
			time.Sleep(laneLinger)
		}
	})
}

func TestDispatchSettings(t *testing.T) {
	tests := []struct {
		name string
		d    *Dispatch
		want []string
	}{
		{"Default", &Dispatch{}, nil},
		{"Off", &Dispatch{MaxBytes: -1, MaxMessages: -1, PutTimeout: -1, Retries: -1}, nil},
		{"All", &Dispatch{WhenFull: 9, RetryPause: -1}, []string{"WhenFull 9", "RetryPause -1ns"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := tt.d.settings()
			if (err == nil) != (len(tt.want) == 0) {
				t.Fatalf("settings() = %v, want an error: %t", err, len(tt.want) > 0)
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("settings() = %q, want it to name %q", err, want)
				}
			}
		})
	}
}
