package interceptor

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/interceptor/interceptortest"
	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

func newCommit(tb testing.TB, c *TwoPhaseCommit, cfg interceptortest.Config) *interceptortest.Harness {
	tb.Helper()
	h := interceptortest.New(tb, cfg, c)
	h.Start()
	return h
}

func confirmation(id message.ID) []byte { return []byte(confirmHead + string(id[:]) + confirmTail) }

// The frames of a real node, both ways. The id of the confirmation is fresh.
func TestTwoPhaseCommitVectorFromTribes(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		v := loadVector(t, "two-phase")
		if len(v.frames) != 2 {
			t.Fatalf("the vector has %d frames, want 2", len(v.frames))
		}
		first, local := parse(t, v.frames[0].bytes)
		second, _ := parse(t, v.frames[1].bytes)
		h := newCommit(t, new(TwoPhaseCommit), interceptortest.Config{Local: local})
		m := h.Message(v.input[0], message.ByteMessage)
		m.ID, m.Sent = message.ID(first.ID), first.Sent
		r := message.NewReceipt(1, nil)
		if err := h.SendMessage(context.Background(), one(peer), m, r); err != nil {
			t.Fatalf("Send = %v, want nil", err)
		}
		m.Release()
		<-r.Done()
		sent := h.Bottom.Sent()
		if len(sent) != 2 {
			t.Fatalf("%d frames were handed down, want 2", len(sent))
		}
		if c := sent[1].Message; c.ID == message.ID(first.ID) {
			t.Error("the confirmation has the id of the message, want a fresh one")
		} else {
			c.ID, c.Sent = message.ID(second.ID), second.Sent
		}
		for i, s := range sent {
			if d := cmp.Diff(v.frames[i].bytes, message.AppendFrame(nil, s.Message, 0)); d != "" {
				t.Errorf("frame %d differs (-want +got):\n%s", i, d)
			}
		}
		for i, frame := range v.frames {
			if got := len(h.Top.Received()); got != 0 {
				t.Errorf("before frame %d %d messages were delivered, want none", i, got)
			}
			if err := arrive(t, h, frame.bytes); err != nil {
				t.Errorf("Receive of frame %d = %v, want nil", i, err)
			}
		}
		expectDelivered(t, h, string(v.input[0]))
	})
}

// A confirmation leaves when all have acknowledged the message, and not before.
func TestNothingIsConfirmedBeforeAllHaveIt(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		h := newCommit(t, new(TwoPhaseCommit), interceptortest.Config{})
		to := interceptortest.Members(2, 4)
		var settle []func()
		h.Bottom.Use(func(_ context.Context, dest []*membership.Member, m *message.Message, r *message.Receipt) error {
			h.Bottom.Note(dest, m)
			for _, d := range dest {
				settle = append(settle, func() { r.Settle(d, message.Acknowledged, nil) })
			}
			return nil
		})
		r := h.Post(context.Background(), to, []byte("x"), message.UseAck)
		for i := range to {
			synctest.Wait()
			if got := len(h.Bottom.Sent()); got != 1 {
				t.Fatalf("after %d of 3 acks %d messages were sent, want 1", i, got)
			}
			settle[i]()
		}
		synctest.Wait()
		sent := h.Bottom.Sent()
		if len(sent) != 2 || len(sent[1].To) != 3 {
			t.Fatalf("after all acks %d messages were sent, want the confirmation to all as the second", len(sent))
		}
		select {
		case <-r.Done():
			t.Error("the send is settled before the confirmation is")
		default:
		}
		for i := range to {
			settle[3+i]()
		}
		<-r.Done()
		if !r.OK() {
			t.Errorf("outcomes: %v, want all acknowledged", r.Results(to, nil))
		}
	})
}

// commitCase is what happens to a message and its confirmation at the second of
// three destinations.
type commitCase struct {
	name          string
	first, second message.Outcome // 0: refused
	abandoned     bool
	want, others  message.Outcome
	notConfirmed  bool // ErrNotConfirmed there
	confirmations int
}

