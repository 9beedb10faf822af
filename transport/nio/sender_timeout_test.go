package nio

import (
	"context"
	"testing"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/message"
)

// took fails the test unless the time since begin is want.
func took(t *testing.T, begin time.Time, want time.Duration) {
	t.Helper()
	if got := time.Since(begin); got < want || got > want+10*time.Millisecond {
		t.Errorf("it took %v, want %v", got, want)
	}
}

func TestAckTimeout(t *testing.T) {
	for _, tt := range []struct {
		plain bool
		set   time.Duration
		want  time.Duration
	}{{false, 0, 5 * time.Second}, {true, 0, 5 * time.Second}, {false, 20 * time.Second, 20 * time.Second}, {true, time.Second, time.Second}} {
		bubble.Test(t, func(t *testing.T) {
			b := newBench(t, SenderConfig{Timeouts: SenderTimeouts{Ack: tt.set}})
			f := b.member()
			c := b.provenAs(f, tt.plain)
			begin := time.Now()
			s := b.send(message.UseAck, "x", f)
			c.want("x")
			s.want(message.Unknown, message.ErrTimeout)
			took(t, begin, tt.want)
			if !b.faulted(s.id) {
				t.Error("Fault was not called")
			}
			c.wantEnd()
			s = b.send(message.UseAck, "y", f)
			c = f.accept()
			c.want("y") // and not x again
			c.ack()
			s.want(message.Acknowledged, nil)
		})
	}
}

// TestAnswerBeforeTimeout has answers that take long, but not too long.
func TestAnswerBeforeTimeout(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBench(t, SenderConfig{})
		f := b.member()
		c := b.proven(f)
		for i := range 20 {
			s := b.send(message.Sync, "x", f)
			c.want("x")
			<-time.After(4900 * time.Millisecond)
			c.numbered(uint64(i + 2))
			s.want(message.Acknowledged, nil)
		}
		<-time.After(time.Hour) // the deadline of the last one must not close the link
		s := b.send(message.UseAck, "x", f)
		c.want("x")
		c.numbered(22)
		s.want(message.Acknowledged, nil)
	})
}

// TestTimeoutOfOne has two messages in flight when the time of the first is
// over: the second goes to a new connection and keeps its own time.
func TestTimeoutOfOne(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBench(t, SenderConfig{Retries: -1})
		f := b.member()
		c := b.proven(f)
		begin := time.Now()
		one := b.send(message.Sync, "one", f)
		c.want("one")
		<-time.After(time.Second)
		two, three := b.send(message.Sync, "two", f), b.send(message.Sync, "three", f)
		c.want("two")
		c.want("three")
		one.want(message.Unknown, message.ErrTimeout)
		took(t, begin, 5*time.Second)
		c.wantEnd()
		c = f.accept()
		c.want("two")
		c.numbered(1)
		two.want(message.Acknowledged, nil)
		c.want("three")
		three.want(message.Unknown, message.ErrTimeout)
		took(t, begin, 6*time.Second)
	})
}

// TestSilentMember accepts everything and never answers. Every message, also
// those that wait behind, has its outcome when the time is over.
func TestSilentMember(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBench(t, SenderConfig{})
		f := b.member()
		go func() { // ends with the test's connections
			for c := range f.conns {
				c.serveNothing()
			}
		}()
		begin := time.Now()
		var all []*sending
		for range 64 {
			all = append(all, b.send(message.UseAck, "x", f))
		}
		outcomes := make(map[message.Outcome]int)
		for _, s := range all {
			r := s.results()[0]
			outcomes[r.Outcome]++
		}
		took(t, begin, 5*time.Second)
		if outcomes[message.Unknown] != 1 || outcomes[message.NotSent] != 63 {
			t.Errorf("outcomes = %v, want 1 unknown and 63 not sent", outcomes)
		}
		late := b.send(message.UseAck, "late", f)
		late.want(message.Unknown, message.ErrTimeout)
		b.stop()
		close(f.conns)
	})
}

// serveNothing reads until the connection ends.
func (c *fakeConn) serveNothing() {
	for c.frame() != nil {
	}
}

// TestWriteTimeout has a member that never reads.
func TestWriteTimeout(t *testing.T) {
	for _, tt := range []struct {
		o    message.Options
		set  time.Duration
		want time.Duration
	}{{0, 0, 3 * time.Second}, {message.UseAck, 0, 3 * time.Second}, {0, 500 * time.Millisecond, 500 * time.Millisecond}, {message.UseAck, 20 * time.Second, 20 * time.Second}} {
		o := tt.o
		bubble.Test(t, func(t *testing.T) {
			b := newBench(t, SenderConfig{Timeouts: SenderTimeouts{Write: tt.set}})
			f := b.member()
			begin := time.Now()
			s := b.send(o, "x", f)
			f.accept()
			s.want(message.NotSent, message.ErrTimeout)
			took(t, begin, tt.want)
			if !b.faulted(s.id) {
				t.Error("Fault was not called")
			}
			s = b.send(o, "y", f)
			c := f.accept()
			c.want("y")
			if o != 0 {
				c.ack()
			}
			if r := s.results()[0]; !r.Outcome.OK() {
				t.Errorf("result = %+v, want a success", r)
			}
		})
	}
}

