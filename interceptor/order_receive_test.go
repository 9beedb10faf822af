package interceptor

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gotribes/tribes/interceptor/interceptortest"
	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

var peer = interceptortest.Member(2)

func TestOrderDeliversInOrder(t *testing.T) {
	o := new(Order)
	h := newOrder(t, o)
	come(t, h, peer, 2, 4, 1, 3, 5)
	come(t, h, interceptortest.Member(3), 1)
	expectDelivered(t, h, "1 2 3 4 5 1")
	expectStats(t, o, OrderStats{InOrder: 4, Early: 2, Senders: 2})
}

// The wait ends by itself, not with the next message.
func TestOrderExpiresWithoutMoreMessages(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		rec := new(recorder)
		o := new(Order)
		h := interceptortest.New(t, rec.config(), o)
		h.Start()
		begin := time.Now()
		h.Top.Handle(func(_ context.Context, m *message.Message) error {
			if d := time.Since(begin); string(m.Payload()) == "4" && (d < 3*time.Second || d > 3100*time.Millisecond) {
				t.Errorf("4 was delivered after %v, want 3 s and at most a tenth", d)
			}
			return nil
		})
		come(t, h, peer, 1, 4)
		time.Sleep(4 * time.Second)
		expectDelivered(t, h, "1 4")
		come(t, h, peer, 3, 5)
		expectDelivered(t, h, "1 4 3 5")
		expectStats(t, o, OrderStats{InOrder: 2, Early: 1, Late: 1, Gaps: 1, Missing: 2, Senders: 1})
		if d := cmp.Diff([]string{"Order: missing"}, rec.drops()); d != "" {
			t.Errorf("dropped by the trace (-want +got):\n%s", d)
		}
		if lines := rec.log(); len(lines) != 1 || !strings.HasPrefix(lines[0], "WARN messages did not come in time") {
			t.Errorf("log = %q, want one warning", lines)
		}
	})
}

func TestOrderDropsRepeatedMessages(t *testing.T) {
	rec := new(recorder)
	o := new(Order)
	h := interceptortest.New(t, rec.config(), o)
	h.Start()
	m := h.Message(numbered("x", 1), message.Sync)
	m.Source = peer
	id := m.ID
	for range 3 {
		again := m.Copy()
		if err := h.Deliver(context.Background(), again); err != nil {
			t.Errorf("Receive = %v, want nil", err)
		}
		again.Release()
	}
	m.Release()
	if got := h.Top.Received(); len(got) != 1 || got[0].ID != id {
		t.Errorf("delivered %d times, want once", len(got))
	}
	if rec.repeats != 2 {
		t.Errorf("the trace was told of %d repeats, want 2", rec.repeats)
	}
	expectStats(t, o, OrderStats{InOrder: 1, Repeated: 2, Senders: 1})
}

func TestOrderDropsMessagesWithoutANumber(t *testing.T) {
	rec := new(recorder)
	o := new(Order)
	h := interceptortest.New(t, rec.config(), o)
	h.Start()
	for _, payload := range []string{"", "a", "abc"} {
		if err := h.Arrive(peer, []byte(payload), 0); !errors.Is(err, errNoNumber) {
			t.Errorf("Receive of %q = %v, want %v", payload, err, errNoNumber)
		}
	}
	if d := cmp.Diff(slices.Repeat([]string{"Order: no number"}, 3), rec.drops()); d != "" {
		t.Errorf("dropped by the trace (-want +got):\n%s", d)
	}
	expectStats(t, o, OrderStats{Dropped: 3})
}

func TestOrderDropsExpiredMessagesIfTold(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		rec := new(recorder)
		o := &Order{DropExpired: true}
		h := interceptortest.New(t, rec.config(), o)
		h.Start()
		come(t, h, peer, 1, 3)
		time.Sleep(4 * time.Second)
		if err := h.Arrive(peer, numbered("2", 2), 0); !errors.Is(err, errTooLate) {
			t.Errorf("Receive of a late message = %v, want %v", err, errTooLate)
		}
		come(t, h, peer, 4)
		expectDelivered(t, h, "1 4")
		want := []string{"Order: missing", "Order: waited too long", "Order: too late"}
		if d := cmp.Diff(want, rec.drops()); d != "" {
			t.Errorf("dropped by the trace (-want +got):\n%s", d)
		}
		expectStats(t, o, OrderStats{InOrder: 2, Early: 1, Late: 1, Dropped: 2, Gaps: 1, Missing: 1, Senders: 1})
	})
}

// Who sends a message that is delivered at once is told what the application
// says; who sends one that waits is told at once that all is well.
func TestOrderResults(t *testing.T) {
	h := newOrder(t, new(Order))
	h.Top.Handle(func(_ context.Context, m *message.Message) error { return fmt.Errorf("no to %s", m.Payload()) })
	receive := func(nr uint32) string {
		return fmt.Sprint(h.Arrive(peer, numbered(fmt.Sprint(nr), nr), message.Sync))
	}
	if got := receive(2); got != fmt.Sprint(nil) {
		t.Errorf("Receive of a message that waits = %s, want nil", got)
	}
	for _, nr := range []uint32{1, 3} {
		if got, want := receive(nr), fmt.Sprint("no to ", nr); got != want {
			t.Errorf("Receive of number %d = %s, want %s", nr, got, want)
		}
	}
	expectDelivered(t, h, "1 2 3")
}

