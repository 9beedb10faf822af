package nio

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/message"
)

var errRefused = errors.New("connection refused")

// TestRetryAfterBrokenConnection writes a message again, with the same id, when
// the connection ends instead of an answer.
func TestRetryAfterBrokenConnection(t *testing.T) {
	tests := []struct {
		name    string
		retries int
		plain   bool // the kind that answers in the end
		breaks  int
		want    message.Outcome
		retried bool
	}{
		{"answered plainly at the second time", 0, true, 1, message.Acknowledged, true},
		{"answered by number at the second time", 0, false, 1, message.Acknowledged, false},
		{"never answered", 0, true, 2, message.Unknown, true},
		{"three retries", 3, true, 3, message.Acknowledged, true},
		{"three retries do not help", 3, true, 4, message.Unknown, true},
		{"no retries", -1, true, 1, message.Unknown, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				b := newBench(t, SenderConfig{Retries: tt.retries})
				f := b.member()
				s := b.send(message.UseAck, "x", f)
				for range tt.breaks {
					c := f.accept()
					if id := c.want("x").ID; string(id) != string(s.id[:]) {
						t.Errorf("id = %x, want %x", id, s.id)
					}
					c.Close()
				}
				if tt.want.OK() {
					c := f.accept()
					c.want("x")
					if tt.plain {
						c.ack()
					} else {
						c.numbered(1)
					}
				}
				r := s.want(tt.want, nil)
				if r.Retried != tt.retried {
					t.Errorf("Retried = %v, want %v", r.Retried, tt.retried)
				}
				if got := b.faulted(s.id); got == tt.want.OK() {
					t.Errorf("Fault was called: %v", got)
				}
				synctest.Wait()
				count := 0
				for _, e := range b.heard() {
					if e == "retry" {
						count++
					}
				}
				if want := tt.breaks - map[bool]int{true: 0, false: 1}[tt.want.OK()]; count != want {
					t.Errorf("%d retries were traced, want %d", count, want)
				}
			})
		})
	}
}

// TestRetryKeepsOrder breaks a pipelined connection: what was not answered is
// written again first, in order, before what waits.
func TestRetryKeepsOrder(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBench(t, SenderConfig{Window: 4})
		f := b.member()
		c := b.proven(f)
		var all []*sending
		for i := range 8 {
			all = append(all, b.send(message.UseAck, fmt.Sprint(i), f))
		}
		for i := range 4 {
			c.want(fmt.Sprint(i))
		}
		c.numbered(2, message.Settled{Number: 4, Outcome: message.Acknowledged}) // 0 and 2
		c.want("4")
		c.want("5")
		synctest.Wait()
		c.Close()
		c = f.accept()
		for n, i := range []int{1, 3, 4, 5, 6, 7} {
			c.want(fmt.Sprint(i))
			c.numbered(uint64(n + 1))
		}
		for _, s := range all {
			if r := s.want(message.Acknowledged, nil); r.Retried {
				t.Error("Retried = true towards a member that knows repeats")
			}
		}
	})
}

// TestAnswersBeforeTheEnd has a member that answers one frame and closes before
// it has the next: the first answer counts.
func TestAnswersBeforeTheEnd(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBench(t, SenderConfig{})
		f := b.member()
		c := b.proven(f)
		one, two := b.send(message.UseAck, "one", f), b.send(message.UseAck, "two", f)
		c.want("one")
		c.want("two")
		c.numbered(2)
		c.Close()
		one.want(message.Acknowledged, nil)
		c = f.accept()
		c.want("two")
		c.numbered(1)
		two.want(message.Acknowledged, nil)
	})
}

// TestIdleConnectionClosedByMember costs one new connection and no error, also
// without retries.
func TestIdleConnectionClosedByMember(t *testing.T) {
	for _, retries := range []int{1, -1} {
		bubble.Test(t, func(t *testing.T) {
			b := newBench(t, SenderConfig{Retries: retries})
			f := b.member()
			b.proven(f).Close()
			synctest.Wait()
			s := b.send(message.UseAck, "x", f)
			c := f.accept()
			c.want("x")
			c.numbered(1)
			s.want(message.Acknowledged, nil)
			synctest.Wait()
			want := []string{"up", "down: error", "up"}
			if got := b.heard(); !cmp.Equal(want, got) {
				t.Errorf("events (-want +got):\n%s", cmp.Diff(want, got))
			}
		})
	}
}

