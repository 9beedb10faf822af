package interceptor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gotribes/tribes/interceptor/interceptortest"
	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// One sender can fill its own room and not that of others, and all together no more
// than there is.
func TestFragmentationMemoryIsBounded(t *testing.T) {
	const each, total = 100_000, 250_000
	f := &Fragmentation{MaxSize: 1000, MaxSenderBytes: each, MaxBytes: total}
	h := newFragmentation(t, f, interceptortest.Config{})
	refused := make(map[int]int)
	for n := 2; n <= 4; n++ {
		for range 200 {
			parts := fragments(noise(10_000), 1000)
			err := (arrival{interceptortest.Member(n), message.NewID(), parts[0], message.ByteMessage}).at(h)
			if err != nil {
				refused[n]++
			}
			if st := f.Stats(); st.HeldBytes > total {
				t.Fatalf("Stats() = %+v, want at most %d bytes kept", st, total)
			}
		}
		if used := f.room.shares[interceptortest.Member(n).Key()].bytes; used > each {
			t.Errorf("member %d uses up %d bytes, want at most %d", n, used, each)
		}
	}
	if refused[2] == 0 || refused[2] != refused[3] || refused[4] <= refused[3] {
		t.Errorf("refused of each sender: %v, want as many of the second as of the first, and more of the third", refused)
	}
}

func TestFragmentationCountsMessages(t *testing.T) {
	f := &Fragmentation{MaxMessages: 3}
	h := newFragmentation(t, f, interceptortest.Config{})
	part := fragments(noise(300), 128)[0]
	for i := range 5 {
		err := (arrival{peer, message.NewID(), part, 0}).at(h)
		if refused := i >= 3; (err != nil) != refused {
			t.Errorf("message %d: %v, want refused: %t", i, err, refused)
		}
	}
	if err := (arrival{interceptortest.Member(3), message.NewID(), part, 0}).at(h); err != nil {
		t.Errorf("a message of another sender: %v, want nil", err)
	}
	if st := f.Stats(); st.Gathering != 4 || st.Refused != 2 {
		t.Errorf("Stats() = %+v, want 4 messages and 2 refused parts", st)
	}
}

// A message for which there is no room is refused with all its parts, and lets go
// of what came of it, so that others find room.
func TestFragmentationGivesRoomBack(t *testing.T) {
	f := &Fragmentation{MaxSize: 1000, MaxSenderBytes: 20_000}
	h := newFragmentation(t, f, interceptortest.Config{})
	first, second := noise(12_000), noise(12_000)
	a, b := message.NewID(), message.NewID()
	x, y := fragments(first, 1000), fragments(second, 1000)
	arriveParts(t, h, a, x[:6]...)
	refused := 0
	for _, p := range y {
		if err := (arrival{peer, b, p, 0}).at(h); errors.Is(err, errPartRoom) {
			refused++
		}
	}
	arriveParts(t, h, a, x[6:]...)
	if got := h.Top.Received(); len(got) != 1 || string(got[0].Payload()) != string(first) {
		t.Fatalf("%d messages were delivered, want the first one", len(got))
	}
	if st := f.Stats(); refused == 0 || st.Gathering != 0 || st.HeldBytes != 0 {
		t.Errorf("%d parts refused, %+v, want some and nothing kept", refused, st)
	}
	arriveParts(t, h, message.NewID(), y...)
	if got := len(h.Top.Received()); got != 2 {
		t.Errorf("%d messages were delivered, want the second when it comes again", got)
	}
}

