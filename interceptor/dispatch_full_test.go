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

// fullDispatch starts d with room for two messages, and two in it to a member that
// takes them when open is called.
func fullDispatch(t *testing.T, d *Dispatch) (h *interceptortest.Harness, m *membership.Member, open func()) {
	t.Helper()
	d.MaxMessages = 2
	h = newDispatch(t, d)
	m = interceptortest.Member(2)
	open = blockFor(h, m)
	for range 2 {
		h.Post(context.Background(), one(m), []byte("x"), async)
	}
	return h, m, open
}

// expectResult compares the result at m with what is wanted.
func expectResult(t *testing.T, r *message.Receipt, m *membership.Member, o message.Outcome, err error) {
	t.Helper()
	if res := result(t, r, m); res.Outcome != o || !errors.Is(res.Err, err) {
		t.Errorf("outcome %s, %v, want %s, %v", res.Outcome, res.Err, o, err)
	}
}

// With the policy Block a send waits for room, its context, or PutTimeout.
func TestBlockWhenFull(t *testing.T) {
	tests := []struct {
		name    string
		put     time.Duration // setting
		room    time.Duration // when there is room
		ctx     time.Duration // when the context ends
		took    time.Duration
		outcome message.Outcome
		err     error
	}{
		{"UntilThereIsRoom", 0, 4 * time.Second, time.Hour, 4 * time.Second, message.Written, nil},
		{"UntilTheContextEnds", 0, time.Hour, time.Second, time.Second, message.NotSent, context.DeadlineExceeded},
		{"ForPutTimeout", 3 * time.Second, time.Hour, time.Hour, 3 * time.Second, message.NotSent, channel.ErrQueueFull},
		{"ForTheDefaultPutTimeout", 0, time.Hour, time.Hour, defaultPutTimeout, message.NotSent, channel.ErrQueueFull},
		{"WithoutPutTimeout", -1, time.Hour, 2 * time.Hour, time.Hour, message.Written, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				h, m, open := fullDispatch(t, &Dispatch{PutTimeout: tt.put})
				defer time.AfterFunc(tt.room, open).Stop()
				ctx, cancel := context.WithTimeout(context.Background(), tt.ctx)
				defer cancel()
				begin := time.Now()
				r := h.Post(ctx, one(m), []byte("x"), async)
				if took := time.Since(begin); took != tt.took {
					t.Errorf("Send with a full queue took %v, want %v", took, tt.took)
				}
				synctest.Wait()
				expectResult(t, r, m, tt.outcome, tt.err)
			})
		})
	}
}

func TestRefuseWhenFull(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		d := &Dispatch{WhenFull: Refuse}
		h, m, _ := fullDispatch(t, d)
		msg := h.Message([]byte("x"), async)
		defer msg.Release()
		begin := time.Now()
		err := h.SendMessage(context.Background(), one(m), msg, message.NewReceipt(1, nil))
		if took := time.Since(begin); !errors.Is(err, channel.ErrQueueFull) || took != 0 {
			t.Errorf("Send with a full queue = %v after %v, want %v at once", err, took, channel.ErrQueueFull)
		}
		if got := d.Stats().Refused; got != 1 {
			t.Errorf("Stats().Refused = %d, want 1", got)
		}
	})
}

func TestFailWhenFull(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		d := &Dispatch{WhenFull: Fail}
		h, m, _ := fullDispatch(t, d)
		msg := h.Message([]byte("x"), async)
		defer msg.Release()
		to := []*membership.Member{m, interceptortest.Member(3)}
		r := message.NewReceipt(len(to), nil)
		if err := h.SendMessage(context.Background(), to, msg, r); err != nil {
			t.Errorf("Send with a full queue = %v, want nil", err)
		}
		for _, dest := range to {
			expectResult(t, r, dest, message.NotSent, channel.ErrQueueFull)
		}
		if got := d.Stats().Failed; got != 2 {
			t.Errorf("Stats().Failed = %d, want 2", got)
		}
	})
}

func TestBytesAreBounded(t *testing.T) {
	tests := []struct {
		name  string
		d     *Dispatch
		size  int
		taken int // of 10 messages
	}{
		{"TenFit", &Dispatch{MaxBytes: 1000}, 100, 10},
		{"FourFit", &Dispatch{MaxBytes: 1000}, 250, 4},
		{"OneThatIsTooLarge", &Dispatch{MaxBytes: 1000}, 5000, 1},
		{"NoBound", &Dispatch{MaxBytes: -1}, 1 << 20, 10},
		{"Default", &Dispatch{}, 10 << 20, 6},
		{"Messages", &Dispatch{MaxMessages: 3}, 1, 3},
		{"NoBoundOnMessages", &Dispatch{MaxMessages: -1}, 1, 10},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				tt.d.WhenFull = Refuse
				h := newDispatch(t, tt.d)
				h.Bottom.Hold()
				taken := 0
				for range 10 {
					r := h.Post(context.Background(), one(interceptortest.Member(2)), make([]byte, tt.size), async)
					if res := result(t, r, interceptortest.Member(2)); errors.Is(res.Err, errPending) {
						taken++
					}
				}
				if taken != tt.taken {
					t.Errorf("%d of 10 messages of %d bytes were taken, want %d", taken, tt.size, tt.taken)
				}
				if got := tt.d.Stats().Bytes; got != tt.taken*tt.size {
					t.Errorf("Stats().Bytes = %d, want %d", got, tt.taken*tt.size)
				}
				synctest.Wait()
				h.Bottom.Release()
				synctest.Wait()
				if st := tt.d.Stats(); st.Bytes != 0 || st.Messages != 0 {
					t.Errorf("when all are settled: Stats() = %+v, want nothing held", st)
				}
			})
		})
	}
}
