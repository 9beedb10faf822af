package nio

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

// newBareConn makes a connection without a socket.
func newBareConn(t *testing.T, b *bareRx) (*rxConn, *bareSocket) {
	t.Helper()
	c := newRxConn(b.Receiver, netip.AddrPort{})
	s := &bareSocket{c: c}
	c.sock, c.mayDeliver = s, true
	if _, ok := b.enter(c); !ok {
		t.Fatal("the connection was refused")
	}
	return c, s
}

// once makes a read function that gives b.
func once(b string) func([]byte) (int, error) {
	return func(room []byte) (int, error) { return copy(room, b), nil }
}

// TestConnEndedLeavesReserve ends a connection in the middle of the frame for
// which it has the reserve, while a message before it is not delivered yet: the
// next one may use the reserve at once, however long the listener takes.
func TestConnEndedLeavesReserve(t *testing.T) {
	b := newBareRx(t, ReceiverConfig{})
	b.budget = &rxBudget{share: rxSmall, reserve: 1 << 20}
	f := newFrames(t)
	large := f.frame(optNone, strings.Repeat("x", 10*rxSmall))
	fill := func(stream string) (c *rxConn) { // reads until it waits
		c, _ = newBareConn(t, b)
		read := func(room []byte) (int, error) {
			n := copy(room, stream)
			if stream = stream[n:]; n == 0 {
				return 0, errWouldBlock
			}
			return n, nil
		}
		for c.hold.Load() == 0 && stream != "" {
			c.fill(read)
		}
		return c
	}
	first := fill(f.frame(optNone, "a") + large[:3*rxSmall])
	next := fill(large)
	if !first.ledger.holder || next.hold.Load() != holdMemory {
		t.Fatalf("the first has the reserve: %t, the next is held for %b; want true, %b", first.ledger.holder, next.hold.Load(), holdMemory)
	}
	first.endRead()
	if first.finished {
		t.Fatal("a connection has finished before its message was delivered")
	}
	if next.hold.Load() != 0 {
		t.Error("the next one still waits for memory")
	}
	first.here = false
	first.drain()
	next.closed()
	wantEmpty(t, b.budget, map[*rxLedger]int{&first.ledger: 0, &next.ledger: 0})
}

// TestConnStalledWrite has answers that the socket does not take: the connection
// is not read until it does, and no byte is lost.
func TestConnStalledWrite(t *testing.T) {
	b := newBareRx(t, ReceiverConfig{})
	c, s := newBareConn(t, b)
	f := newFrames(t)
	s.writes = 1 // the next one stalls
	if got := c.fill(once(f.frame(optAck, "a"))); got != readNot {
		t.Errorf("fill with a stalled answer = %v, want %v", got, readNot)
	}
	c.here = false
	c.drain()
	if got := c.fill(once("")); got != readNot {
		t.Errorf("fill after a stalled answer = %v, want %v", got, readNot)
	}
	if !s.stalled || string(s.written) != ackPlainOK[:1] {
		t.Fatalf("written %q, stalled %v, want one byte", s.written, s.stalled)
	}
	s.unstall()
	if string(s.written) != ackPlainOK {
		t.Errorf("written %q, want %q", s.written, ackPlainOK)
	}
	if got := c.fill(once(f.frame(optNone, "b"))); got != readOn {
		t.Errorf("fill after the answer has left = %v, want %v", got, readOn)
	}
	c.drain()
	c.closed()
	if !c.finished {
		t.Error("the connection has not ended")
	}
}

// TestConnClosedWhileStalled closes a connection with an answer half written.
func TestConnClosedWhileStalled(t *testing.T) {
	b := newBareRx(t, ReceiverConfig{})
	c, s := newBareConn(t, b)
	s.writes = 1
	c.fill(once(newFrames(t).frame(optAck, "a")))
	c.drain()
	c.closed()
	if !c.finished {
		t.Error("the connection has not ended")
	}
	if got := c.fill(once("x")); got != readEnd {
		t.Errorf("fill after the end = %v, want %v", got, readEnd)
	}
}

// TestConnHeldIsNotOverdue has a frame that has begun on a connection that is
// not read for a long time: that is not its sender's fault.
func TestConnHeldIsNotOverdue(t *testing.T) {
	b := newBareRx(t, ReceiverConfig{})
	c, _ := newBareConn(t, b)
	whole := newFrames(t).frame(optNone, strings.Repeat("x", 1000))
	c.fill(once(whole + whole[:500]))
	c.drain()
	limit := int64(b.cfg.Limits.PartialTimeout)
	c.check(1)
	c.hold.Store(holdInbox)
	for now := limit / 2; now < 5*limit; now += limit / 2 {
		c.check(now)
	}
	c.hold.Store(0)
	c.check(5 * limit)
	if n := len(b.Stats().Rejected); n != 0 {
		t.Errorf("rejected: %v", b.Stats().Rejected)
	}
	c.closed()
}

// TestConnResetWhileNotRead has frames that waited until their sender reset the
// connection, for a process that did not run: acked ones are not delivered.
func TestConnResetWhileNotRead(t *testing.T) {
	b := newBareRx(t, ReceiverConfig{})
	c, s := newBareConn(t, b)
	f := newFrames(t)
	c.fill(once(f.frame(optSync, "in time")))
	c.drain()
	s.wasReset = true
	b.epoch = b.epoch.Add(-time.Duration(longWait)) // as much time passes
	c.fill(once(f.frame(optSync, "given up") + f.frame(optAck, "given up") + f.frame(optNone, "without ack")))
	c.drain()
	if want := []string{"in time", "without ack"}; !slices.Equal(b.delivered, want) {
		t.Errorf("delivered %q, want %q", b.delivered, want)
	}
	if got := string(s.written); got != ackPlainOK {
		t.Errorf("answers %q, want that of the first frame", got)
	}
	c.closed()
}
