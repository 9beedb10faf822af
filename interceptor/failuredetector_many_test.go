package interceptor

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/interceptor/interceptortest"
	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

func TestProbesRunInParallel(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBench(t, new(TCPFailureDetector))
		members := interceptortest.Members(2, 21)
		b.joined(t, members...)
		b.net.set(dark, members...)
		b.Part(membership.Failed, members...)
		b.pass(defaultConnectTimeout)
		for _, m := range members {
			b.expect(t, m, "failed")
		}
		if b.net.most != len(members) {
			t.Errorf("%d probes at one time, want %d", b.net.most, len(members))
		}
	})
}

func TestProbesAreBounded(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBench(t, &TCPFailureDetector{MaxProbes: 4})
		members := interceptortest.Members(2, 21)
		b.joined(t, members...)
		b.net.most = 0
		b.net.set(dark, members...)
		b.Part(membership.Failed, members...)
		b.pass(5 * defaultConnectTimeout)
		for _, m := range members {
			b.expect(t, m, "failed")
		}
		if b.net.most != 4 {
			t.Errorf("%d probes at one time with MaxProbes 4, want 4", b.net.most)
		}
	})
}

func TestOneProbeForOneAddress(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBench(t, new(TCPFailureDetector))
		addr := netip.MustParseAddrPort("10.1.1.1:4000")
		var members []*membership.Member
		for n := range 20 {
			members = append(members, interceptortest.MemberAt(addr, n+2))
		}
		b.net.set(dark, members[0])
		b.Join(members...)
		b.pass(900 * time.Millisecond)
		if got := b.net.count(); got != 1 {
			t.Errorf("%d probes of one address in its first 0.9 s, want 1 for all members there", got)
		}
		b.pass(10 * time.Second)
		if b.net.double != 0 {
			t.Errorf("%d times there were two probes of one address, want never", b.net.double)
		}
	})
}

// A probe that must be answered waits for one of the same address that need not.
func TestDeeperProbeWaitsForTheOther(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBench(t, new(TCPFailureDetector))
		addr := netip.MustParseAddrPort("10.1.1.1:4000")
		shown, stranger := interceptortest.MemberAt(addr, 2), interceptortest.MemberAt(addr, 3)
		b.joined(t, shown)
		b.net.set(dark, shown)
		b.Join(stranger) // is tried without an answer
		b.pass(100 * time.Millisecond)
		b.Part(membership.Failed, shown) // must answer
		b.pass(10 * time.Second)
		b.expect(t, shown, "failed")
		if b.net.double != 0 {
			t.Errorf("%d times there were two probes of one address, want never", b.net.double)
		}
	})
}

// However many members are made up, a real one is checked in time.
func TestStrangersDoNotDelayTheCheckOfMembers(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBench(t, &TCPFailureDetector{MaxProbes: 8})
		real := interceptortest.Member(2)
		b.joined(t, real)
		fakes := interceptortest.Members(1000, 1999)
		b.net.set(dark, fakes...)
		b.Join(fakes...)
		b.pass(5 * time.Second)
		b.net.set(dark, real)
		b.Part(membership.Failed, real)
		b.pass(defaultConnectTimeout)
		b.expect(t, real, "failed")
		if got := b.log.Lines(""); got > 3 {
			t.Errorf("%d lines in the log about 1000 unreachable members in 7 s, want at most one of each kind", got)
		}
	})
}

func TestLogCountsWhatItLeavesOut(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBench(t, new(TCPFailureDetector))
		fakes := interceptortest.Members(1000, 1099)
		b.net.set(refused, fakes...)
		b.Join(fakes...)
		b.pass(time.Minute)
		late := interceptortest.Member(2)
		b.net.set(refused, late)
		b.Join(late)
		b.pass(time.Minute)
		if got := b.log.Lines("not announced until it can"); got != 2 {
			t.Errorf("%d lines in the log about unreachable members, want 2", got)
		}
		if got := b.log.Lines("skipped=99"); got != 1 {
			t.Errorf("%d lines tell that 99 were left out, want 1", got)
		}
	})
}