// TestSlowReader takes one byte a second: it makes progress, so that nothing
// times out before everything is written.
func TestSlowReader(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBench(t, SenderConfig{})
		f := b.member()
		begin := time.Now()
		s := b.send(message.UseAck, "x", f)
		c := f.accept()
		size := 0
		for s.pending() && size < 136 {
			<-time.After(2 * time.Second)
			n, err := c.Read(make([]byte, 1))
			if err != nil {
				t.Fatalf("after %d bytes: %v", size, err)
			}
			size += n
		}
		took(t, begin, 272*time.Second)
		s.want(message.Unknown, message.ErrTimeout)
		took(t, begin, 277*time.Second)
	})
}

func TestConnectTimeout(t *testing.T) {
	for set, want := range map[time.Duration]time.Duration{0: 3 * time.Second, 500 * time.Millisecond: 500 * time.Millisecond, 20 * time.Second: 20 * time.Second} {
		bubble.Test(t, func(t *testing.T) { connectTimeout(t, set, want) })
	}
}

func connectTimeout(t *testing.T, set, want time.Duration) {
	b := newBench(t, SenderConfig{Timeouts: SenderTimeouts{Connect: set}})
	f, healthy := b.member(), b.member()
	f.hang = true
	begin := time.Now()
	both := b.send(message.UseAck, "x", f, healthy)
	c := healthy.accept()
	c.want("x")
	c.ack()
	took(t, begin, 0)
	r := both.results()
	took(t, begin, want)
	if r[0].Outcome != message.NotSent || r[1].Outcome != message.Acknowledged {
		t.Errorf("results = %v", r)
	}
	if !isTimeout(r[0].Err) {
		t.Errorf("error = %v, want a timeout", r[0].Err)
	}
}

// TestNoTimeouts has all limits off.
func TestNoTimeouts(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBench(t, SenderConfig{Timeouts: SenderTimeouts{Connect: -1, Write: -1, Ack: -1}})
		f := b.member()
		s := b.send(message.UseAck, "x", f)
		<-time.After(24 * time.Hour)
		c := f.accept()
		c.want("x")
		<-time.After(24 * time.Hour)
		c.ack()
		s.want(message.Acknowledged, nil)
	})
}

// TestAbandoned drops what nobody waits for and was not begun, and only that.
func TestAbandoned(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBench(t, SenderConfig{})
		f := b.member()
		c := b.provenAs(f, true)
		busy := []*sending{b.send(message.UseAck, "busy", f)}
		c.want("busy")
		f.setRefuse(errRefused) // no more connections
		gone, next := b.send(message.UseAck, "gone", f), b.send(message.UseAck, "next", f)
		busy[0].receipt.Abandon()
		gone.receipt.Abandon()
		c.ack()
		c.want("next")
		gone.want(message.NotSent, context.Canceled)
		if b.faulted(gone.id) {
			t.Error("Fault was called for a message that nobody waited for")
		}
		c.ack()
		next.want(message.Acknowledged, nil)
		busy[0].want(message.Acknowledged, nil)
	})
}

// TestQueueFull waits for room until the context ends, and does not hold up
// another destination.
func TestQueueFull(t *testing.T) {
	tests := []struct {
		name string
		cfg  SenderConfig
	}{
		{"messages", SenderConfig{QueueMessages: 3}},
		{"bytes", SenderConfig{QueueBytes: 3 * 136}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				b := newBench(t, tt.cfg)
				stuck, healthy := b.member(), b.member()
				stuck.hang = true
				go func() { healthy.accept().serve(false) }() // ends with the connection
				var all []*sending
				for range 3 {
					all = append(all, b.send(0, "x", stuck))
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				begin := time.Now()
				r := b.sendCtx(ctx, message.UseAck, "x", stuck, healthy, stuck).results()
				took(t, begin, time.Second)
				for _, i := range []int{0, 2} {
					var full = r[i].Err
					if r[i].Outcome != message.NotSent || !errorsAre(full, channel.ErrQueueFull, context.DeadlineExceeded) {
						t.Errorf("outcome = %v (%v), want not sent, queue full", r[i].Outcome, full)
					}
				}
				if r[1].Outcome != message.Acknowledged {
					t.Errorf("outcome at the healthy member = %v (%v)", r[1].Outcome, r[1].Err)
				}
				for _, s := range all {
					s.want(message.NotSent, message.ErrTimeout)
				}
			})
		})
	}
}
