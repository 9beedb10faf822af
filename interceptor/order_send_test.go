package interceptor

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gotribes/tribes/interceptor/interceptortest"
	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// The numbers of the messages that were handed down for m.
func numbersTo(h *interceptortest.Harness, m *membership.Member) []uint32 {
	var all []uint32
	for _, s := range h.Bottom.SentTo(m) {
		all = append(all, binary.BigEndian.Uint32(s.Payload()[s.Len()-numberSize:]))
	}
	return all
}

func expectNumbers(t *testing.T, h *interceptortest.Harness, m *membership.Member, want ...uint32) {
	t.Helper()
	if got := numbersTo(h, m); !slices.Equal(got, want) {
		t.Errorf("numbers to %s: %v, want %v", m, got, want)
	}
}

func TestOrderCountsPerDestination(t *testing.T) {
	h := newOrder(t, new(Order))
	a, b := interceptortest.Member(2), interceptortest.Member(3)
	for _, to := range [][]*membership.Member{{a, b}, {a}, {a}, {b}, {b, a}} {
		if err := h.Send(context.Background(), to, []byte("x"), message.UseAck); err != nil {
			t.Fatal(err)
		}
	}
	expectNumbers(t, h, a, 1, 2, 3, 4)
	expectNumbers(t, h, b, 1, 2, 3)
}

func TestOrderNumbersGoRound(t *testing.T) {
	o := new(Order)
	h := newOrder(t, o)
	m := interceptortest.Member(2)
	for _, last := range []uint32{1<<31 - 2, 1<<32 - 2} {
		h.Bottom.Reset()
		o.newTarget(m.Key()).last = last
		for range 3 {
			if err := h.Send(context.Background(), one(m), nil, 0); err != nil {
				t.Fatal(err)
			}
		}
		expectNumbers(t, h, m, last+1, last+2, last+3)
	}
}

// A message that is not accepted uses up no number, whatever way it is told.
func TestOrderUsesUpNoNumberForWhatIsNotAccepted(t *testing.T) {
	tests := []struct {
		name    string
		outcome message.Outcome // 0: the send is refused
		used    bool
	}{
		{"refused", 0, false},
		{"not sent", message.NotSent, false},
		{"unknown", message.Unknown, true},
		{"refused by the listener", message.Refused, true},
		{"written", message.Written, true},
	}
	errNo := errors.New("no")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newOrder(t, new(Order))
			a, b := interceptortest.Member(2), interceptortest.Member(3)
			h.Bottom.Use(func(ctx context.Context, to []*membership.Member, m *message.Message, r *message.Receipt) error {
				switch {
				case to[0] == b:
					return h.Bottom.Take(ctx, to, m, r)
				case tt.outcome == 0:
					return errNo
				}
				h.Bottom.Note(to, m)
				err := errNo
				if tt.outcome.OK() {
					err = nil
				}
				r.SettleAll(to, tt.outcome, err)
				return nil
			})
			err := h.Send(context.Background(), []*membership.Member{a, b}, nil, 0)
			if ok := tt.outcome.OK(); (err == nil) != ok || !ok && !errors.Is(err, errNo) {
				t.Errorf("Send = %v, want the outcome from below", err)
			}
			h.Bottom.Use(nil)
			h.Bottom.Reset()
			if err := h.Send(context.Background(), []*membership.Member{a, b}, nil, 0); err != nil {
				t.Fatal(err)
			}
			want := uint32(1)
			if tt.used {
				want = 2
			}
			expectNumbers(t, h, a, want)
			expectNumbers(t, h, b, 2)
		})
	}
}

