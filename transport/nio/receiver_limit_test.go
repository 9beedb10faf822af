package nio

import (
	"context"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gotribes/tribes/message"
)

// shut reports whether the other end closes c without a word.
func (p *rxPeer) shut() bool {
	p.until(waiting)
	b, err := io.ReadAll(p)
	return len(b) == 0 && !isTimeout(err)
}

func TestReceiverConnCaps(t *testing.T) {
	tests := []struct {
		name   string
		limits ReceiverLimits
		reason string
	}{
		{"in total", ReceiverLimits{MaxConns: 3}, reasonConns},
		{"from one source", ReceiverLimits{MaxConnsPerSource: 3}, reasonPerSource},
	}
	eachPoller(t, func(t *testing.T, p Poller) {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				g := newRx(t, ReceiverConfig{Poller: p, Limits: tt.limits}, nil)
				f := newFrames(t)
				var good []*rxPeer
				for range 3 {
					c := g.dial()
					c.put(f.frame(optSync, "x"))
					c.want(ackPlainOK)
					good = append(good, c)
				}
				for range 5 {
					if !g.dial().shut() {
						t.Fatal("a connection too many was kept")
					}
				}
				s := g.r.Stats()
				if s.Conns != 3 || s.Accepted != 3 || s.Rejected[tt.reason] != 5 {
					t.Errorf("%d connections, %d accepted, %d rejected, want 3, 3, 5", s.Conns, s.Accepted, s.Rejected[tt.reason])
				}
				good[0].Close()
				g.poll("the end of a connection", func() bool { return g.r.Stats().Conns == 2 })
				c := g.dial()
				c.put(f.frame(optSync, "x"))
				c.want(ackPlainOK)
			})
		}
	})
}

// TestReceiverConnCapsOff has no caps at all.
func TestReceiverConnCapsOff(t *testing.T) {
	g := newRx(t, ReceiverConfig{Limits: ReceiverLimits{MaxConns: -1, MaxConnsPerSource: -1, MaxBytes: -1}}, nil)
	f := newFrames(t)
	for range 50 {
		c := g.dial()
		c.put(f.frame(optSync, "x"))
		c.want(ackPlainOK)
	}
}

func TestReceiverTimeouts(t *testing.T) {
	f := newFrames(t)
	whole := f.frame(optNone, strings.Repeat("x", 1000))
	limits := ReceiverLimits{FirstFrameTimeout: 200 * time.Millisecond, PartialTimeout: 400 * time.Millisecond}
	tests := []struct {
		name   string
		put    []string // written 20 ms apart, the last again and again
		reason string
	}{
		{"silent", nil, reasonFirstFrame},
		{"a byte now and then", []string{"F", "L", "T", "2", "0", "0", "2", "\x00"}, reasonFirstFrame},
		{"header and nothing more", []string{whole[:11]}, reasonFirstFrame},
		{"slow second frame", []string{whole, whole[:30], "\x00"}, reasonPartial},
		{"second frame stops", []string{whole + whole[:500]}, reasonPartial},
	}
	eachPoller(t, func(t *testing.T, p Poller) {
		t.Parallel()
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				t.Parallel()
				g := newRx(t, ReceiverConfig{Poller: p, Limits: limits}, nil)
				begin := time.Now()
				c := g.dial()
				go drip(c, tt.put)
				if !c.shut() {
					t.Fatal("the connection was not closed")
				}
				limit := limits.FirstFrameTimeout
				if tt.reason == reasonPartial {
					limit = limits.PartialTimeout
				}
				if took := time.Since(begin); took < limit {
					t.Errorf("closed after %v, want at least %v", took, limit)
				}
				g.wantRejected(tt.reason)
			})
		}
	})
}

// drip writes until the connection is closed, if there are several parts.
func drip(c net.Conn, parts []string) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for i := 0; i < len(parts) || len(parts) > 1; i++ {
		if _, err := io.WriteString(c, parts[min(i, len(parts)-1)]); err != nil {
			return
		}
		<-tick.C
	}
}

