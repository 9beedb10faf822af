package nio

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gotribes/tribes/message"
)

// rxGate is a listener whose deliveries the test ends one by one.
type rxGate struct {
	entered chan string   // payloads, as deliveries begin
	leave   chan error    // what a delivery returns
	open    chan struct{} // closed: deliveries return at once
}

func newRxGate() *rxGate {
	return &rxGate{make(chan string, 1000), make(chan error), make(chan struct{})}
}

func (w *rxGate) receive(_ context.Context, m *message.Message) error {
	w.entered <- string(m.Payload())
	select {
	case err := <-w.leave:
		return err
	case <-w.open:
		return nil
	}
}

// wantEntered waits for the next delivery.
func (w *rxGate) wantEntered(t *testing.T, payload string) {
	t.Helper()
	select {
	case got := <-w.entered:
		if got != payload {
			t.Fatalf("delivery of %q, want %q", got, payload)
		}
	case <-time.After(waiting):
		t.Fatalf("waited %v for the delivery of %q", waiting, payload)
	}
}

func TestReceiverAckOrder(t *testing.T) {
	refusal := errors.New("no")
	tests := []struct {
		name   string
		frames []message.Options
		leave  []error  // of the frames, in order
		before []string // answers that come while the first delivery runs
		after  []string // answers after each delivery has ended
	}{
		{"no answer", []message.Options{optNone, message.SyncAck}, []error{nil, refusal}, nil, []string{"", ""}},
		{"plain on arrival", []message.Options{optAck, optAck}, []error{refusal, nil}, []string{ackPlainOK, ackPlainOK}, []string{"", ""}},
		{"plain after delivery", []message.Options{optSync, optSync}, []error{nil, refusal}, nil, []string{ackPlainOK, ackPlainBad}},
		{"plain on arrival waits", []message.Options{optSync, optAck}, []error{refusal, nil}, nil, []string{ackPlainBad + ackPlainOK, ""}},
		{"plain around a sync", []message.Options{optAck, optSync, optAck}, []error{nil, nil, nil}, []string{ackPlainOK}, []string{"", ackPlainOK + ackPlainOK, ""}},
		{"numbered on arrival", []message.Options{optAckNum, optAckNum}, []error{nil, refusal}, []string{numberedAck(2)}, []string{"", ""}},
		{"numbered after delivery", []message.Options{optSyncNum, optSyncNum}, []error{nil, refusal}, nil, []string{numberedAck(1), numberedAck(2, refusalOf(2, "no"))}},
		{"numbered on arrival overtakes", []message.Options{optSyncNum, optAckNum}, []error{nil, nil}, []string{numberedAck(0, ackOf(2))}, []string{numberedAck(2), ""}},
		{"plain behind numbered", []message.Options{optSyncNum, optAck, optAckNum}, []error{nil, nil, nil}, []string{numberedAck(0, ackOf(3))}, []string{numberedAck(1) + ackPlainOK, "", ""}},
		{"numbered without a wish", []message.Options{message.NumberedAcks, optAckNum}, []error{nil, nil}, []string{numberedAck(1)}, []string{"", ""}},
	}
	eachPoller(t, func(t *testing.T, p Poller) {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				w := newRxGate()
				g := newRx(t, ReceiverConfig{Poller: p}, w.receive)
				c, f := g.dial(), newFrames(t)
				var all strings.Builder
				for i, o := range tt.frames {
					all.WriteString(f.frame(o, fmt.Sprint(i)))
				}
				c.put(all.String())
				w.wantEntered(t, "0")
				c.want(tt.before...)
				for i, err := range tt.leave {
					if i > 0 {
						w.wantEntered(t, fmt.Sprint(i))
					}
					w.leave <- err
					c.want(tt.after[i])
				}
				close(w.open)
				c.closeWrite()
				c.wantClosed() // nothing else was written
			})
		}
	})
}

// TestReceiverSlowListenerHoldsNoAcks has a batch of which one delivery blocks:
// what was done before it is answered all the same.
func TestReceiverSlowListenerHoldsNoAcks(t *testing.T) {
	eachPoller(t, func(t *testing.T, p Poller) {
		w := newRxGate()
		g := newRx(t, ReceiverConfig{Poller: p}, func(ctx context.Context, m *message.Message) error {
			if string(m.Payload()) == "slow" {
				return w.receive(ctx, m)
			}
			return nil
		})
		c, f := g.dial(), newFrames(t)
		c.put(f.frame(optSyncNum, "a"), f.frame(optSyncNum, "b"), f.frame(optSyncNum, "slow"), f.frame(optSyncNum, "c"))
		w.wantEntered(t, "slow")
		c.want(numberedAck(2))
		close(w.open)
		c.want(numberedAck(4))
	})
}

