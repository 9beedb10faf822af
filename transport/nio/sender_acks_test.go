package nio

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/message"
)

// proven returns a connection to f that a numbered ack has opened. One frame
// has been acknowledged on it.
func (b *bench) proven(f *fake) *fakeConn {
	b.Helper()
	s := b.send(message.UseAck, "proof", f)
	c := f.accept()
	c.want("proof")
	c.numbered(1)
	s.want(message.Acknowledged, nil)
	return c
}

func TestNumberedAckOpensWindow(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBench(t, SenderConfig{Window: 3})
		f := b.member()
		c := b.proven(f)
		var all []*sending
		for i := range 5 {
			all = append(all, b.send(message.Sync, fmt.Sprint(i), f))
		}
		for i := range 3 {
			c.want(fmt.Sprint(i))
		}
		synctest.Wait()
		if n := b.s.Stats()[0]; n.InFlight != 3 || n.QueuedMessages != 2 || n.Acks != "numbered" {
			t.Errorf("%d in flight, %d queued, acks %s; want 3, 2, numbered", n.InFlight, n.QueuedMessages, n.Acks)
		}
		c.numbered(3) // the first two
		c.want("3")
		c.want("4")
		all[0].want(message.Acknowledged, nil)
		all[1].want(message.Acknowledged, nil)
		if !all[2].pending() {
			t.Error("message 2 was settled before its answer")
		}
		c.numbered(6)
		for _, s := range all {
			s.want(message.Acknowledged, nil)
		}
		if n := f.dialled(); n != 1 {
			t.Errorf("%d connections, want 1", n)
		}
	})
}

func TestWindowBytes(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBench(t, SenderConfig{WindowBytes: 2000})
		f := b.member()
		c := b.proven(f)
		large := string(make([]byte, 5000))
		all := []*sending{b.send(message.UseAck, "a", f), b.send(message.UseAck, large, f), b.send(message.UseAck, "b", f)}
		c.want("a")
		synctest.Wait()
		if !all[1].pending() || b.s.Stats()[0].QueuedMessages != 2 {
			t.Error("a frame larger than the window did not wait to be alone")
		}
		c.numbered(2)
		c.want(large)
		c.numbered(3)
		c.want("b")
		c.numbered(4)
		for _, s := range all {
			s.want(message.Acknowledged, nil)
		}
	})
}

// TestSingleOutcomes settles frames beyond the cumulative number, and refuses
// some on both sides of it.
func TestSingleOutcomes(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBench(t, SenderConfig{})
		f := b.member()
		c := b.proven(f)
		var all []*sending
		for i := range 5 { // numbers 2 to 6
			all = append(all, b.send(message.Sync, fmt.Sprint(i), f))
			c.want(fmt.Sprint(i))
		}
		c.numbered(1, message.Settled{Number: 4, Outcome: message.Acknowledged},
			message.Settled{Number: 5, Outcome: message.Refused, Reason: "no"})
		all[2].want(message.Acknowledged, nil)
		if r := all[3].want(message.Refused, nil); !isRemote(r.Err, "no") {
			t.Errorf("error = %v, want a refusal because of %q", r.Err, "no")
		}
		if !all[0].pending() || !all[1].pending() || !all[4].pending() {
			t.Error("a frame without answer was settled")
		}
		c.numbered(6, message.Settled{Number: 2, Outcome: message.Refused, Reason: "first"})
		if r := all[0].want(message.Refused, nil); !isRemote(r.Err, "first") {
			t.Errorf("error = %v, want a refusal because of %q", r.Err, "first")
		}
		all[1].want(message.Acknowledged, nil)
		all[4].want(message.Acknowledged, nil)
		if len(b.faults) > 0 {
			t.Errorf("Fault was called for %v", b.faults)
		}
	})
}

func TestWrongAnswers(t *testing.T) {
	numbered := func(upTo uint64, settled ...message.Settled) string {
		return string(message.AppendNumberedAck(nil, 0, upTo, settled))
	}
	ok := message.Acknowledged
	tests := []struct {
		name   string
		plain  bool // the link is proven by a plain ack
		answer string
		reason string
	}{
		{"backward", false, numbered(0), "bad number"},
		{"beyond", false, numbered(3), "bad number"},
		{"far beyond", false, numbered(1 << 63), "bad number"},
		{"single backward", false, numbered(1, message.Settled{Number: 1, Outcome: ok}), "bad number"},
		{"single zero", false, numbered(1, message.Settled{Number: 0, Outcome: ok}), "bad number"},
		{"single beyond", false, numbered(1, message.Settled{Number: 3, Outcome: ok}), "bad number"},
		{"plain on a numbered link", false, message.AckFrame, "unknown ack"},
		{"fail-ack on a numbered link", false, message.FailAckFrame, "unknown ack"},
		{"numbered on a plain link", true, numbered(2), "unknown ack"},
		{"two plain", true, message.AckFrame + message.AckFrame, "bad number"},
		{"garbage", true, "HTTP/1.1 400 Bad Request", "bad magic"},
		{"unknown code", true, "FLT2002\x00\x00\x00\x03\x01\x02\x03TLF2003", "unknown ack"},
		{"a data frame", false, "FLT2002\x7f\xff\xff\xff", "too large"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				b := newBench(t, SenderConfig{})
				f := b.member()
				c := b.provenAs(f, tt.plain)
				s := b.send(message.UseAck, "x", f)
				c.want("x")
				c.say(tt.answer)
				c.wantEnd()
				if tt.name != "two plain" { // there the first one was right
					again := f.accept()
					again.want("x")
					again.say(map[bool]string{true: message.AckFrame, false: numbered(1)}[tt.plain])
				}
				s.want(ok, nil)
				want := map[string]uint64{tt.reason: 1}
				if got := b.s.Stats()[0].WrongAnswers; !cmp.Equal(want, got) {
					t.Errorf("WrongAnswers (-want +got):\n%s", cmp.Diff(want, got))
				}
				if !b.has("rejected: " + tt.reason) {
					t.Errorf("events = %v, want a rejection because of %q", b.heard(), tt.reason)
				}
			})
		})
	}
}