func TestFragmentationExpires(t *testing.T) {
	tests := []struct {
		name   string
		gone   membership.Kind // zero: it stays
		alive  time.Duration   // after which there must be all
		within time.Duration   // of the last part, after which there must be nothing
	}{
		{"Silent", 0, 59 * time.Second, 62 * time.Second},
		{"Left", membership.Left, 5 * time.Second, 8 * time.Second},
		{"Failed", membership.Failed, 5 * time.Second, 8 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				rec := new(recorder)
				f := new(Fragmentation)
				h := newFragmentation(t, f, rec.config())
				h.Join(peer)
				h.Flush()
				parts := fragments(noise(1000), 128)
				id := message.NewID()
				arriveParts(t, h, id, parts[0])
				time.Sleep(50 * time.Second)
				arriveParts(t, h, id, parts[1])
				if tt.gone != 0 {
					h.Part(tt.gone, peer)
					h.Flush()
				}
				time.Sleep(tt.alive)
				if st := f.Stats(); st.Gathering != 1 || st.Expired != 0 {
					t.Fatalf("after %v: %+v, want the message to be waited for", tt.alive, st)
				}
				time.Sleep(tt.within - tt.alive)
				if st := f.Stats(); st.Gathering != 0 || st.HeldBytes != 0 || st.Expired != 1 {
					t.Errorf("after %v: %+v, want it to have expired", tt.within, st)
				}
				if got := rec.drops(); len(got) != 1 || got[0] != "Fragmentation: incomplete" {
					t.Errorf("the trace was told %q, want that a message is incomplete", got)
				}
				if got := rec.log(); len(got) != 1 || !strings.Contains(got[0], "missing=6") {
					t.Errorf("the log says %q, want one line with the number of missing parts", got)
				}
			})
		})
	}
}

// partsAs settles the parts of a message at some destinations as told.
type partsAs struct {
	h       *interceptortest.Harness
	at      *membership.Member
	failing int // the part that fails there
	outcome message.Outcome
	err     error
	refuse  bool // that part is refused for all
	n       int
}

func (p *partsAs) send(_ context.Context, to []*membership.Member, m *message.Message, r *message.Receipt) error {
	i := p.n
	p.n++
	if p.refuse && i == p.failing {
		return p.err
	}
	p.h.Bottom.Note(to, m)
	for _, d := range to {
		if d.Key() == p.at.Key() && i == p.failing {
			r.Settle(d, p.outcome, p.err)
			continue
		}
		r.Settle(d, message.Acknowledged, nil)
	}
	return nil
}

// A lost part is the outcome of the message at that destination, and of no other.
func TestFragmentationTellsOfLostParts(t *testing.T) {
	errNo := errors.New("no")
	tests := []struct {
		name    string
		as      partsAs
		outcome message.Outcome // at the destination where a part fails
		lost    bool            // ErrPartLost
		parts   int             // that were handed down for it
		others  message.Outcome
	}{
		{"first not sent", partsAs{failing: 0, outcome: message.NotSent}, message.NotSent, false, 1, message.Acknowledged},
		{"middle not sent", partsAs{failing: 4, outcome: message.NotSent}, message.NotSent, false, 5, message.Acknowledged},
		{"middle unknown", partsAs{failing: 4, outcome: message.Unknown}, message.Unknown, false, 5, message.Acknowledged},
		{"middle refused", partsAs{failing: 4, outcome: message.Refused}, message.NotSent, true, 5, message.Acknowledged},
		{"last refused", partsAs{failing: 9, outcome: message.Refused}, message.Refused, false, 10, message.Acknowledged},
		{"first not accepted", partsAs{failing: 0, refuse: true}, message.NotSent, true, 0, message.NotSent},
		{"middle not accepted", partsAs{failing: 4, refuse: true}, message.NotSent, true, 4, message.NotSent},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newFragmentation(t, &Fragmentation{MaxSize: 1000}, interceptortest.Config{})
			to := interceptortest.Members(2, 4)
			as := tt.as
			as.h, as.at, as.err = h, to[1], errNo
			h.Bottom.Use(as.send)
			r := h.Post(context.Background(), to, noise(10_000), message.UseAck)
			<-r.Done()
			for i, res := range r.Results(to, nil) {
				want := tt.others
				if i == 1 {
					want = tt.outcome
				}
				if res.Outcome != want || want.OK() != (res.Err == nil) {
					t.Errorf("destination %d: %s, %v, want %s", i, res.Outcome, res.Err, want)
				}
			}
			if err := r.Results(to, nil)[1].Err; !errors.Is(err, errNo) || errors.Is(err, ErrPartLost) != tt.lost {
				t.Errorf("the error is %v, want it to have the cause, and ErrPartLost: %t", err, tt.lost)
			}
			if got := len(h.Bottom.SentTo(to[1])); got != tt.parts {
				t.Errorf("%d parts were handed down for the destination that failed, want %d", got, tt.parts)
			}
		})
	}
}

