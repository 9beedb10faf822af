package mem_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/message"
	"github.com/gotribes/tribes/transport/mem"
)

// A host that is paused takes connections and bytes and answers nothing; what has come
// is delivered and answered when it resumes.
func TestPause(t *testing.T) {
	for _, o := range []message.Options{message.UseAck, message.Sync} {
		for _, pause := range []time.Duration{2 * second, 4 * second} {
			bubble.Test(t, func(t *testing.T) {
				p := newPair(t, mem.Config{})
				p.n.Pause("b")
				p.n.Pause("b")
				time.AfterFunc(pause, func() { p.n.Resume("b") })
				want, after := message.Acknowledged, pause
				if pause > 3*second { // beyond the timeout
					want, after = message.Unknown, 3*second
				}
				if r, took := p.send(t, o, "x"); r.Outcome != want || took != after {
					t.Errorf("%v, pause of %v: %v after %v, want %v after %v", o, pause, r.Outcome, took, want, after)
				}
				if got := p.got.Load(); want == message.Unknown && got != 0 {
					t.Errorf("%v: %d messages delivered by a host that is paused", o, got)
				}
				time.Sleep(pause)
				if got := p.got.Load(); got != 1 {
					t.Errorf("%v, pause of %v: %d messages delivered, want one", o, pause, got)
				}
			})
		}
	}
}

// Others drop a member that is paused for longer than the drop time, and see it again
// when it resumes; it has dropped nobody. What it wants to send waits.
func TestPauseOfAMember(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		p := newPair(t, mem.Config{})
		ctx, cancel := context.WithTimeout(t.Context(), second)
		defer cancel()
		if p.a.WaitMembers(ctx, 1) != nil || p.b.WaitMembers(ctx, 1) != nil {
			t.Fatal("they do not see each other")
		}
		p.n.Pause("b")
		sent := make(chan time.Duration, 1)
		go func() { // ends when b resumes
			begin := time.Now()
			if _, err := p.b.SendAll(context.Background(), []byte("x"), message.UseAck); err != nil {
				t.Errorf("SendAll after a pause: %v", err)
			}
			sent <- time.Since(begin)
		}()
		time.Sleep(5 * second)
		if a, b := p.a.View().Len(), p.b.View().Len(); a != 0 || b != 1 {
			t.Errorf("a sees %d others and b %d, want 0 and 1", a, b)
		}
		p.n.Resume("b")
		if took := <-sent; took != 5*second {
			t.Errorf("a send of the paused host took %v, want 5 s", took)
		}
		synctest.Wait()
		if a, b := p.a.View().Len(), p.b.View().Len(); a != 1 || b != 1 {
			t.Errorf("after the pause a sees %d others and b %d, want one", a, b)
		}
	})
}

// A paused host can crash.
func TestCrashOfAPausedHost(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		p := newPair(t, mem.Config{})
		if r, _ := p.send(t, message.Sync, "x"); !r.Outcome.OK() {
			t.Fatal(r.Err)
		}
		p.n.Pause("b")
		time.AfterFunc(second, func() { p.n.Crash("b") })
		if r, took := p.send(t, message.Sync, "x"); r.Outcome != message.Unknown || took != second {
			t.Errorf("%v after %v, want %v after 1 s", r.Outcome, took, message.Unknown)
		}
		if got := p.got.Load(); got != 1 {
			t.Errorf("%d messages delivered, want the one before the pause", got)
		}
	})
}