func TestTwoPhaseCommitOutcomes(t *testing.T) {
	errNo := errors.New("no")
	for _, tt := range []commitCase{
		{"all well", message.Acknowledged, message.Acknowledged, false, message.Acknowledged, message.Acknowledged, false, 1},
		{"one not sent", message.NotSent, message.Acknowledged, false, message.NotSent, message.NotSent, false, 0},
		{"one unknown", message.Unknown, message.Acknowledged, false, message.Unknown, message.NotSent, false, 0},
		{"one refused", message.Refused, message.Acknowledged, false, message.Refused, message.NotSent, false, 0},
		{"confirmation not sent to one", message.Acknowledged, message.NotSent, false, message.NotSent, message.Acknowledged, false, 1},
		{"confirmation unknown at one", message.Acknowledged, message.Unknown, false, message.Unknown, message.Acknowledged, false, 1},
		{"application refuses", message.Acknowledged, message.Refused, false, message.Refused, message.Acknowledged, false, 1},
		{"confirmation not accepted", message.Acknowledged, 0, false, message.NotSent, message.NotSent, true, 0},
		{"nobody waits any more", message.Acknowledged, message.Acknowledged, true, message.NotSent, message.NotSent, true, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				h := newCommit(t, new(TwoPhaseCommit), interceptortest.Config{})
				to := interceptortest.Members(2, 4)
				r := message.NewReceipt(len(to), nil)
				h.Bottom.Use(func(_ context.Context, dest []*membership.Member, m *message.Message, below *message.Receipt) error {
					outcome := tt.first
					if m.Len() == confirmSize {
						outcome = tt.second
					} else if tt.abandoned {
						r.Abandon()
					}
					if outcome == 0 {
						return errNo
					}
					h.Bottom.Note(dest, m)
					below.SettleAll([]*membership.Member{dest[0], dest[2]}, message.Acknowledged, nil)
					var err error
					if !outcome.OK() {
						err = errNo
					}
					below.Settle(dest[1], outcome, err)
					return nil
				})
				m := h.Message([]byte("x"), message.Sync)
				if err := h.SendMessage(context.Background(), to, m, r); err != nil {
					t.Fatal(err)
				}
				m.Release()
				<-r.Done()
				tt.check(t, r.Results(to, nil))
				if got := len(h.Bottom.Sent()) - 1; got != tt.confirmations {
					t.Errorf("%d confirmations were sent, want %d", got, tt.confirmations)
				}
			})
		})
	}
}

func (tt *commitCase) check(t *testing.T, results []message.Result) {
	t.Helper()
	for i, res := range results {
		want := tt.others
		if i == 1 {
			want = tt.want
		}
		if res.Outcome != want || want.OK() != (res.Err == nil) {
			t.Errorf("destination %d: %s, %v, want %s", i, res.Outcome, res.Err, want)
		}
		if i != 1 && !want.OK() && !errors.Is(res.Err, ErrNotConfirmed) {
			t.Errorf("destination %d: %v, want %v", i, res.Err, ErrNotConfirmed)
		}
	}
	if err := results[1].Err; errors.Is(err, ErrNotConfirmed) != tt.notConfirmed {
		t.Errorf("destination 1: %v, want ErrNotConfirmed: %t", err, tt.notConfirmed)
	}
}

// Confirmations leave in the order of the messages, and those that wait for room
// do so until the channel stops, not for ever.
func TestConfirmationsKeepTheirOrder(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		c := new(TwoPhaseCommit)
		h := newCommit(t, c, interceptortest.Config{})
		var ids []message.ID
		for i := range 100 {
			m := h.Message(fmt.Append(nil, i), message.UseAck)
			ids = append(ids, m.ID)
			r := message.NewReceipt(1, func(*message.Receipt) {})
			if err := h.SendMessage(context.Background(), one(peer), m, r); err != nil {
				t.Fatal(err)
			}
			m.Release()
		}
		synctest.Wait()
		var confirmed []message.ID
		for _, m := range h.Bottom.SentTo(peer) {
			if id, ok := confirmedID(m.Payload()); ok {
				confirmed = append(confirmed, id)
			}
		}
		if d := cmp.Diff(ids, confirmed); d != "" {
			t.Errorf("confirmed (-sent +got):\n%s", d)
		}
		h.Bottom.Use(func(ctx context.Context, _ []*membership.Member, m *message.Message, r *message.Receipt) error {
			if m.Len() != confirmSize {
				r.Settle(peer, message.Acknowledged, nil)
				return nil
			}
			<-ctx.Done()
			return context.Cause(ctx)
		})
		r1, r2 := h.Post(context.Background(), one(peer), []byte("a"), 0), h.Post(context.Background(), one(peer), []byte("b"), 0)
		synctest.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		h.Stop(ctx)
		for _, r := range []*message.Receipt{r1, r2} {
			<-r.Done()
			if res := r.Results(one(peer), nil)[0]; res.Outcome != message.NotSent || !errors.Is(res.Err, channel.ErrClosed) || !errors.Is(res.Err, ErrNotConfirmed) {
				t.Errorf("a message that was not confirmed before the stop: %s, %v, want not sent, %v", res.Outcome, res.Err, channel.ErrClosed)
			}
		}
	})
}