// TestReceiverReadsDuringDelivery has a delivery that blocks: what comes
// meanwhile is read and answered on arrival, and many times over.
func TestReceiverReadsDuringDelivery(t *testing.T) {
	eachPoller(t, func(t *testing.T, p Poller) {
		w := newRxGate()
		g := newRx(t, ReceiverConfig{Poller: p}, w.receive)
		c, f := g.dial(), newFrames(t)
		for round := range uint64(3 * elsewhereRuns / 2) {
			c.put(f.frame(optSyncNum, "blocks"))
			w.wantEntered(t, "blocks")
			c.put(f.frame(optAckNum, "next"))
			c.want(numberedAck(2*round, ackOf(2*round+2)))
			w.leave <- nil
			c.want(numberedAck(2*round + 2))
			w.wantEntered(t, "next")
			w.leave <- nil
		}
	})
}

// TestReceiverBlockedListenerStopsNobodyElse has a connection whose listener
// blocks and others that go on, with one worker each.
func TestReceiverBlockedListenerStopsNobodyElse(t *testing.T) {
	eachPoller(t, func(t *testing.T, p Poller) {
		w := newRxGate()
		g := newRx(t, ReceiverConfig{Poller: p}, func(ctx context.Context, m *message.Message) error {
			if string(m.Payload()) == "blocks" {
				return w.receive(ctx, m)
			}
			return nil
		})
		f := newFrames(t)
		g.dial().put(f.frame(optSync, "blocks"))
		w.wantEntered(t, "blocks")
		for range 3 {
			c := g.dial()
			for range 10 {
				c.put(f.frame(optSync, "x"))
				c.want(ackPlainOK)
			}
		}
		close(w.open)
	})
}

// TestReceiverWorkers has two workers: two listeners that block hold them, and
// each connection has its turn when they are free.
func TestReceiverWorkers(t *testing.T) {
	eachPoller(t, func(t *testing.T, p Poller) {
		w := newRxGate()
		g := newRx(t, ReceiverConfig{Poller: p, Workers: 2}, w.receive)
		f := newFrames(t)
		var all []*rxPeer
		for range 4 {
			c := g.dial()
			c.put(f.frame(optSync, "x"), f.frame(optSync, "x"))
			all = append(all, c)
		}
		w.wantEntered(t, "x")
		w.wantEntered(t, "x")
		g.until("two deliveries", func() bool { return len(g.delivered) == 2 })
		if n := len(w.entered); n != 0 {
			t.Errorf("%d deliveries beyond the two workers", n)
		}
		close(w.open)
		for _, c := range all {
			c.want(ackPlainOK, ackPlainOK)
		}
	})
}

// TestReceiverWorkersTakeTurns has one worker and a connection that always has
// more: another one that waits is served in between.
func TestReceiverWorkersTakeTurns(t *testing.T) {
	eachPoller(t, func(t *testing.T, p Poller) {
		w := newRxGate()
		g := newRx(t, ReceiverConfig{Poller: p, Workers: 1}, w.receive)
		a, b, f := g.dial(), g.dial(), newFrames(t)
		a.put(f.frame(optNone, "a1"))
		w.wantEntered(t, "a1")
		a.put(f.frame(optNone, "a2"))
		g.poll("a2", func() bool { return g.r.Stats().Frames == 2 })
		b.put(f.frame(optNone, "b"))
		g.poll("b", func() bool { return g.r.Stats().Frames == 3 })
		close(w.open)
		g.wantDelivered("a1", "b", "a2")
	})
}

// TestReceiverAnswersNotRead has a sender that never reads its answers: it is cut
// off after WriteTimeout, and others are answered all the while.
func TestReceiverAnswersNotRead(t *testing.T) {
	eachPoller(t, func(t *testing.T, p Poller) {
		g := newRx(t, ReceiverConfig{Poller: p, Socket: SocketOptions{WriteBuffer: 4 << 10},
			Limits: ReceiverLimits{WriteTimeout: 300 * time.Millisecond}}, nil)
		f, begin := newFrames(t), time.Now()
		deaf, good := g.dial(), g.dial()
		if err := deaf.Conn.(*net.TCPConn).SetReadBuffer(4 << 10); err != nil {
			t.Fatal(err)
		}
		var many strings.Builder
		for range 1000 {
			many.WriteString(f.frame(optAck, ""))
		}
		done := make(chan struct{})
		go func() { // ends when the connection is cut
			defer close(done)
			for {
				if _, err := io.WriteString(deaf, many.String()); err != nil {
					return
				}
			}
		}()
		for {
			select {
			case <-done:
			default:
				good.put(f.frame(optSync, "good"))
				good.want(ackPlainOK)
				continue
			}
			break
		}
		g.wantRejected(reasonWrite)
		if took := time.Since(begin); took >= defaultRxWrite {
			t.Errorf("it was cut off after %v, want 300ms and what a busy machine adds", took)
		}
	})
}

