package interceptor

import (
	"context"
	"errors"
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

func TestTCPPingPassesTheSuite(t *testing.T) {
	interceptortest.Run(t, interceptortest.Suite{
		New: func() channel.Interceptor { return &TCPPing{Interval: time.Hour} },
	})
}

// The frame of a real node, both ways. Id and time are fresh.
func TestTCPPingVectorFromTribes(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		v := loadVector(t, "tcp-ping")
		f, local := parse(t, v.frames[0].bytes)
		p := new(TCPPing)
		h := interceptortest.New(t, interceptortest.Config{Local: local}, p)
		h.Start()
		h.Join(peer)
		time.Sleep(defaultPingInterval + time.Millisecond)
		sent := h.Bottom.Sent()
		if len(sent) != 1 || len(sent[0].To) != 1 || sent[0].To[0] != peer {
			t.Fatalf("after a second was sent: %v, want one message to the member", sent)
		}
		m := sent[0].Message
		m.ID, m.Sent = message.ID(f.ID), f.Sent
		if d := cmp.Diff(v.frames[0].bytes, message.AppendFrame(nil, m, 0)); d != "" {
			t.Errorf("the frame differs (-want +got):\n%s", d)
		}
		if err := arrive(t, h, v.frames[0].bytes); err != nil {
			t.Errorf("Receive = %v, want nil", err)
		}
		if got := len(h.Top.Received()); got != 0 || p.Stats().Swallowed != 1 {
			t.Errorf("%d messages were delivered, %+v, want the ping swallowed", got, p.Stats())
		}
	})
}

func TestTCPPingSends(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		listed := interceptortest.Member(3)
		static := &StaticMembers{Members: one(listed)}
		all, some := new(TCPPing), &TCPPing{Only: static, Interval: 100 * time.Millisecond, OptionFlag: 0x1000}
		h := interceptortest.New(t, interceptortest.Config{}, all, some, static)
		h.Start()
		synctest.Wait()
		h.Bottom.Reset() // of the notice
		h.Join(peer)
		time.Sleep(time.Second + time.Millisecond)
		to := func(m *membership.Member) (pings [2]int) {
			for _, s := range h.Bottom.SentTo(m) {
				if string(s.Payload()) != pingBytes {
					t.Errorf("%x was sent, want pings alone", s.Payload())
				}
				if s.Options == 0x1000 {
					pings[1]++
				} else {
					pings[0]++
				}
			}
			return pings
		}
		if got := to(peer); got != [2]int{1, 0} {
			t.Errorf("to a member that is not on the list went %v, want one ping of the first layer", got)
		}
		if got := to(listed); got != [2]int{1, 10} {
			t.Errorf("to the member on the list went %v, want one and ten", got)
		}
	})
}

// A ping that takes long is not followed by more, and those that fail are counted.
func TestTCPPingWaitsForItself(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		p := new(TCPPing)
		h := interceptortest.New(t, interceptortest.Config{}, p)
		h.Start()
		h.Join(peer)
		h.Bottom.Hold()
		time.Sleep(5*time.Second + time.Millisecond)
		if st := p.Stats(); st.Pings != 1 || st.Skipped != 4 {
			t.Errorf("Stats() = %+v, want one ping and four skipped", st)
		}
		h.Bottom.Release()
		h.Bottom.Use(func(_ context.Context, to []*membership.Member, _ *message.Message, r *message.Receipt) error {
			r.SettleAll(to, message.NotSent, errors.New("no"))
			return nil
		})
		time.Sleep(time.Second)
		h.Bottom.Use(func(context.Context, []*membership.Member, *message.Message, *message.Receipt) error {
			return errors.New("no")
		})
		time.Sleep(time.Second)
		if st := p.Stats(); st.Pings != 3 || st.Failures != 2 {
			t.Errorf("Stats() = %+v, want three pings, two of which failed", st)
		}
	})
}

// With a detector nothing is sent, and a member whose port alone is cut off is found
// within the interval.
func TestTCPPingAsksTheDetector(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		d := new(TCPFailureDetector)
		p := &TCPPing{Detector: d}
		net := newTCP()
		h := interceptortest.New(t, interceptortest.Config{Probe: net.probe}, p, d)
		h.Start()
		h.Join(peer)
		time.Sleep(10*time.Second + 500*time.Millisecond)
		if st := d.Stats(); st.Probes != 11 {
			t.Errorf("%d probes in 10 s, want the first and one each second", st.Probes)
		}
		net.set(refused, peer)
		time.Sleep(time.Second)
		if h.View().Len() != 0 {
			t.Error("a member that refuses connections is still there after a second")
		}
		if got := len(h.Bottom.Sent()); got != 0 || p.Stats().Pings != 11 {
			t.Errorf("%d messages were sent, %+v, want none and 11 pings", got, p.Stats())
		}
	})
}

func TestTCPPingSettings(t *testing.T) {
	tests := []struct {
		name  string
		layer *TCPPing
		want  []string
	}{
		{"zero", new(TCPPing), nil},
		{"everything wrong", &TCPPing{Interval: time.Millisecond, OptionFlag: message.Sync}, []string{"Interval 1ms", "OptionFlag use_ack|sync"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := tt.layer.interval()
			checkNames(t, err, tt.want)
		})
	}
}

// Before the start, or in no channel, there is nobody to ask.
func TestCheckOfADetectorThatDoesNotRun(t *testing.T) {
	d := new(TCPFailureDetector)
	d.Check()
	h := interceptortest.New(t, interceptortest.Config{}, d)
	d.Check(peer)
	h.Start()
	d.Check(peer)
	h.Flush()
	if st := d.Stats(); st.Probes != 0 {
		t.Errorf("Stats() = %+v, want no probe of a member that is not known", st)
	}
}