// TestReceiverIdle leaves connections alone that have brought a frame.
func TestReceiverIdle(t *testing.T) {
	eachPoller(t, func(t *testing.T, p Poller) {
		limits := ReceiverLimits{FirstFrameTimeout: 50 * time.Millisecond, PartialTimeout: 50 * time.Millisecond}
		g := newRx(t, ReceiverConfig{Poller: p, Limits: limits}, nil)
		c, f := g.dial(), newFrames(t)
		c.put(f.frame(optSync, "x"))
		c.want(ackPlainOK)
		if !g.dial().shut() { // this one has brought none: many periods have passed when it ends
			t.Fatal("a silent connection was kept")
		}
		c.put(f.frame(optSync, "y"))
		c.want(ackPlainOK)
	})
}

// TestReceiverSlowButSteady sends a large frame slowly, with enough progress. A
// part comes 25 times in each limit, so that a busy machine may be late.
func TestReceiverSlowButSteady(t *testing.T) {
	eachPoller(t, func(t *testing.T, p Poller) {
		t.Parallel()
		limits := ReceiverLimits{FirstFrameTimeout: time.Second, PartialTimeout: time.Second}
		g := newRx(t, ReceiverConfig{Poller: p, Limits: limits}, nil)
		c := g.dial()
		frame := newFrames(t).frame(optSync, strings.Repeat("x", 50*leastProgress))
		tick := time.NewTicker(40 * time.Millisecond)
		defer tick.Stop()
		for len(frame) > 0 {
			n := min(len(frame), leastProgress)
			c.put(frame[:n])
			frame = frame[n:]
			<-tick.C
		}
		c.want(ackPlainOK)
	})
}

// TestReceiverFullInbox has a listener that blocks: its connection is not read
// any more, so that its sender feels it, and goes on when it can.
func TestReceiverFullInbox(t *testing.T) {
	eachPoller(t, func(t *testing.T, p Poller) {
		w := newRxGate()
		const inbox, messages, size = 64 << 10, 2000, 4 << 10
		g := newRx(t, ReceiverConfig{Poller: p, InboxBytes: inbox}, w.receive)
		c, f := g.dial(), newFrames(t)
		done := make(chan struct{})
		go func() { // ends when all is written, which opening the gate brings about
			defer close(done)
			for range messages {
				io.WriteString(c, f.frame(optNone, strings.Repeat("x", size)))
			}
		}()
		g.conn().untilHeld(holdInbox)
		if n := g.conn().queued.Load(); n < inbox || n > inbox+2*rxLarge {
			t.Errorf("%d bytes in the inbox of a connection that is not read, want about %d", n, inbox)
		}
		if n := g.r.Stats().Held; n > inbox+3*rxLarge {
			t.Errorf("%d bytes held, want about %d", n, inbox)
		}
		go func() { // ends after all messages
			for range messages {
				<-w.entered
			}
		}()
		close(w.open)
		<-done
		g.until("all messages", func() bool { return len(g.delivered) == messages })
	})
}

// heapInUse is the size of what is reachable now.
func heapInUse() int64 {
	runtime.GC()
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return int64(s.HeapAlloc)
}

