package nio

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/gotribes/tribes/message"
)

// TestReceiverDuplicates sends messages again, as senders do that got no answer.
func TestReceiverDuplicates(t *testing.T) {
	eachPoller(t, func(t *testing.T, p Poller) {
		g := newRx(t, ReceiverConfig{Poller: p}, func(_ context.Context, m *message.Message) error {
			if string(m.Payload()) == "bad" {
				return errors.New("no good")
			}
			return nil
		})
		a, b, f := g.dial(), g.dial(), newFrames(t)
		good, bad := f.frame(optSync, "good"), f.frame(optSyncNum, "bad")
		arrival, bare := f.frame(optAck, "arrival"), f.frame(optNone, "bare")
		a.put(good)
		a.want(ackPlainOK)
		a.put(bad)
		a.want(numberedAck(2, refusalOf(2, "no good")))
		a.put(arrival)
		a.want(ackPlainOK)
		b.put(good)
		b.want(ackPlainOK)
		b.put(bad)
		b.want(numberedAck(2, refusalOf(2, "no good")))
		b.put(arrival, bare, bare)
		b.want(ackPlainOK)
		a.put(good)
		a.want(ackPlainOK)
		g.wantDelivered("good", "bad", "arrival", "bare", "bare")
		g.until("duplicates", func() bool { return g.duplicates == 4 })
		if n := g.r.Stats().Duplicates; n != 4 {
			t.Errorf("%d duplicates counted, want 4", n)
		}
	})
}

// TestReceiverDuplicateWaits repeats a message by another connection while it is
// still being delivered.
func TestReceiverDuplicateWaits(t *testing.T) {
	eachPoller(t, func(t *testing.T, p Poller) {
		w := newRxGate()
		g := newRx(t, ReceiverConfig{Poller: p}, w.receive)
		a, b, f := g.dial(), g.dial(), newFrames(t)
		frame := f.frame(optSync, "x")
		a.put(frame)
		w.wantEntered(t, "x")
		b.put(frame)
		g.until("the duplicate", func() bool { return g.duplicates == 1 })
		w.leave <- errors.New("no")
		a.want(ackPlainBad)
		b.want(ackPlainBad)
		g.wantDelivered("x")
	})
}

// TestReceiverDuplicateAfterReset has a sender that gives up a connection and
// sends all that was not answered by another: nothing is lost or doubled.
func TestReceiverDuplicateAfterReset(t *testing.T) {
	eachPoller(t, func(t *testing.T, p Poller) {
		w := newRxGate()
		g := newRx(t, ReceiverConfig{Poller: p}, w.receive)
		a, f := g.dial(), newFrames(t)
		all := []string{f.frame(optSync, "1"), f.frame(optSync, "2"), f.frame(optSync, "3")}
		a.put(all...)
		w.wantEntered(t, "1")
		conn := g.conn()
		a.reset()
		conn.untilReset()
		b := g.dial()
		b.put(all...)
		g.until("the duplicate", func() bool { return g.duplicates == 1 })
		close(w.open)
		b.want(ackPlainOK, ackPlainOK, ackPlainOK)
		g.wantDelivered("1", "2", "3")
	})
}

// TestReceiverDuplicatesOff delivers whatever comes.
func TestReceiverDuplicatesOff(t *testing.T) {
	g := newRx(t, ReceiverConfig{Duplicates: DuplicateMemory{Window: -1}}, nil)
	c, f := g.dial(), newFrames(t)
	frame := f.frame(optSync, "x")
	c.put(frame, frame)
	c.want(ackPlainOK, ackPlainOK)
	g.wantDelivered("x", "x")
}

// TestReceiverFragments has messages that share an id and differ at the end, as
// fragments do.
func TestReceiverFragments(t *testing.T) {
	g := newRx(t, ReceiverConfig{}, nil)
	c, f := g.dial(), newFrames(t)
	id := message.NewID()
	var want []string
	for _, size := range []int{10, 100 << 10} {
		for _, end := range []string{"a", "b", "c"} {
			part := strings.Repeat("x", size) + end
			c.put(f.frameID(id, optSync, part))
			c.want(ackPlainOK)
			want = append(want, part)
		}
	}
	g.wantDelivered(want...)
}