// gate is a listener that is held up, at one message.
type gate struct {
	at      string
	reached chan struct{}
	open    chan struct{}
}

func newGate(h *interceptortest.Harness, at string) *gate {
	g := &gate{at, make(chan struct{}), make(chan struct{})}
	h.Top.Handle(func(_ context.Context, m *message.Message) error {
		if string(m.Payload()) == g.at {
			close(g.reached)
			<-g.open
		}
		return fmt.Errorf("no to %s", m.Payload())
	})
	return g
}

// While one message is being processed, others arrive on other goroutines, and
// some expire: the order stays, each is processed alone, and each sender gets
// the result of its own message.
func TestOrderKeepsOrderWhileTheListenerIsBusy(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		h := newOrder(t, new(Order))
		g := newGate(h, "1")
		var work sync.WaitGroup
		arrive := func(nr uint32, want string) {
			work.Go(func() {
				err := h.Arrive(peer, numbered(fmt.Sprint(nr), nr), message.Sync)
				if got := fmt.Sprint(err); got != want {
					t.Errorf("Receive of number %d = %s, want %s", nr, got, want)
				}
			})
			synctest.Wait()
		}
		arrive(1, "no to 1")
		<-g.reached
		arrive(2, "no to 2")
		arrive(5, "<nil>")
		arrive(4, "<nil>")
		arrive(3, "no to 3")
		arrive(8, "<nil>")
		time.Sleep(4 * time.Second) // 8 expires
		arrive(9, "no to 9")
		arrive(7, "no to 7") // late
		expectDelivered(t, h, "1")
		close(g.open)
		work.Wait()
		synctest.Wait()
		expectDelivered(t, h, "1 2 3 4 5 8 9 7")
	})
}

// A listener that is busy with the messages of one sender holds up no other
// sender, not even what expires of it.
func TestOrderSendersDoNotWaitForEachOther(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		h := newOrder(t, new(Order))
		g := newGate(h, "2")
		come(t, h, peer, 2)
		time.Sleep(100 * time.Millisecond)
		for nr := range uint32(3) {
			_ = h.Arrive(interceptortest.Member(3), numbered(fmt.Sprint("other ", nr+2), nr+2), 0) // waits
		}
		time.Sleep(4 * time.Second)
		expectDelivered(t, h, "2 other 2 other 3 other 4")
		close(g.open)
	})
}

// The memory of what waits is bounded, also while nothing can be delivered: who
// sends more has to wait.
func TestOrderMemoryIsBounded(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		const most = 64 << 10
		o := &Order{MaxBytes: most}
		h := newOrder(t, o)
		g := newGate(h, "1")
		var work sync.WaitGroup
		work.Go(func() { _ = h.Arrive(peer, numbered("1", 1), 0) })
		<-g.reached
		for nr := uint32(3); nr < 303; nr++ {
			work.Go(func() { _ = h.Arrive(peer, numbered(strings.Repeat("x", 700), nr), 0) })
		}
		synctest.Wait()
		if got := o.Stats(); got.HeldBytes > most+8<<10 || got.HeldBytes < most/2 || got.Overflows == 0 {
			t.Errorf("300 messages of 700 bytes while the listener is busy: %+v, want at most %d bytes", got, most)
		}
		close(g.open)
		work.Wait()
		synctest.Wait()
		if got := o.Stats(); got.Held != 0 || got.HeldBytes != 0 {
			t.Errorf("after all was delivered: %d messages of %d bytes are held, want none", got.Held, got.HeldBytes)
		}
		if got := len(h.Top.Received()); got != 301 {
			t.Errorf("%d messages were delivered, want 301", got)
		}
	})
}

// One sender leaves room for the messages of others.
func TestOrderSendersLeaveRoom(t *testing.T) {
	o := &Order{MaxBytes: 64 << 10}
	h := newOrder(t, o)
	for nr := uint32(2); nr < 102 && o.Stats().HeldBytes < 63<<10; nr++ {
		if err := h.Arrive(peer, numbered(strings.Repeat("x", 700), nr), 0); err != nil {
			t.Fatal(err)
		}
	}
	h.Top.Reset()
	large := strings.Repeat("y", 4000)
	for _, nr := range []uint32{3, 2, 1} {
		if err := h.Arrive(interceptortest.Member(3), numbered(large+fmt.Sprint(nr), nr), 0); err != nil {
			t.Fatal(err)
		}
	}
	expectDelivered(t, h, large+"1 "+large+"2 "+large+"3")
}