// TestReceiverMemoryFlood has many connections that send as much as they can to
// listeners that block: the memory stays within its bound, and a connection
// that comes later is served.
func TestReceiverMemoryFlood(t *testing.T) {
	const conns, maxBytes, maxFrame = 60, 16 << 20, 1 << 20
	eachPoller(t, func(t *testing.T, p Poller) {
		f := newFrames(t)
		frame := []byte(f.frame(optNone, strings.Repeat("x", 200<<10)))
		w := newRxGate()
		before := heapInUse()
		g := newRx(t, ReceiverConfig{Poller: p, MaxFrame: maxFrame, Limits: ReceiverLimits{MaxBytes: maxBytes, MaxConns: 128}},
			func(ctx context.Context, m *message.Message) error {
				if m.Len() > 1 {
					<-w.open
				}
				return nil
			})
		g.forgetful.Store(true)
		var flood sync.WaitGroup
		for range conns {
			c := g.dial()
			flood.Go(func() { // ends when the connection is closed
				for {
					if _, err := c.Write(frame); err != nil {
						return
					}
				}
			})
		}
		held := int64(0)
		g.poll("all connections to wait", func() bool {
			waits := 0
			held = max(held, g.r.Stats().Held)
			for _, c := range g.r.connections() {
				if c.hold.Load() != 0 {
					waits++
				}
			}
			return waits == conns
		})
		if held > maxBytes {
			t.Errorf("%d bytes held, want at most %d", held, maxBytes)
		}
		if grown := heapInUse() - before; grown > maxBytes+4<<20 {
			t.Errorf("the heap has grown by %d bytes, want at most %d", grown, maxBytes+4<<20)
		}
		late := g.dial()
		for range 100 {
			late.put(f.frame(optSync, "x"))
			late.want(ackPlainOK)
		}
		close(w.open)
		for range 100 {
			late.put(f.frame(optSync, "x"))
			late.want(ackPlainOK)
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		g.r.Stop(ctx)
		flood.Wait()
	})
}

// TestReceiverPartialFlood has many connections that each bring most of a large
// frame, more than fits: one after the other gets through.
func TestReceiverPartialFlood(t *testing.T) {
	const conns, maxFrame = 12, 1 << 20
	eachPoller(t, func(t *testing.T, p Poller) {
		g := newRx(t, ReceiverConfig{Poller: p, MaxFrame: maxFrame, Limits: ReceiverLimits{MaxBytes: 2 * maxFrame, MaxConns: 64}}, nil)
		var all sync.WaitGroup
		for range conns {
			c, f := g.dial(), newFrames(t)
			frame := f.frame(optSync, strings.Repeat("x", 900<<10))
			all.Go(func() { // ends after one frame and its answer
				if _, err := io.WriteString(c, frame); err != nil {
					t.Errorf("write: %v", err)
				}
				b := make([]byte, len(ackPlainOK))
				c.until(waiting)
				if _, err := io.ReadFull(c, b); err != nil || string(b) != ackPlainOK {
					t.Errorf("answer %q, %v", b, err)
				}
			})
		}
		all.Wait()
	})
}

// TestReceiverAnnouncedLengths has connections that announce the largest frame
// and bring little of it.
func TestReceiverAnnouncedLengths(t *testing.T) {
	const conns = 100
	eachPoller(t, func(t *testing.T, p Poller) {
		g := newRx(t, ReceiverConfig{Poller: p}, nil)
		frame := newFrames(t).frame(optNone, "")
		head := frame[:7] + "\x03\xff\xff\x00" + frame[11:20]
		before := heapInUse()
		for range conns {
			g.dial().put(head)
		}
		g.poll("all to arrive", func() bool {
			n := 0
			for _, c := range g.r.connections() {
				if c.watch.bytes.Load() == uint64(len(head)) {
					n++
				}
			}
			return n == conns
		})
		if grown := heapInUse() - before; grown > conns*64<<10 {
			t.Errorf("the heap has grown by %d bytes for %d announced frames of 64 MiB", grown, conns)
		}
	})
}

// TestReceiverIdleMemory has a thousand connections that were used and are
// silent.
func TestReceiverIdleMemory(t *testing.T) {
	const conns = 1000
	eachPoller(t, func(t *testing.T, p Poller) {
		var before runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		often := ReceiverLimits{WriteTimeout: 400 * time.Millisecond} // connections are looked at four times in it
		g := newRx(t, ReceiverConfig{Poller: p, Limits: often}, nil)
		f := newFrames(t)
		var all []net.Conn
		for range conns {
			c, err := net.Dial("tcp", g.addr())
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, c)
			(&rxPeer{g, c}).put(f.frame(optNone, strings.Repeat("x", 10<<10)))
		}
		g.until("all messages", func() bool { return len(g.delivered) == conns })
		keeps := map[Poller]int64{PollerRuntime: conns * rxSmall, PollerEpoll: 0}
		g.poll("the memory to be given back", func() bool { return g.r.Stats().Held <= keeps[p] })
		g.mu.Lock()
		g.delivered = nil
		g.mu.Unlock()
		runtime.GC()
		runtime.GC()
		var after runtime.MemStats
		runtime.ReadMemStats(&after)
		heap, stacks := int64(after.HeapInuse-before.HeapInuse), int64(after.StackInuse-before.StackInuse)
		t.Logf("%v: %d KiB of heap and %d KiB of stacks for %d connections, their other ends included", p, heap>>10, stacks>>10, conns)
		if heap+stacks > 20<<20 {
			t.Errorf("%d bytes of heap and %d of stacks for %d silent connections, want less than 20 MiB", heap, stacks, conns)
		}
		for _, c := range all {
			c.Close()
		}
	})
}