var restarted = netip.MustParseAddrPort("10.2.0.1:4000")

// The steps of a restart as the membership reports them, in both orders, and
// the events that must follow for the old and the new identity.
var restarts = []struct {
	name     string
	run      func(b *bench, old, fresh *membership.Member)
	old, new string
}{
	{
		name: "NewBeforeTheOldIsMissed",
		run: func(b *bench, old, fresh *membership.Member) {
			b.Join(fresh)
			b.pass(3 * time.Second)
			b.Part(membership.Failed, old)
			b.pass(0)
		},
		old: "failed", new: "joined",
	},
	{
		name: "NewAfterTheOldIsMissed",
		run: func(b *bench, old, fresh *membership.Member) {
			b.Part(membership.Failed, old) // and the new process answers for it
			b.pass(time.Second)
			b.Join(fresh)
			b.pass(0)
		},
		old: "failed", new: "joined",
	},
	{
		name: "NewWhileTheOldIsProbed",
		run: func(b *bench, old, fresh *membership.Member) {
			b.net.set(hung, old)
			b.Part(membership.Failed, old)
			b.pass(time.Second)
			b.Join(fresh)
			b.net.set(up, old)
			b.pass(time.Second)
		},
		old: "failed", new: "joined",
	},
	{
		name: "NewIsMissedToo",
		run: func(b *bench, old, fresh *membership.Member) {
			b.Join(fresh)
			b.pass(time.Second)
			b.Part(membership.Failed, fresh, old) // and both seem to answer
			b.pass(time.Minute)
		},
		old: "failed", new: "joined",
	},
	{
		name: "BothAreHeard",
		run: func(b *bench, old, fresh *membership.Member) {
			b.Join(fresh)
			b.pass(time.Minute)
		},
		old: "", new: "joined",
	},
}

func TestRestartOnSamePortLeavesNoGhost(t *testing.T) {
	for _, tt := range restarts {
		t.Run(tt.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				b := newBench(t, new(TCPFailureDetector))
				old, fresh := interceptortest.MemberAt(restarted, 2), interceptortest.MemberAt(restarted, 3)
				b.joined(t, old)
				tt.run(b, old, fresh)
				b.expect(t, old, tt.old)
				b.expect(t, fresh, tt.new)
			})
		})
	}
}

// When the newer of two identities goes and the older is still heard, the newer
// is the one that does not exist.
func TestTheIdentityThatIsHeardStays(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBench(t, new(TCPFailureDetector))
		old, forged := interceptortest.MemberAt(restarted, 2), interceptortest.MemberAt(restarted, 3)
		b.joined(t, old)
		b.joined(t, forged)
		b.Part(membership.Failed, forged)
		b.pass(time.Minute)
		b.expect(t, forged, "failed")
		b.expect(t, old, "")
	})
}

func TestConflictIsLoggedOnceAndARestartNever(t *testing.T) {
	tests := []struct {
		name    string
		oldGoes time.Duration // after the new one came
		want    int
	}{
		{"Restart", 3 * time.Second, 0},
		{"Conflict", time.Hour, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				b := newBench(t, new(TCPFailureDetector))
				old, fresh := interceptortest.MemberAt(restarted, 2), interceptortest.MemberAt(restarted, 3)
				b.joined(t, old)
				b.Join(fresh)
				b.pass(tt.oldGoes)
				b.Part(membership.Failed, old)
				b.pass(time.Hour)
				if got := b.log.Lines("two members announce one address"); got != tt.want {
					t.Errorf("%d lines in the log about a conflict, want %d", got, tt.want)
				}
				if got := b.d.Stats().Conflicts; got != uint64(tt.want) {
					t.Errorf("Stats().Conflicts = %d, want %d", got, tt.want)
				}
			})
		})
	}
}