func (b *bench) provenAs(f *fake, plain bool) *fakeConn {
	b.Helper()
	if !plain {
		return b.proven(f)
	}
	s := b.send(message.UseAck, "proof", f)
	c := f.accept()
	c.want("proof")
	c.ack()
	s.want(message.Acknowledged, nil)
	return c
}

// TestUnaskedAnswer has an answer when nothing was asked.
func TestUnaskedAnswer(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBench(t, SenderConfig{})
		f := b.member()
		s := b.send(0, "x", f)
		c := f.accept()
		c.want("x")
		s.want(message.Written, nil)
		c.ack()
		c.wantEnd()
		b.send(0, "y", f)
		f.accept().want("y")
	})
}

// TestAnswersInPieces has answers that come byte by byte, and many at a time.
func TestAnswersInPieces(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBench(t, SenderConfig{})
		f := b.member()
		c := b.proven(f)
		one := b.send(message.UseAck, "one", f)
		c.want("one")
		for _, x := range message.AppendNumberedAck(nil, 0, 2, nil) {
			if !one.pending() {
				t.Fatal("settled by half an answer")
			}
			c.say(string(x))
		}
		one.want(message.Acknowledged, nil)
		const count = 100
		var all []*sending
		var many []byte
		for i := range count {
			all = append(all, b.send(message.Sync, fmt.Sprint(i), f))
			reason := fmt.Sprintf("%0255d", i)
			many = message.AppendNumberedAck(many, 0, uint64(i+2), []message.Settled{{Number: uint64(i + 3), Outcome: message.Refused, Reason: reason}})
		}
		for i := range count {
			c.want(fmt.Sprint(i))
		}
		many = append(many, message.AppendNumberedAck(nil, 0, count+2, nil)...)
		c.say(string(many))
		for i, s := range all {
			if r := s.want(message.Refused, nil); !isRemote(r.Err, fmt.Sprintf("%0255d", i)) {
				t.Errorf("error = %v", r.Err)
			}
		}
	})
}

// TestLargestAnswer has every frame of a window refused in one answer.
func TestLargestAnswer(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBench(t, SenderConfig{})
		f := b.member()
		c := b.proven(f)
		var all []*sending
		var settled []message.Settled
		for i := range defaultWindow {
			all = append(all, b.send(message.Sync, "x", f))
			settled = append(settled, message.Settled{Number: uint64(i + 2), Outcome: message.Refused, Reason: fmt.Sprintf("%0255d", i)})
		}
		for range all {
			c.want("x")
		}
		c.numbered(1, settled...)
		for i, s := range all {
			if r := s.want(message.Refused, nil); !isRemote(r.Err, settled[i].Reason) {
				t.Errorf("error = %v", r.Err)
			}
		}
	})
}

// TestAnswerLargerThanTheQuestions announces more than what is on its way could be
// answered with: it would be kept until the rest comes, which may be never.
func TestAnswerLargerThanTheQuestions(t *testing.T) {
	for _, inFlight := range []int{0, 2} {
		bubble.Test(t, func(t *testing.T) {
			b := newBench(t, SenderConfig{})
			f := b.member()
			c := b.proven(f)
			var asked []*sending
			for range inFlight {
				asked = append(asked, b.send(message.UseAck, "x", f))
				c.want("x")
			}
			var settled []message.Settled
			for i := range inFlight + 1 {
				settled = append(settled, message.Settled{Number: uint64(i + 2), Outcome: message.Refused, Reason: strings.Repeat("r", 255)})
			}
			answer := message.AppendNumberedAck(nil, 0, 1, settled)
			f.setRefuse(errors.New("gone"))
			c.say(string(answer[:len(answer)/2]))
			c.wantEnd()
			for _, s := range asked {
				s.want(message.Unknown, nil)
			}
			if got := b.s.Stats()[0].WrongAnswers["too large"]; got != 1 {
				t.Errorf("%d answers were too large, want 1: %v", got, b.s.Stats()[0].WrongAnswers)
			}
		})
	}
}

// TestWrongAnswersAreLoggedOnce has one line for each kind in ten seconds.
func TestWrongAnswersAreLoggedOnce(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBench(t, SenderConfig{})
		f := b.member()
		steps := []struct {
			answer string
			after  time.Duration
			lines  int
		}{
			{"nonsense", 0, 1},
			{"nonsense", time.Second, 1},
			{message.AckFrame, time.Second, 2}, // nothing was asked
			{"nonsense", 7 * time.Second, 2},
			{"nonsense", 2 * time.Second, 3},
		}
		for _, step := range steps {
			<-time.After(step.after)
			c := b.provenAs(f, true)
			c.say(step.answer)
			c.wantEnd()
			synctest.Wait()
			if got := strings.Count(b.log.String(), "wrong answer"); got != step.lines {
				t.Errorf("%d log lines, want %d:\n%s", got, step.lines, b.log.String())
			}
		}
	})
}
