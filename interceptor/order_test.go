package interceptor

import (
	"context"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gotribes/tribes/interceptor/interceptortest"
	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// newOrder starts o on a harness.
func newOrder(t *testing.T, o *Order) *interceptortest.Harness {
	t.Helper()
	h := interceptortest.New(t, interceptortest.Config{}, o)
	h.Start()
	return h
}

// numbered is a payload with a number behind it.
func numbered(text string, nr uint32) []byte {
	return binary.BigEndian.AppendUint32([]byte(text), nr)
}

// come lets messages with these numbers arrive from m; their payload is their
// number.
func come(t *testing.T, h *interceptortest.Harness, m *membership.Member, nrs ...uint32) {
	t.Helper()
	for _, nr := range nrs {
		if err := h.Arrive(m, numbered(fmt.Sprint(nr), nr), message.ByteMessage); err != nil {
			t.Errorf("Receive of number %d = %v, want nil", nr, err)
		}
	}
}

// delivered returns the payloads that reached the application.
func delivered(h *interceptortest.Harness) string {
	var all []string
	for _, m := range h.Top.Received() {
		all = append(all, string(m.Payload()))
	}
	return strings.Join(all, " ")
}

func expectDelivered(t *testing.T, h *interceptortest.Harness, want string) {
	t.Helper()
	if got := delivered(h); got != want {
		t.Errorf("delivered: %q, want %q", got, want)
	}
}

func expectStats(t *testing.T, o *Order, want OrderStats) {
	t.Helper()
	if d := cmp.Diff(want, o.Stats()); d != "" {
		t.Errorf("Stats() differ (-want +got):\n%s", d)
	}
}

func TestOrderVectorFromTribes(t *testing.T) {
	bubble.Test(t, func(t *testing.T) { // in which no destination is slow
		v := loadVector(t, "order-two-members-two-messages")
		first, local := parse(t, v.frames[0].bytes)
		second, _ := parse(t, v.frames[2].bytes)
		h := interceptortest.New(t, interceptortest.Config{Local: local}, new(Order))
		h.Start()
		to := interceptortest.Members(2, 3)
		for i, f := range []message.Frame{first, second} {
			m := h.Message(v.input[i], message.ByteMessage)
			m.ID, m.Sent = message.ID(f.ID), f.Sent
			r := message.NewReceipt(len(to), nil)
			if err := h.SendMessage(context.Background(), to, m, r); err != nil {
				t.Fatalf("Send = %v, want nil", err)
			}
			m.Release()
		}
		sent := h.Bottom.Sent()
		if len(sent) != len(v.frames) {
			t.Fatalf("%d frames were handed down, want %d", len(sent), len(v.frames))
		}
		for i, s := range sent {
			if len(s.To) != 1 || s.To[0] != to[i%2] {
				t.Errorf("frame %d goes to %v, want %v", i, s.To, to[i%2])
			}
			if d := cmp.Diff(v.frames[i].bytes, message.AppendFrame(nil, s.Message, 0)); d != "" {
				t.Errorf("frame %d differs (-want +got):\n%s", i, d)
			}
		}
		for i, frame := range []frameTo{v.frames[0], v.frames[2]} {
			if err := arrive(t, h, frame.bytes); err != nil {
				t.Errorf("Receive %d = %v, want nil", i, err)
			}
		}
		expectDelivered(t, h, "m1 m2")
	})
}

func TestOrderSettings(t *testing.T) {
	tests := []struct {
		name  string
		layer *Order
		want  []string // what the error names
	}{
		{"zero", new(Order), nil},
		{"all given", &Order{OptionFlag: 8, Expire: time.Second, DropExpired: true, MaxQueue: 1, MaxBytes: 1}, nil},
		{"no bounds", &Order{MaxQueue: -1, MaxBytes: -1}, nil},
		{"everything wrong", &Order{OptionFlag: message.Multicast, Expire: time.Millisecond}, []string{"OptionFlag", "Expire 1ms"}},
		{"negative time", &Order{Expire: -1}, []string{"Expire -1ns"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := tt.layer.settings()
			checkNames(t, err, tt.want)
		})
	}
}
