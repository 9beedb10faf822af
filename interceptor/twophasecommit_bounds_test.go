package interceptor

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gotribes/tribes/interceptor/interceptortest"
	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

func TestTwoPhaseCommitMemoryIsBounded(t *testing.T) {
	const each, total = 20_000, 50_000
	tests := []struct {
		name    string
		payload func() []byte
		layer   *TwoPhaseCommit
		most    int // messages of one sender
	}{
		{"bytes", func() []byte { return noise(1000) }, &TwoPhaseCommit{MaxSenderBytes: each, MaxBytes: total}, each / (1000 + heldEntry)},
		{"messages", func() []byte { return nil }, &TwoPhaseCommit{MaxMessages: 5}, 5},
		{"confirmations", func() []byte { return confirmation(message.NewID()) }, &TwoPhaseCommit{MaxMessages: 5}, 5},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rec := new(recorder)
			h := newCommit(t, tt.layer, rec.config())
			taken := 0
			for range 100 {
				if err := (arrival{peer, message.NewID(), tt.payload(), 0}).at(h); err == nil {
					taken++
				}
			}
			if taken != tt.most {
				t.Errorf("%d of one sender were kept, want %d", taken, tt.most)
			}
			if st := tt.layer.Stats(); st.Refused != uint64(100-taken) || len(rec.drops()) != 100-taken {
				t.Errorf("%+v, and %d were told, want %d refused and told", st, len(rec.drops()), 100-taken)
			}
			if err := (arrival{interceptortest.Member(3), message.NewID(), tt.payload(), 0}).at(h); err != nil {
				t.Errorf("Receive from another sender = %v, want nil", err)
			}
		})
	}
}

func TestTwoPhaseCommitExpires(t *testing.T) {
	for _, tt := range []struct {
		name   string
		gone   membership.Kind
		within time.Duration
	}{
		{"Silent", 0, time.Minute},
		{"Left", membership.Left, 6 * time.Second},
		{"Failed", membership.Failed, 6 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				rec := new(recorder)
				c := new(TwoPhaseCommit)
				h := newCommit(t, c, rec.config())
				h.Join(peer)
				for _, payload := range [][]byte{[]byte("x"), confirmation(message.NewID())} {
					if err := (arrival{peer, message.NewID(), payload, 0}).at(h); err != nil {
						t.Fatal(err)
					}
				}
				if tt.gone != 0 {
					h.Part(tt.gone, peer)
				}
				h.Flush()
				time.Sleep(tt.within - time.Second)
				if st := c.Stats(); st.Waiting != 2 {
					t.Fatalf("Stats() = %+v a second before the time, want two that wait", st)
				}
				time.Sleep(3 * time.Second)
				if st := c.Stats(); st.Waiting != 0 || st.HeldBytes != 0 || st.Expired != 1 || st.Unknown != 1 {
					t.Errorf("Stats() = %+v, want both expired", st)
				}
				told := strings.Join(rec.drops(), ", ")
				if !strings.Contains(told, "TwoPhaseCommit: not confirmed") || !strings.Contains(told, "TwoPhaseCommit: confirmed and not received") {
					t.Errorf("the trace was told %q, want both", told)
				}
			})
		})
	}
}

// Whatever comes: what is delivered was confirmed, once, and what is kept is
// bounded and gone at last. Each byte of the input is a message or a confirmation of
// one of eight ids from one of two senders.
func FuzzTwoPhaseCommitReceive(f *testing.F) {
	f.Add([]byte{0, 8, 1, 9, 16, 24})
	f.Add([]byte{8, 0, 0, 8, 8})
	f.Add([]byte{32, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 64})
	f.Fuzz(func(t *testing.T, b []byte) {
		bubble.Test(t, func(t *testing.T) {
			c := &TwoPhaseCommit{MaxMessages: 6}
			h := newCommit(t, c, interceptortest.Config{})
			sent, confirmed := make(map[string]int), make(map[string]int)
			for _, x := range b {
				id := message.ID{15: x & 7}
				a := arrival{interceptortest.Member(2 + int(x>>4&1)), id, fmt.Append(nil, x>>4&1, x&7), 0}
				name := string(a.payload)
				count := sent
				if x&8 != 0 {
					a.payload, a.id, count = confirmation(id), message.NewID(), confirmed
				}
				if x&32 != 0 {
					a.payload = a.payload[:len(a.payload)/2] // what is neither, and has a name of its own
					a.id = message.NewID()
					count = make(map[string]int)
				}
				if a.at(h) == nil {
					count[name]++
				}
			}
			for _, m := range h.Top.Received() {
				name := string(m.Payload())
				if sent[name]--; sent[name] < 0 {
					t.Fatalf("%q was delivered more often than it came", name)
				}
				if confirmed[name]--; confirmed[name] < 0 {
					t.Fatalf("%q was delivered more often than it was confirmed", name)
				}
			}
			time.Sleep(3 * time.Minute)
			if st := c.Stats(); st.Waiting != 0 || st.HeldBytes != 0 {
				t.Errorf("Stats() = %+v after a long time, want nothing kept", st)
			}
		})
	})
}