// Who gets a receipt back that is done may use it, and the list of destinations, for
// something else: the layer looks at neither then.
func TestOrderLooksAtNoReceiptThatIsUsedAgain(t *testing.T) {
	h := newOrder(t, new(Order))
	a := interceptortest.Member(2)
	h.Bottom.Use(func(_ context.Context, to []*membership.Member, m *message.Message, r *message.Receipt) error {
		h.Bottom.Note(to, m)
		r.SettleAll(to, message.NotSent, errors.New("no"))
		return nil
	})
	to := one(a)
	again := make(chan struct{}, 3)
	r := message.NewReceipt(0, nil)
	for range 2 {
		to[0] = a
		r.Reset(1, func(r *message.Receipt) {
			to[0] = nil
			r.Reset(1, nil)
			again <- struct{}{}
		})
		m := h.Message(nil, 0)
		if err := h.SendMessage(context.Background(), to, m, r); err != nil {
			t.Fatal(err)
		}
		m.Release()
	}
	if len(again) != 2 {
		t.Errorf("%d receipts were done, want 2", len(again))
	}
	expectNumbers(t, h, a, 1, 1) // that was not sent uses up no number
}

func TestOrderIsRefusedEverywhere(t *testing.T) {
	errNo := errors.New("no")
	h := newOrder(t, new(Order))
	h.Bottom.Use(func(context.Context, []*membership.Member, *message.Message, *message.Receipt) error { return errNo })
	to := interceptortest.Members(2, 4)
	m := h.Message(nil, 0)
	defer m.Release()
	r := message.NewReceipt(len(to), nil)
	if err := h.SendMessage(context.Background(), to, m, r); !errors.Is(err, errNo) {
		t.Errorf("Send refused for all = %v, want %v", err, errNo)
	}
	if !r.OK() {
		t.Error("a send that was refused for all has settled something")
	}
}

// The order of the queue below is the order of the numbers, for many senders to
// many destinations, some of which refuse messages now and then.
func TestOrderNumbersAreInOrderOfAcceptance(t *testing.T) {
	const senders, each = 8, 200
	h := newOrder(t, new(Order))
	to := interceptortest.Members(2, 5)
	var calls atomic.Int64
	h.Bottom.Use(func(ctx context.Context, to []*membership.Member, m *message.Message, r *message.Receipt) error {
		if calls.Add(1)%7 == 0 {
			return errPending
		}
		return h.Bottom.Take(ctx, to, m, r)
	})
	var work sync.WaitGroup
	for i := range senders {
		work.Go(func() {
			for n := range each {
				dest := to
				if n%2 == 0 {
					dest = to[i%len(to):][:1]
				}
				_ = h.Send(context.Background(), dest, []byte("x"), 0) // some are refused
			}
		})
	}
	work.Wait()
	for _, m := range to {
		for i, nr := range numbersTo(h, m) {
			if nr != uint32(i+1) {
				t.Fatalf("message %d to %s has the number %d", i+1, m, nr)
			}
		}
	}
}

// A destination without room delays neither other senders, nor the other
// destinations of a send once it is known to be slow.
func TestOrderWaitsForOneDestinationAtATime(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		h := newOrder(t, new(Order))
		slow, fast := interceptortest.Member(2), interceptortest.Member(3)
		open := blockFor(h, slow)
		first := make(chan error)
		go func() { // ends when the slow destination opens
			first <- h.Send(context.Background(), one(slow), nil, 0)
		}()
		synctest.Wait()
		if err := h.Send(context.Background(), one(fast), nil, 0); err != nil {
			t.Errorf("Send to another destination = %v, want nil", err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		err := h.Send(ctx, []*membership.Member{slow, fast}, nil, 0)
		var se *message.SendError
		if !errors.As(err, &se) {
			t.Fatalf("Send to both = %v, want a *message.SendError", err)
		}
		if res := se.Results[0]; res.Outcome != message.NotSent || !errors.Is(res.Err, context.DeadlineExceeded) {
			t.Errorf("at the slow destination: %s, %v, want %s because of the deadline", res.Outcome, res.Err, message.NotSent)
		}
		if res := se.Results[1]; !res.Outcome.OK() {
			t.Errorf("at the fast destination: %s, %v, want a success", res.Outcome, res.Err)
		}
		open()
		if err := <-first; err != nil {
			t.Errorf("Send to the slow destination = %v, want nil", err)
		}
		expectNumbers(t, h, slow, 1)
		expectNumbers(t, h, fast, 1, 2)
	})
}

