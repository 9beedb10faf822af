package interceptor

import (
	"syscall"
	"testing"
	"time"

	"github.com/gotribes/tribes/interceptor/interceptortest"
	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// flap lets an announced member fail and answer again, as its port is closed for a
// moment, or its heartbeats are gone too.
func (b *bench) flap(m *membership.Member, heartbeats bool) {
	b.net.set(refused, m)
	if heartbeats {
		b.Fault(m, message.NewID(), syscall.ECONNREFUSED)
	} else {
		b.Part(membership.Failed, m)
	}
	b.pass(100 * time.Millisecond)
	b.net.set(up, m)
	if !heartbeats {
		b.Join(m)
	}
}

// awaitBack returns how long it takes until m is announced.
func (b *bench) awaitBack(m *membership.Member) time.Duration {
	begin := time.Now()
	for b.View().Find(m.Key()) == nil && time.Since(begin) < 10*time.Minute {
		b.pass(10 * time.Millisecond)
	}
	return time.Since(begin)
}

func TestFlappingMemberIsHeldOut(t *testing.T) {
	for _, heartbeats := range []bool{true, false} {
		bubble.Test(t, func(t *testing.T) {
			b := newBench(t, new(TCPFailureDetector))
			m, other := interceptortest.Member(2), interceptortest.Member(3)
			b.joined(t, m, other)
			// Between two failures it is there for a moment alone.
			want := []time.Duration{0, 0, 0, 0, 2 * time.Second, 4 * time.Second, 5 * time.Second,
				5 * time.Second, 5 * time.Second}
			for i, least := range want {
				b.flap(m, heartbeats)
				if least > 0 {
					b.pass(2 * time.Second / 10)
					if st := b.d.Stats(); st.Damped > 1 || b.status(t, m).Flaps != i+1 {
						t.Errorf("after failure %d: %+v, want the count of it", i+1, st)
					}
				}
				took := b.awaitBack(m)
				if took < least*8/10 || took > least+1500*time.Millisecond {
					t.Errorf("after failure %d it was announced after %v, want about %v", i+1, took, least)
				}
			}
			if got := b.log.Lines("fails again and again"); got == 0 {
				t.Error("the log does not say that it is held out")
			}
			b.expect(t, other, "")
			b.pass(time.Minute)
			b.flap(m, heartbeats)
			if took := b.awaitBack(m); took > 1500*time.Millisecond {
				t.Errorf("after it was there for a minute and failed, it was announced after %v, want at once", took)
			}
		})
	}
}

// Who says goodbye or is started anew is not held out, and nobody is who must not be.
func TestWhoIsNotHeldOut(t *testing.T) {
	tests := []struct {
		name string
		d    *TCPFailureDetector
		once func(b *bench, i int) *membership.Member // lets a member go and come
	}{
		{"switched off", &TCPFailureDetector{Flaps: -1}, func(b *bench, i int) *membership.Member {
			b.flap(peer, true)
			return peer
		}},
		{"goodbyes", new(TCPFailureDetector), func(b *bench, i int) *membership.Member {
			b.Part(membership.Left, peer)
			b.Join(peer)
			return peer
		}},
		{"new processes", new(TCPFailureDetector), func(b *bench, i int) *membership.Member {
			next := interceptortest.MemberAt(peer.AddrPort(), 100+i)
			b.Part(membership.Failed, peer)
			b.Join(next)
			b.pass(100 * time.Millisecond)
			b.Part(membership.Failed, next)
			b.Join(next)
			return next
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				b := newBench(t, tt.d)
				b.joined(t, peer)
				for i := range 20 {
					m := tt.once(b, i)
					if took := b.awaitBack(m); took > 1500*time.Millisecond {
						t.Fatalf("time %d: it was announced after %v, want at once", i+1, took)
					}
				}
				if st := b.d.Stats(); st.Damped != 0 || b.log.Lines("fails again and again") != 0 {
					t.Errorf("Stats() = %+v, want nobody held out", st)
				}
			})
		})
	}
}

// What is remembered of members that have failed is forgotten.
func TestFlapsAreForgotten(t *testing.T) {
	set, err := new(TCPFailureDetector).settings()
	if err != nil {
		t.Fatal(err)
	}
	f := newFlapping(&set)
	now := time.Now()
	for n := range 1000 {
		now = now.Add(time.Second)
		f.failed(interceptortest.Member(n+2).Key(), now, now)
	}
	if got := len(f.members); got > 121 {
		t.Errorf("%d members are remembered, want those of two minutes", got)
	}
}