func TestTwoPhaseCommitReceive(t *testing.T) {
	id := message.NewID()
	msg := arrival{peer, id, []byte("it"), message.ByteMessage}
	yes := arrival{peer, message.NewID(), confirmation(id), message.ByteMessage}
	with := func(a arrival, change func(*arrival)) arrival { change(&a); return a }
	tests := []struct {
		name string
		come []arrival
		want string
		st   TwoPhaseCommitStats
	}{
		{"message alone", []arrival{msg}, "", TwoPhaseCommitStats{Received: 1, Waiting: 1, HeldBytes: 2 + heldEntry}},
		{"confirmed", []arrival{msg, yes}, "it", TwoPhaseCommitStats{Received: 1, Delivered: 1}},
		{"confirmed first", []arrival{yes, msg}, "it", TwoPhaseCommitStats{Received: 1, Delivered: 1, Early: 1}},
		{"confirmed twice", []arrival{yes, yes, msg}, "it", TwoPhaseCommitStats{Received: 1, Delivered: 1, Early: 1, Repeated: 1}},
		{"message twice", []arrival{msg, msg, yes}, "it", TwoPhaseCommitStats{Received: 1, Delivered: 1, Repeated: 1}},
		{"confirmed by another", []arrival{msg, with(yes, func(a *arrival) { a.from = interceptortest.Member(3) })}, "",
			TwoPhaseCommitStats{Received: 1, Early: 1, Waiting: 2, HeldBytes: 2 + 2*heldEntry}},
		{"another is confirmed", []arrival{msg, with(yes, func(a *arrival) { a.payload = confirmation(message.NewID()) })}, "",
			TwoPhaseCommitStats{Received: 1, Early: 1, Waiting: 2, HeldBytes: 2 + 2*heldEntry}},
		{"confirmed in the clear", []arrival{with(msg, func(a *arrival) { a.options |= message.Secure }), yes}, "",
			TwoPhaseCommitStats{Received: 1, Early: 1, Waiting: 2, HeldBytes: 2 + 2*heldEntry}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := new(TwoPhaseCommit)
			h := newCommit(t, c, interceptortest.Config{})
			for i, a := range tt.come {
				if err := a.at(h); err != nil {
					t.Errorf("Receive %d = %v, want nil", i, err)
				}
			}
			expectDelivered(t, h, tt.want)
			if d := cmp.Diff(tt.st, c.Stats()); d != "" {
				t.Errorf("Stats() differ (-want +got):\n%s", d)
			}
		})
	}
}

// The application's error is the answer to the confirmation.
func TestTwoPhaseCommitTellsTheError(t *testing.T) {
	errNo := errors.New("no")
	h := newCommit(t, new(TwoPhaseCommit), interceptortest.Config{})
	h.Top.Handle(func(context.Context, *message.Message) error { return errNo })
	id := message.NewID()
	if err := (arrival{peer, id, []byte("x"), message.Sync}).at(h); err != nil {
		t.Errorf("Receive of the message = %v, want nil", err)
	}
	if err := (arrival{peer, message.NewID(), confirmation(id), message.Sync}).at(h); !errors.Is(err, errNo) {
		t.Errorf("Receive of the confirmation = %v, want %v", err, errNo)
	}
}

// A process that was replaced had the message; the one that gets the confirmation must
// not answer for it.
func TestConfirmationToAReplacedProcess(t *testing.T) {
	c := new(TwoPhaseCommit)
	h := newCommit(t, c, interceptortest.Config{})
	if err := (arrival{peer, message.NewID(), confirmation(message.NewID()), message.Sync}).at(h); !errors.Is(err, errCommitGone) {
		t.Errorf("Receive of a Sync confirmation without its message = %v, want %v", err, errCommitGone)
	}
	if d := cmp.Diff(TwoPhaseCommitStats{Refused: 1}, c.Stats()); d != "" {
		t.Errorf("Stats() differ (-want +got):\n%s", d)
	}
}

func TestTwoPhaseCommitSettings(t *testing.T) {
	tests := []struct {
		name  string
		layer *TwoPhaseCommit
		want  []string
	}{
		{"zero", new(TwoPhaseCommit), nil},
		{"no bounds", &TwoPhaseCommit{MaxBytes: -1, MaxSenderBytes: -1, MaxMessages: -1}, nil},
		{"everything wrong", &TwoPhaseCommit{OptionFlag: message.NumberedAcks, Expire: -1, MaxBytes: 5, MaxSenderBytes: 6},
			[]string{"OptionFlag", "Expire -1ns", "MaxSenderBytes 6: want at most MaxBytes, 5"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := tt.layer.settings()
			checkNames(t, err, tt.want)
		})
	}
}