// A sender that does not wait any more sends no more parts.
func TestFragmentationStopsWhenAbandoned(t *testing.T) {
	h := newFragmentation(t, &Fragmentation{MaxSize: 1000}, interceptortest.Config{})
	to := one(peer)
	r := message.NewReceipt(1, nil)
	h.Bottom.Use(func(ctx context.Context, to []*membership.Member, m *message.Message, part *message.Receipt) error {
		r.Abandon()
		return h.Bottom.Take(ctx, to, m, part)
	})
	m := h.Message(noise(10_000), 0)
	if err := h.SendMessage(context.Background(), to, m, r); err != nil {
		t.Fatal(err)
	}
	m.Release()
	<-r.Done()
	if got := len(h.Bottom.Sent()); got != 1 || r.Results(to, nil)[0].Outcome != message.NotSent {
		t.Errorf("%d parts were sent and the outcome is %v, want one and not sent", got, r.Results(to, nil))
	}
}

// Only so many parts are on their way at a time, and who waits for that waits no
// longer than its context.
func TestFragmentationWaitsForItsParts(t *testing.T) {
	for _, inFlight := range []int{0, 1, 3, 20} {
		bubble.Test(t, func(t *testing.T) {
			h := newFragmentation(t, &Fragmentation{MaxSize: 1000, InFlight: inFlight}, interceptortest.Config{})
			want := min(max(inFlight, 1), 10)
			h.Bottom.Hold()
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			r := h.Post(ctx, one(peer), noise(10_000), message.UseAck) // returns when ctx ends, or it has no more to wait for
			if got := len(h.Bottom.Sent()); got != want {
				t.Errorf("InFlight %d: %d parts are on their way, want %d", inFlight, got, want)
			}
			h.Bottom.Release()
			<-r.Done()
			res := r.Results(one(peer), nil)[0]
			if all := want == 10; res.Outcome.OK() != all || !all && (!errors.Is(res.Err, context.DeadlineExceeded) || !errors.Is(res.Err, ErrPartLost)) {
				t.Errorf("InFlight %d: %s, %v, want a success: %t, or the end of the context", inFlight, res.Outcome, res.Err, all)
			}
		})
	}
}

// Parts that come at the same time, as from a Java node, make one message.
func TestFragmentationAtTheSameTime(t *testing.T) {
	f := new(Fragmentation)
	h := newFragmentation(t, f, interceptortest.Config{})
	const senders, messages = 4, 20
	done := make(chan error, senders)
	for n := range senders {
		go func() { // ends with its messages
			var err error
			for range messages {
				err = errors.Join(err, atOnce(h, interceptortest.Member(2+n)))
			}
			done <- err
		}()
	}
	for range senders {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if got := len(h.Top.Received()); got != senders*messages {
		t.Errorf("%d messages were delivered, want %d", got, senders*messages)
	}
	for _, m := range h.Top.Received() {
		if string(m.Payload()) != string(noise(5000)) {
			t.Fatal("a message was damaged")
		}
	}
	if st := f.Stats(); st.Gathering != 0 || st.HeldBytes != 0 {
		t.Errorf("Stats() = %+v, want nothing kept", st)
	}
}

// atOnce lets all parts of a message arrive at the same time.
func atOnce(h *interceptortest.Harness, from *membership.Member) error {
	parts := fragments(noise(5000), 500)
	id := message.NewID()
	results := make(chan error, len(parts))
	for _, p := range parts {
		go func() { results <- (arrival{from, id, p, message.ByteMessage}).at(h) }()
	}
	var err error
	for range parts {
		err = errors.Join(err, <-results)
	}
	if err != nil {
		return fmt.Errorf("Receive = %w, want nil", err)
	}
	return nil
}