func TestOrderOverflowInDropMode(t *testing.T) {
	o := &Order{DropExpired: true, MaxQueue: 1}
	h := newOrder(t, o)
	come(t, h, peer, 1, 3)
	if err := h.Arrive(peer, numbered("5", 5), 0); !errors.Is(err, errTooLate) {
		t.Errorf("Receive of one message too many = %v, want %v", err, errTooLate)
	}
	come(t, h, peer, 6)
	expectDelivered(t, h, "1 6")
	expectStats(t, o, OrderStats{InOrder: 2, Early: 1, Overflows: 1, Dropped: 2, Gaps: 2, Missing: 2, Senders: 1})
}

// What waits when the channel stops is delivered, because its senders were told
// that all is well, and nothing waits any more.
func TestOrderDeliversWhatWaitsAtTheStop(t *testing.T) {
	for _, drop := range []bool{false, true} {
		bubble.Test(t, func(t *testing.T) {
			o := &Order{DropExpired: drop}
			h := newOrder(t, o)
			come(t, h, peer, 1, 5, 3)
			come(t, h, interceptortest.Member(3), 7, 6)
			begin := time.Now()
			o.drain(context.Background())
			if d := time.Since(begin); d != 0 {
				t.Errorf("the drain took %v, want no time", d)
			}
			got := strings.Fields(delivered(h))
			slices.Sort(got)
			if d := cmp.Diff([]string{"1", "3", "5", "6", "7"}, got); d != "" {
				t.Errorf("delivered at the stop (-want +got):\n%s", d)
			}
			h.Top.Reset()
			come(t, h, peer, 9, 11)
			expectDelivered(t, h, "9 11")
		})
	}
}

func TestOrderDrainEndsWithItsContext(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		o := new(Order)
		h := newOrder(t, o)
		g := newGate(h, "2")
		come(t, h, peer, 2)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		begin := time.Now()
		o.drain(ctx)
		if d := time.Since(begin); d != time.Second {
			t.Errorf("the drain took %v, want what its context gives it", d)
		}
		close(g.open)
	})
}

func TestOrderAfterAMemberWasGone(t *testing.T) {
	for _, kind := range []membership.Kind{membership.Left, membership.Failed} {
		bubble.Test(t, func(t *testing.T) {
			h := newOrder(t, new(Order))
			h.Join(peer)
			come(t, h, peer, 1, 2, 4)
			h.Part(kind, peer)
			h.Flush()
			expectDelivered(t, h, "1 2")
			time.Sleep(500 * time.Millisecond)
			expectDelivered(t, h, "1 2 4")
			h.Join(peer)
			h.Flush()
			come(t, h, peer, 5)    // it has noticed nothing
			come(t, h, peer, 1, 2) // or it has
			expectDelivered(t, h, "1 2 4 5 1 2")
		})
	}
}

// A new process on the address of an old one is another sender.
func TestOrderRestartedProcessIsAnotherSender(t *testing.T) {
	addr := netip.MustParseAddrPort("10.0.0.2:4000")
	h := newOrder(t, new(Order))
	come(t, h, interceptortest.MemberAt(addr, 2), 1, 2, 3)
	come(t, h, interceptortest.MemberAt(addr, 3), 2, 1)
	expectDelivered(t, h, "1 2 3 1 2")
}

// Identities that nobody knows do not drive out those of members, and take
// bounded memory.
func TestOrderForgetsSendersThatAreNoMembers(t *testing.T) {
	o := new(Order)
	h := newOrder(t, o)
	h.Join(peer)
	h.Flush()
	come(t, h, peer, 1, 2)
	for n := range maxSources + 100 {
		come(t, h, interceptortest.Member(n+10), 1)
	}
	if got := o.Stats().Senders; got > maxSources {
		t.Errorf("%d senders are remembered, want at most %d", got, maxSources)
	}
	h.Top.Reset()
	come(t, h, peer, 4, 3)
	expectDelivered(t, h, "3 4")
}

// Nor do those of which messages wait, once that is over.
func TestOrderForgetsSendersOfWhichMessagesWaited(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		o := new(Order)
		h := newOrder(t, o)
		for n := range 3 * maxSources {
			come(t, h, interceptortest.Member(n+10), 2)
		}
		time.Sleep(2 * defaultExpire) // virtual
		synctest.Wait()
		come(t, h, peer, 1)
		if s := o.Stats(); s.Held != 0 || s.Senders > maxSources {
			t.Errorf("%d messages wait and %d senders are remembered, want none and at most %d", s.Held, s.Senders, maxSources)
		}
	})
}

func TestOrderPassesWhatHasNoFlag(t *testing.T) {
	h := newOrder(t, &Order{OptionFlag: 0x3000})
	for _, o := range []message.Options{0, 0x1000, 0x2000} {
		if err := h.Arrive(peer, []byte("ab"), o); err != nil {
			t.Errorf("Receive with options %s = %v, want nil", o, err)
		}
	}
	if err := h.Arrive(peer, numbered("cd", 1), 0x3000); err != nil {
		t.Error(err)
	}
	expectDelivered(t, h, "ab ab ab cd")
}