// A destination that was slow is sent to last, and no more when it has become
// fast.
func TestOrderSendsToTheSlowLast(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		h := newOrder(t, new(Order))
		slow, fast := interceptortest.Member(2), interceptortest.Member(3)
		pause := time.Second
		h.Bottom.Use(func(ctx context.Context, to []*membership.Member, m *message.Message, r *message.Receipt) error {
			if to[0] == slow {
				time.Sleep(pause)
			}
			return h.Bottom.Take(ctx, to, m, r)
		})
		send := func() (order string) {
			h.Bottom.Reset()
			if err := h.Send(context.Background(), []*membership.Member{slow, fast}, []byte("x"), 0); err != nil {
				t.Fatal(err)
			}
			for _, s := range h.Bottom.Sent() {
				if s.To[0] == slow {
					order += "s"
				} else {
					order += "f"
				}
			}
			return order
		}
		if got := send() + send(); got != "sffs" {
			t.Errorf("two sends went to %q, want the slow one last in the second", got)
		}
		pause = 0
		if got := send() + send(); got != "fssf" {
			t.Errorf("two more went to %q, want the slow one in its place again", got)
		}
	})
}

func TestOrderRefusesMulticast(t *testing.T) {
	h := newOrder(t, &Order{OptionFlag: message.Async})
	to := interceptortest.Members(2, 3)
	err := h.Send(context.Background(), to, nil, message.Multicast|message.Async)
	if !errors.Is(err, errOrderMulticast) {
		t.Errorf("Send of a multicast message = %v, want %v", err, errOrderMulticast)
	}
	if err := h.Send(context.Background(), to, []byte("1234"), message.Multicast); err != nil || len(h.Bottom.Sent()) != 1 {
		t.Errorf("Send of one that is not numbered = %v, %d frames, want nil and one", err, len(h.Bottom.Sent()))
	}
	if err := h.Arrive(to[0], numbered("multicast", 7), message.Multicast|message.Async); err != nil {
		t.Errorf("Receive of a numbered multicast message = %v, want nil", err)
	}
	expectDelivered(t, h, "multicast")
}

func TestOrderCountsAnewForWhoWasGone(t *testing.T) {
	for _, kind := range []membership.Kind{membership.Left, membership.Failed} {
		h := newOrder(t, new(Order))
		a, b := interceptortest.Member(2), interceptortest.Member(3)
		h.Join(a, b)
		send := func() {
			t.Helper()
			if err := h.Send(context.Background(), []*membership.Member{a, b}, nil, 0); err != nil {
				t.Fatal(err)
			}
		}
		send()
		send()
		h.Part(kind, a)
		h.Join(a)
		h.Flush()
		send()
		send()
		expectNumbers(t, h, a, 1, 2, 1, 2)
		expectNumbers(t, h, b, 1, 2, 3, 4)
	}
}

func TestOrderForgetsDestinationsThatAreNoMembers(t *testing.T) {
	o := new(Order)
	h := newOrder(t, o)
	m := interceptortest.Member(1)
	h.Join(m)
	h.Flush()
	for n := range maxTargets + 100 {
		to := interceptortest.Member(n + 1)
		if err := h.Send(context.Background(), one(to), nil, 0); err != nil {
			t.Fatal(err)
		}
	}
	if got := len(o.targets); got > maxTargets {
		t.Errorf("%d destinations are remembered, want at most %d", got, maxTargets)
	}
	if err := h.Send(context.Background(), one(m), nil, 0); err != nil {
		t.Fatal(err)
	}
	expectNumbers(t, h, m, 1, 2)
}
