package interceptor

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/interceptor/interceptortest"
	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

func TestHungPeerThatSendsHeartbeatsIsFoundByTimeouts(t *testing.T) {
	tests := []struct {
		name     string
		d        *TCPFailureDetector
		timeouts int
		want     string
	}{
		{"Enough", new(TCPFailureDetector), 3, "failed"},
		{"TooFew", new(TCPFailureDetector), 2, ""},
		{"Five", &TCPFailureDetector{Faults: 5}, 5, "failed"},
		{"FourOfFive", &TCPFailureDetector{Faults: 5}, 4, ""},
		{"Off", &TCPFailureDetector{Faults: -1}, 100, ""},
		{"NoReadTest", &TCPFailureDetector{ReadTest: ReadNever}, 100, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				b := newBench(t, tt.d)
				m := interceptortest.Member(2)
				b.joined(t, m)
				b.net.set(hung, m)
				for range tt.timeouts {
					b.Fault(m, message.NewID(), message.ErrTimeout)
					b.pass(3 * time.Second)
				}
				b.pass(10 * time.Second)
				b.expect(t, m, tt.want)
			})
		})
	}
}

func TestMemberThatHungComesBackOnlyWhenItAnswers(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBench(t, new(TCPFailureDetector))
		m := interceptortest.Member(2)
		b.joined(t, m)
		b.net.set(hung, m)
		for range defaultFaults {
			b.Fault(m, message.NewID(), message.ErrTimeout)
		}
		b.pass(time.Minute) // it goes on sending heartbeats
		b.expect(t, m, "failed")
		b.net.set(up, m)
		b.pass(time.Second)
		b.expect(t, m, "failed joined")
		if s := b.status(t, m); s.Timeouts != 0 {
			t.Errorf("after it answered: %d timeouts counted, want 0", s.Timeouts)
		}
	})
}

func TestTimeoutsAreForgottenWhenAFrameIsAnswered(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBench(t, new(TCPFailureDetector))
		m := interceptortest.Member(2)
		b.joined(t, m)
		for range 10 * defaultFaults { // each third one leads to a read test, which it passes
			b.Fault(m, message.NewID(), message.ErrTimeout)
			b.pass(time.Second)
		}
		b.expect(t, m, "")
		if got := b.status(t, m).Timeouts; got >= defaultFaults {
			t.Errorf("%d timeouts counted, want fewer than %d", got, defaultFaults)
		}
	})
}

// A member whose port is cut off while its heartbeats come is taken back, and
// announced again when it can be reached.
func TestSendFaultStartsAProbe(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBench(t, new(TCPFailureDetector))
		m := interceptortest.Member(2)
		b.joined(t, m)
		b.net.set(refused, m)
		b.Fault(m, message.NewID(), syscall.ECONNRESET)
		b.pass(0)
		b.expect(t, m, "failed")
		b.pass(10 * time.Second)
		b.net.set(up, m)
		b.pass(1100 * time.Millisecond)
		b.expect(t, m, "failed joined")
		if got := b.log.Lines("heard but cannot be reached any more"); got != 1 {
			t.Errorf("%d lines in the log about it, want 1", got)
		}
	})
}

func TestErrorsThatSayNothingAboutTheMemberMakeNoSuspect(t *testing.T) {
	tests := []struct {
		name string
		err  error
		want int // probes
	}{
		{"RemoteError", &message.RemoteError{Reason: "listener"}, 0},
		{"TooLarge", message.ErrTooLarge, 0},
		{"Closed", channel.ErrClosed, 0},
		{"QueueFull", channel.ErrQueueFull, 0},
		{"Canceled", context.Canceled, 0},
		{"Reset", syscall.ECONNRESET, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				b := newBench(t, new(TCPFailureDetector))
				m := interceptortest.Member(2)
				b.joined(t, m)
				before := b.net.count()
				b.Fault(m, message.NewID(), tt.err)
				b.pass(time.Second)
				if got := b.net.count() - before; got != tt.want {
					t.Errorf("%d probes after %v, want %d", got, tt.err, tt.want)
				}
				if got := b.Top.Faults(); len(got) != 1 || !errors.Is(got[0].Err, tt.err) {
					t.Errorf("faults passed up: %v, want one", got)
				}
			})
		})
	}
}

func TestFaultStormStartsFewProbes(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBench(t, &TCPFailureDetector{Faults: -1})
		m := interceptortest.Member(2)
		b.joined(t, m)
		before := b.net.count()
		for range 1000 {
			b.Fault(m, message.NewID(), message.ErrTimeout)
			b.pass(0)
		}
		if got := b.net.count() - before; got > 15 {
			t.Errorf("%d probes for 1000 faults in a second, want at most 15", got)
		}
	})
}

// A send to somebody who is not announced has no say in when he is probed.
func TestFaultsOfAStrangerStartNoProbes(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBench(t, new(TCPFailureDetector))
		m := interceptortest.Member(2)
		b.net.set(refused, m)
		b.Join(m)
		b.pass(10 * time.Second) // now it is probed each second
		before := b.net.count()
		for range 100 {
			b.Fault(m, message.NewID(), syscall.ECONNREFUSED)
			b.pass(50 * time.Millisecond)
		}
		if got := b.net.count() - before; got > 6 {
			t.Errorf("%d probes in 5 s, want one each second", got)
		}
	})
}

// What a send has told is not forgotten when heartbeats come back meanwhile.
func TestFaultBeforeAHealIsNotForgotten(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBench(t, new(TCPFailureDetector))
		m := interceptortest.Member(2)
		b.joined(t, m)
		b.Part(membership.Failed, m)
		b.pass(0) // it answers
		b.net.set(refused, m)
		b.Fault(m, message.NewID(), syscall.ECONNREFUSED)
		b.Join(m)
		b.pass(time.Second)
		b.expect(t, m, "failed")
	})
}

func TestFaultThatWasLookedIntoIsForgotten(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBench(t, new(TCPFailureDetector))
		m := interceptortest.Member(2)
		b.joined(t, m)
		b.Fault(m, message.NewID(), syscall.ECONNRESET)
		b.pass(100 * time.Millisecond) // it answers
		b.Part(membership.Failed, m)
		b.pass(100 * time.Millisecond) // and again
		before := b.net.count()
		b.Join(m)
		b.pass(time.Minute)
		if got := b.net.count() - before; got != 0 {
			t.Errorf("%d probes of a member that is heard again, want none", got)
		}
	})
}