// TestReceiverAnswersReadLate has a sender that reads its answers only when it
// has sent all: none is lost, and they are in order.
func TestReceiverAnswersReadLate(t *testing.T) {
	eachPoller(t, func(t *testing.T, p Poller) {
		g := newRx(t, ReceiverConfig{Poller: p, Socket: SocketOptions{WriteBuffer: 4 << 10}}, func(_ context.Context, m *message.Message) error {
			if m.Len() == 1 {
				return errors.New("one")
			}
			return nil
		})
		c, f := g.dial(), newFrames(t)
		const rounds = 8000
		sent := make(chan struct{})
		go func() { // ends when all is written, which the reads below bring about
			defer close(sent)
			both := []string{f.frame(optSync, ""), f.frame(optSync, "1")}
			for i := range rounds {
				io.WriteString(c, both[0][:27]+fmt.Sprintf("%016d", i)+both[0][43:]+both[1][:27]+fmt.Sprintf("%016d", i)+both[1][43:])
			}
		}()
		select { // let the answers pile up first
		case <-sent:
		case <-time.After(200 * time.Millisecond):
		}
		for range rounds {
			c.want(ackPlainOK, ackPlainBad)
		}
		<-sent
	})
}

// TestReceiverEndOfStream has a sender that sends and leaves: everything is
// delivered, and answered if it still listens.
func TestReceiverEndOfStream(t *testing.T) {
	eachPoller(t, func(t *testing.T, p Poller) {
		w := newRxGate()
		g := newRx(t, ReceiverConfig{Poller: p}, w.receive)
		c, f := g.dial(), newFrames(t)
		c.put(f.frame(optSync, "a"), f.frame(optSync, "b"), f.frame(optNone, "c"))
		c.closeWrite()
		w.wantEntered(t, "a")
		close(w.open)
		c.want(ackPlainOK, ackPlainOK)
		c.wantClosed()
		g.wantDelivered("a", "b", "c")
	})
}

// TestReceiverReset has a sender that resets the connection while a delivery
// runs: acked messages behind it are not delivered, because their sender has
// given them up and knows; those that were answered are, and those without ack.
func TestReceiverReset(t *testing.T) {
	eachPoller(t, func(t *testing.T, p Poller) {
		w := newRxGate()
		g := newRx(t, ReceiverConfig{Poller: p}, w.receive)
		c, f := g.dial(), newFrames(t)
		c.put(f.frame(optSyncNum, "a"), f.frame(optSyncNum, "given up"), f.frame(optAckNum, "b"), f.frame(optNone, "c"))
		w.wantEntered(t, "a")
		c.want(numberedAck(0, ackOf(3)))
		c.reset()
		g.conn().untilReset()
		close(w.open)
		g.wantDelivered("a", "b", "c")
		if n := g.r.Stats().Dropped; n != 1 || !slices.Equal(g.dropped, []string{droppedByReset}) {
			t.Errorf("%d messages dropped, %q, want 1", n, g.dropped)
		}
	})
}

// TestReceiverResetWhilePaused resets a connection that is not being read because
// its inbox is full.
func TestReceiverResetWhilePaused(t *testing.T) {
	eachPoller(t, func(t *testing.T, p Poller) {
		w := newRxGate()
		g := newRx(t, ReceiverConfig{Poller: p, InboxBytes: 2 << 10, Limits: ReceiverLimits{WriteTimeout: 20 * time.Millisecond}}, w.receive)
		c, f := g.dial(), newFrames(t)
		c.put(f.frame(optSync, "a"))
		w.wantEntered(t, "a")
		for range 20 {
			c.put(f.frame(optSync, "given up"))
		}
		g.conn().untilHeld(holdInbox)
		c.reset()
		g.conn().untilReset()
		close(w.open)
		g.wantDelivered("a")
	})
}

// TestReceiverResetBeforeAccept has a connection that is reset before the
// receiver gets to accept it: what its sender has given up is not delivered.
func TestReceiverResetBeforeAccept(t *testing.T) {
	eachPoller(t, func(t *testing.T, p Poller) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		early, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		f := newFrames(t)
		c := &rxPeer{&rxRig{TB: t}, early}
		c.put(f.frame(optSync, "given up"), f.frame(optAckNum, "given up"))
		c.reset()
		g := newRx(t, ReceiverConfig{Listener: l, Poller: p}, nil)
		g.poll("the frames to be dropped", func() bool { return g.r.Stats().Dropped == 2 })
		g.dial().put(f.frame(optSync, "in time"))
		g.wantDelivered("in time")
	})
}

// TestReceiverPanic has deliveries that panic: they are refusals.
func TestReceiverPanic(t *testing.T) {
	eachPoller(t, func(t *testing.T, p Poller) {
		g := newRx(t, ReceiverConfig{Poller: p}, func(_ context.Context, m *message.Message) error {
			if string(m.Payload()) == "bad" {
				panic("at the application")
			}
			return nil
		})
		c, f := g.dial(), newFrames(t)
		c.put(f.frame(optSync, "bad"), f.frame(optSync, "good"), f.frame(optNone, "bad"), f.frame(optSync, "good"))
		c.want(ackPlainBad, ackPlainOK, ackPlainOK)
		if s := g.r.Stats(); s.Panics != 2 {
			t.Errorf("%d panics counted, want 2", s.Panics)
		}
		if log := g.logged(); strings.Count(log, "delivery panicked") != 1 || !strings.Contains(log, "at the application") {
			t.Errorf("log %q, want one line about the panic", log)
		}
	})
}
