package interceptortest

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

func TestFreezeHoldsUpTimersAndEvents(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		ticks := 0
		h := New(t, Config{}, &layer{down: func(o channel.Host, below channel.Down) channel.Down {
			o.Every(time.Second, func(context.Context) { ticks++ })
			return below
		}})
		h.Start()
		h.Freeze()
		h.Join(Member(2))
		time.Sleep(time.Minute)
		synctest.Wait()
		if ticks != 0 || len(h.Top.Events()) != 0 {
			t.Errorf("frozen: %d ticks and %d events, want none", ticks, len(h.Top.Events()))
		}
		h.Thaw()
		synctest.Wait()
		if ticks < 1 || ticks > 2 || len(h.Top.Events()) != 1 {
			t.Errorf("thawed: %d ticks and %d events, want one late tick and the event", ticks, len(h.Top.Events()))
		}
	})
}

func TestStopRunsTheStepsFromTheTopWhileTheBottomSends(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		var steps []string
		step := func(name string) channel.Interceptor {
			return &layer{down: func(o channel.Host, below channel.Down) channel.Down {
				o.OnStart(func(context.Context) error { steps = append(steps, "start "+name); return nil })
				o.OnDrain(func(ctx context.Context) {
					steps = append(steps, "drain "+name)
					m := o.NewMessage(1)
					defer m.Release()
					r := message.NewReceipt(1, nil)
					if err := below.Send(ctx, Members(2, 2), m, r); err != nil {
						t.Errorf("Send in OnDrain of %s = %v, want nil", name, err)
					}
				})
				return below
			}}
		}
		h := New(t, Config{}, step("top"), step("bottom"))
		h.Start()
		h.Stop(context.Background())
		want := []string{"start bottom", "start top", "drain top", "drain bottom"}
		for i := range want {
			if i >= len(steps) || steps[i] != want[i] {
				t.Fatalf("steps = %q, want %q", steps, want)
			}
		}
		if err := h.Send(context.Background(), Members(2, 2), nil, 0); !errors.Is(err, channel.ErrClosed) {
			t.Errorf("Send after Stop = %v, want %v", err, channel.ErrClosed)
		}
	})
}

func TestBottomHoldsAndReleases(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		h := New(t, Config{}, new(layer))
		h.Start()
		h.Bottom.Hold()
		r := h.Post(context.Background(), Members(2, 3), []byte("x"), message.UseAck)
		if got := len(h.Bottom.Sent()); got != 1 {
			t.Fatalf("%d messages at the bottom, want 1", got)
		}
		select {
		case <-r.Done():
			t.Fatal("a held message is settled")
		default:
		}
		if got := h.Bottom.Release(); got != 1 {
			t.Errorf("Release() = %d, want 1", got)
		}
		<-r.Done()
		if !r.OK() {
			t.Error("a released message has failed")
		}
	})
}

func TestBottomSpoilsWhatItWasGiven(t *testing.T) {
	h := New(t, Config{}, new(layer))
	h.Start()
	m := h.Message([]byte("abc"), 0)
	defer m.Release()
	r := message.NewReceipt(1, nil)
	if err := h.SendMessage(context.Background(), Members(2, 2), m, r); err != nil {
		t.Fatal(err)
	}
	if got := string(m.Payload()); got == "abc" {
		t.Error("the message is as it was, want its bytes changed")
	}
	if got := string(h.Bottom.Sent()[0].Message.Payload()); got != "abc" {
		t.Errorf("the bottom noted %q, want %q", got, "abc")
	}
}

func TestSendTellsOfAContextThatEnds(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		h := New(t, Config{}, new(layer))
		h.Start()
		h.Bottom.Hold()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		err := h.Send(ctx, Members(2, 2), nil, 0)
		var failed *message.SendError
		if !errors.As(err, &failed) || failed.Results[0].Outcome != message.Unknown || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Send = %v, want unknown, %v", err, context.DeadlineExceeded)
		}
	})
}

func TestJoinAndPartShowInTheViewBelow(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		h := New(t, Config{}, new(layer))
		h.Start()
		h.Join(Members(2, 3)...)
		h.Part(membership.Left, Member(2))
		h.Flush()
		if v := h.View(); v.Len() != 1 || v.Members[0].Key() != Member(3).Key() {
			t.Errorf("view = %v, want member 3 alone", v.Members)
		}
		if got := len(h.Top.Events()); got != 3 {
			t.Errorf("%d events, want 3", got)
		}
	})
}

func TestPairTellsTheSenderWhatTheReceiverSays(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		p := NewPair(t, Config{}, func() []channel.Interceptor { return []channel.Interceptor{new(layer)} })
		p.B.Top.Handle(func(context.Context, *message.Message) error { return errAbove })
		to := []*membership.Member{p.B.Local(), Member(9)}
		tests := []struct {
			name string
			o    message.Options
			want message.Outcome
		}{
			{"NoAck", 0, message.Written},
			{"UseAck", message.UseAck, message.Acknowledged},
			{"Sync", message.Sync, message.Refused},
		}
		for _, tt := range tests {
			r := p.A.Post(context.Background(), to, []byte("x"), tt.o)
			<-r.Done()
			res := r.Results(to, nil)
			if res[0].Outcome != tt.want || res[1].Outcome != message.NotSent {
				t.Errorf("%s: outcomes %s and %s, want %s and %s for a member that is not there", tt.name, res[0].Outcome, res[1].Outcome, tt.want, message.NotSent)
			}
		}
	})
}
