package interceptor

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/interceptor/interceptortest"
	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// Above what sends to each destination by itself, a message that one destination has not
// is confirmed to none. Below, as in Tribes, each destination is all that there are.
func TestTwoPhaseCommitAboveWhatSendsToEachByItself(t *testing.T) {
	for _, tt := range []struct {
		name      string
		layers    []channel.Interceptor
		confirmed int // destinations, of those two that have the message
	}{
		{"above all", []channel.Interceptor{new(TwoPhaseCommit), new(Dispatch), new(Order), new(Compress)}, 0},
		{"below Dispatch", []channel.Interceptor{new(Dispatch), new(TwoPhaseCommit)}, 2},
		{"below Order", []channel.Interceptor{new(Order), new(TwoPhaseCommit)}, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				h := interceptortest.New(t, interceptortest.Config{}, tt.layers...)
				h.Start()
				to := interceptortest.Members(2, 4)
				h.Bottom.Use(func(_ context.Context, dest []*membership.Member, m *message.Message, r *message.Receipt) error {
					h.Bottom.Note(dest, m)
					for _, d := range dest {
						if d == to[1] {
							r.Settle(d, message.NotSent, message.ErrTimeout)
						} else {
							r.Settle(d, message.Acknowledged, nil)
						}
					}
					return nil
				})
				r := h.Post(context.Background(), to, []byte("x"), message.Async|message.UseAck)
				synctest.Wait()
				confirmed := 0
				for _, d := range to {
					confirmed += max(len(h.Bottom.SentTo(d))-1, 0)
				}
				if confirmed != tt.confirmed || r.OK() {
					t.Errorf("confirmed to %d, want %d; outcomes %v", confirmed, tt.confirmed, r.Results(to, nil))
				}
			})
		})
	}
}

// When the last destination has the message the first may have dropped it: then nothing is
// confirmed, and no outcome says that it was delivered.
func TestTwoPhaseCommitThatTakesTooLong(t *testing.T) {
	for _, tt := range []struct {
		name  string
		takes time.Duration
		want  message.Outcome
	}{
		{"in time", 900 * time.Millisecond, message.Acknowledged},
		{"too late", time.Second, message.NotSent},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				h := newCommit(t, &TwoPhaseCommit{Expire: time.Second}, interceptortest.Config{})
				to := interceptortest.Members(2, 3)
				h.Bottom.Use(func(_ context.Context, dest []*membership.Member, m *message.Message, r *message.Receipt) error {
					h.Bottom.Note(dest, m)
					r.Settle(to[0], message.Acknowledged, nil)
					if len(h.Bottom.Sent()) > 1 {
						r.Settle(to[1], message.Acknowledged, nil)
						return nil
					}
					time.AfterFunc(tt.takes, func() { r.Settle(to[1], message.Acknowledged, nil) })
					return nil
				})
				r := h.Post(context.Background(), to, []byte("x"), message.UseAck)
				<-r.Done()
				for _, res := range r.Results(to, nil) {
					if res.Outcome != tt.want || errors.Is(res.Err, ErrNotConfirmed) == res.Outcome.OK() {
						t.Errorf("%s: %s, %v; want %s", res.Member, res.Outcome, res.Err, tt.want)
					}
				}
			})
		})
	}
}
