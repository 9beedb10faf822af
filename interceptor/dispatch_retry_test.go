package interceptor

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/interceptor/interceptortest"
	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// failing makes the bottom settle the first n messages with o and err.
func failing(h *interceptortest.Harness, n int, o message.Outcome, err error) {
	h.Bottom.Use(func(ctx context.Context, to []*membership.Member, m *message.Message, r *message.Receipt) error {
		if n > 0 {
			n--
			h.Bottom.Note(to, m)
			r.SettleAll(to, o, err)
			return nil
		}
		return h.Bottom.Take(ctx, to, m, r)
	})
}

func TestRetries(t *testing.T) {
	tests := []struct {
		name    string
		d       *Dispatch
		fails   int
		outcome message.Outcome
		err     error
		want    message.Outcome
		took    time.Duration
	}{
		{"None", &Dispatch{}, 1, message.NotSent, syscall.ECONNREFUSED, message.NotSent, 0},
		{"OneIsEnough", &Dispatch{Retries: 1}, 1, message.NotSent, syscall.ECONNREFUSED, message.Written, defaultRetryPause},
		{"OneIsNotEnough", &Dispatch{Retries: 1}, 2, message.NotSent, syscall.ECONNREFUSED, message.NotSent, defaultRetryPause},
		{"ThreeQuickly", &Dispatch{Retries: 3, RetryPause: time.Second}, 3, message.NotSent, syscall.ECONNREFUSED, message.Written, 3 * time.Second},
		{"NotWhatMayHaveArrived", &Dispatch{Retries: 3}, 1, message.Unknown, message.ErrTimeout, message.Unknown, 0},
		{"NotWhatWasRefused", &Dispatch{Retries: 3}, 1, message.Refused, &message.RemoteError{}, message.Refused, 0},
		{"NotWhatIsTooLarge", &Dispatch{Retries: 3}, 1, message.NotSent, message.ErrTooLarge, message.NotSent, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				h := newDispatch(t, tt.d)
				m := interceptortest.Member(2)
				failing(h, tt.fails, tt.outcome, tt.err)
				begin := time.Now()
				r := h.Post(context.Background(), one(m), []byte("payload"), async)
				<-r.Done()
				if took := time.Since(begin); took != tt.took {
					t.Errorf("it took %v, want %v", took, tt.took)
				}
				if res := result(t, r, m); res.Outcome != tt.want {
					t.Errorf("outcome %s, %v, want %s", res.Outcome, res.Err, tt.want)
				}
				sent := h.Bottom.SentTo(m)
				for i, s := range sent {
					if string(s.Payload()) != "payload" || s.ID != sent[0].ID {
						t.Errorf("try %d sent %q with id %s, want the message again", i, s.Payload(), s.ID)
					}
				}
				if got := tt.d.Stats().Retried; got != uint64(len(sent)-1) {
					t.Errorf("Stats().Retried = %d for %d tries", got, len(sent))
				}
			})
		})
	}
}

func TestRetriesKeepTheOrder(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		h := newDispatch(t, &Dispatch{Retries: 10})
		m := interceptortest.Member(2)
		failing(h, 5, message.NotSent, syscall.ECONNREFUSED)
		for i := range 20 {
			h.Post(context.Background(), one(m), fmt.Append(nil, i), async)
		}
		time.Sleep(time.Minute)
		last := -1
		for _, s := range h.Bottom.SentTo(m) {
			var n int
			if _, err := fmt.Sscan(string(s.Payload()), &n); err != nil {
				t.Fatal(err)
			}
			if n < last || n > last+1 {
				t.Fatalf("message %d was sent after message %d", n, last)
			}
			last = n
		}
		if last != 19 {
			t.Errorf("the last message sent is %d, want 19", last)
		}
	})
}

// Retries end with the member, and with the channel.
func TestRetriesEnd(t *testing.T) {
	tests := []struct {
		name string
		end  func(h *interceptortest.Harness, m *membership.Member)
		want error
	}{
		{"MemberFails", func(h *interceptortest.Harness, m *membership.Member) { h.Part(membership.Failed, m) }, ErrGone},
		{"ChannelStops", func(h *interceptortest.Harness, _ *membership.Member) {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			h.Stop(ctx)
		}, channel.ErrClosed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				h := newDispatch(t, &Dispatch{Retries: 1000})
				m := interceptortest.Member(2)
				h.Join(m)
				failing(h, 1000, message.NotSent, syscall.ECONNREFUSED)
				r := h.Post(context.Background(), one(m), []byte("x"), async)
				time.Sleep(time.Minute)
				tt.end(h, m)
				<-r.Done()
				res := result(t, r, m)
				if !errors.Is(res.Err, tt.want) || !errors.Is(res.Err, syscall.ECONNREFUSED) {
					t.Errorf("error = %v, want it to be %v and %v", res.Err, tt.want, syscall.ECONNREFUSED)
				}
			})
		})
	}
}