// A probe of our own address would reach ourselves, and so would messages.
func TestMemberOnOurOwnAddressIsNotAnnounced(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBench(t, new(TCPFailureDetector))
		ghost := interceptortest.MemberAt(b.Local().AddrPort(), 77)
		b.Join(ghost)
		b.pass(time.Minute)
		b.expect(t, ghost, "")
		if got := b.net.count(); got != 0 {
			t.Errorf("%d probes of our own address, want none", got)
		}
		if got := b.log.Lines("our own address"); got != 1 {
			t.Errorf("%d lines in the log about it, want 1", got)
		}
	})
}

func TestMemberWithoutAnAddressIsNotAnnounced(t *testing.T) {
	for _, addr := range []string{"10.1.1.1:0", "0.0.0.0:4000", "228.0.0.4:4000"} {
		bubble.Test(t, func(t *testing.T) {
			b := newBench(t, new(TCPFailureDetector))
			m := interceptortest.MemberAt(netip.MustParseAddrPort(addr), 2)
			b.Join(m)
			b.pass(time.Minute)
			b.expect(t, m, "")
			if got := b.net.count(); got != 0 {
				t.Errorf("%d probes of %s, want none", got, addr)
			}
		})
	}
}

// A process that gets no CPU time finds its own timers late. It must not take
// its own deafness for the silence of others.
func TestStarvedProcessAccusesNobody(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBench(t, new(TCPFailureDetector))
		members := interceptortest.Members(2, 6)
		b.joined(t, members...)
		b.net.set(dark, members...) // nothing that is read in time
		for range 15 {
			b.Freeze()
			b.Part(membership.Failed, members...)
			for _, m := range members {
				b.Fault(m, message.NewID(), message.ErrTimeout)
			}
			b.pass(2 * time.Second)
			b.Thaw()
			b.pass(50 * time.Millisecond)
		}
		for _, m := range members {
			b.expect(t, m, "")
		}
		if last := b.net.last(); last.Connect < defaultConnectTimeout+mostLag*9/10 || last.Read < defaultReadTimeout+mostLag*9/10 {
			t.Errorf("the last probe has the limits %v and %v, want about %v more than configured", last.Connect, last.Read, mostLag)
		}
		if got := b.d.Stats().Lag; got < mostLag*9/10 {
			t.Errorf("Stats().Lag = %v for a process that is always late, want about %v", got, mostLag)
		}
		b.net.set(up, members...)
		b.Join(members...)
		b.pass(time.Minute)
		for _, m := range members {
			b.expect(t, m, "")
		}
		if got := b.d.Stats().Lag; got != 0 {
			t.Errorf("Stats().Lag = %v a minute later, want 0", got)
		}
	})
}

// Evidence that is not a matter of time counts for a starved process too, and
// the dead are found when it has time again.
func TestStarvedProcessFindsTheDead(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBench(t, new(TCPFailureDetector))
		closed, gone := interceptortest.Member(2), interceptortest.Member(3)
		b.joined(t, closed, gone)
		b.net.set(refused, closed)
		b.net.set(dark, gone)
		b.Part(membership.Failed, closed, gone)
		b.Freeze()
		b.pass(2 * time.Second)
		b.Thaw()
		b.pass(0)
		b.expect(t, closed, "failed")
		b.expect(t, gone, "")
		b.pass(time.Minute)
		b.expect(t, gone, "failed")
	})
}

// A refusal is an answer, however late it is read.
func TestRefusalCountsForAStarvedProcessToo(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBench(t, new(TCPFailureDetector))
		m := interceptortest.Member(2)
		b.joined(t, m)
		b.SetProbe(func(context.Context, *membership.Member, channel.Probe) error {
			time.Sleep(900 * time.Millisecond)
			return errRefused
		})
		b.Part(membership.Failed, m)
		b.pass(0)
		b.Freeze()
		b.pass(time.Second)
		b.Thaw()
		b.pass(0)
		b.expect(t, m, "failed")
	})
}