// TestRefusedFailsAtOnce has no retry for a refused connection, and few dials.
func TestRefusedFailsAtOnce(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBench(t, SenderConfig{})
		f := b.member()
		f.setRefuse(errRefused)
		var all []*sending
		for range 100 {
			all = append(all, b.send(message.UseAck, "x", f))
		}
		for _, s := range all {
			s.want(message.NotSent, errRefused)
			if !b.faulted(s.id) {
				t.Error("Fault was not called")
			}
		}
		if n := f.dialled(); n > 2 { // some may have come when the first had failed
			t.Errorf("%d dials, want at most 2", n)
		}
		begin := time.Now()
		for range 50 {
			b.send(0, "y", f).want(message.NotSent, errRefused)
		}
		if took := time.Since(begin); took > 50*pause {
			t.Errorf("50 sends, one after the other, took %v, want at most %v", took, 50*pause)
		}
		if n := f.dialled(); n > 52 {
			t.Errorf("%d dials in all, want at most 52", n)
		}
		f.setRefuse(nil)
		s := b.send(message.UseAck, "z", f)
		begin = time.Now()
		c := f.accept()
		c.want("z")
		if took := time.Since(begin); took > pause {
			t.Errorf("a member that is back was tried after %v, want at most %v", took, pause)
		}
		c.ack()
		s.want(message.Acknowledged, nil)
	})
}

// TestWrittenThenRefused cannot say that a message was not sent if it was
// written before.
func TestWrittenThenRefused(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBench(t, SenderConfig{})
		f := b.member()
		s := b.send(message.UseAck, "x", f)
		c := f.accept()
		c.want("x")
		queued := b.send(message.UseAck, "y", f)
		f.setRefuse(errRefused)
		c.Close()
		s.want(message.Unknown, errRefused)
		queued.want(message.NotSent, errRefused)
	})
}

// TestMemberThatClosesEachConnection gives up the queue instead of trying for
// each message on its own.
func TestMemberThatClosesEachConnection(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBench(t, SenderConfig{})
		f := b.member()
		go func() { // ends with the test's connections
			for c := range f.conns {
				c.frame()
				c.Close()
			}
		}()
		var all []*sending
		for range 50 {
			all = append(all, b.send(message.UseAck, "x", f))
		}
		outcomes := make(map[message.Outcome]int)
		for _, s := range all {
			outcomes[s.results()[0].Outcome]++
		}
		if outcomes[message.Unknown] > 3 || outcomes[message.Unknown]+outcomes[message.NotSent] != 50 {
			t.Errorf("outcomes = %v", outcomes)
		}
		if n := f.dialled(); n > 4 {
			t.Errorf("%d dials, want at most 4", n)
		}
		close(f.conns)
	})
}

// TestPartOfAFrame has a connection that breaks in the middle of a frame: it
// was not sent, and is written again.
func TestPartOfAFrame(t *testing.T) {
	for _, o := range []message.Options{0, message.UseAck} {
		for _, breaks := range []int{1, 2} {
			bubble.Test(t, func(t *testing.T) {
				b := newBench(t, SenderConfig{})
				f := b.member()
				s := b.send(o, "x", f)
				for range breaks {
					c := f.accept()
					if _, err := c.Read(make([]byte, 10)); err != nil {
						t.Fatal(err)
					}
					c.Close()
				}
				if breaks == 2 {
					s.want(message.NotSent, nil)
					return
				}
				c := f.accept()
				c.want("x")
				if o != 0 {
					c.ack()
				}
				if r := s.results()[0]; !r.Outcome.OK() || r.Retried {
					t.Errorf("result = %+v, want a success that is not a repeat", r)
				}
			})
		}
	}
}
