package interceptor

import (
	"syscall"
	"testing"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/interceptor/interceptortest"
	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/membership"
)

func TestUnreachableMemberIsNotAnnounced(t *testing.T) {
	for _, c := range []condition{refused, dark} {
		bubble.Test(t, func(t *testing.T) {
			b := newBench(t, new(TCPFailureDetector))
			m := interceptortest.Member(2)
			b.net.set(c, m)
			b.Join(m)
			b.pass(time.Minute)
			b.expect(t, m, "")
			if got := b.View().Len(); got != 0 {
				t.Errorf("the view has %d members, want 0", got)
			}
			b.Part(membership.Failed, m)
			b.pass(time.Minute)
			b.expect(t, m, "")
			if got := len(b.d.Stats().Members); got != 0 {
				t.Errorf("the detector still knows %d members, want 0", got)
			}
		})
	}
}

func TestStartingMemberIsAnnouncedAsSoonAsItAnswers(t *testing.T) {
	tests := []struct {
		name           string
		starts, within time.Duration
	}{
		{"AtOnce", 0, 0},
		{"Soon", 50 * time.Millisecond, 150 * time.Millisecond},
		{"AfterASecond", time.Second, time.Second},
		{"Late", 30 * time.Second, 1100 * time.Millisecond},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				b := newBench(t, new(TCPFailureDetector))
				m := interceptortest.Member(2)
				if tt.starts > 0 {
					b.net.set(refused, m)
				}
				b.Join(m)
				b.pass(tt.starts)
				b.net.set(up, m)
				b.pass(tt.within)
				b.expect(t, m, "joined")
			})
		})
	}
}

func TestDeadMemberFailsAtOnceWhenItsPortIsClosed(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBench(t, new(TCPFailureDetector))
		m := interceptortest.Member(2)
		b.joined(t, m)
		b.net.set(refused, m)
		b.Part(membership.Failed, m)
		b.pass(0)
		b.expect(t, m, "failed")
		if got := b.View().Len(); got != 0 {
			t.Errorf("the view has %d members, want 0", got)
		}
	})
}

func TestHealedSuspectRaisesNothing(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBench(t, new(TCPFailureDetector))
		m := interceptortest.Member(2)
		b.joined(t, m)
		for range 3 {
			b.Part(membership.Failed, m)
			b.pass(10 * time.Second)
			if s := b.status(t, m); !s.Suspect || s.Heard || !s.Announced {
				t.Errorf("silent for 10 s and answering: status %+v, want an announced suspect", s)
			}
			if got := b.d.Suspects(); len(got) != 1 || got[0].Key() != m.Key() {
				t.Errorf("Suspects() = %v, want %v", got, m)
			}
			b.Join(m)
			b.pass(time.Second)
		}
		b.expect(t, m, "")
		if s := b.status(t, m); s.Suspect || !s.Silent.IsZero() {
			t.Errorf("heard again: status %+v, want no suspect", s)
		}
		if got := b.log.Lines("not heard any more but can be reached"); got != 3 {
			t.Errorf("%d lines in the log about 3 outages, want 3", got)
		}
	})
}

func TestHealedSuspectWithNewPayloadIsUpdated(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBench(t, new(TCPFailureDetector))
		m := interceptortest.Member(2)
		b.joined(t, m)
		b.Part(membership.Failed, m)
		b.pass(time.Second)
		changed, err := m.With(func(a *membership.Attributes) { a.Payload = "new" })
		if err != nil {
			t.Fatal(err)
		}
		b.Join(changed)
		b.pass(0)
		b.expect(t, m, "updated")
		if got := b.View().Find(m.Key()).Payload(); got != "new" {
			t.Errorf("payload in the view = %q, want %q", got, "new")
		}
	})
}

func TestSuspectIsKeptAndCheckedAgain(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBench(t, new(TCPFailureDetector))
		m := interceptortest.Member(2)
		b.joined(t, m)
		b.Part(membership.Failed, m)
		b.pass(time.Minute)
		b.expect(t, m, "")
		if got := b.net.count(); got < 55 || got > 65 {
			t.Errorf("%d probes in a minute, want one each second", got)
		}
		b.net.set(refused, m)
		b.pass(1100 * time.Millisecond)
		b.expect(t, m, "failed")
	})
}

func TestCheckPeriod(t *testing.T) {
	for _, period := range []time.Duration{100 * time.Millisecond, time.Second, 5 * time.Second} {
		bubble.Test(t, func(t *testing.T) {
			b := newBench(t, &TCPFailureDetector{CheckPeriod: period})
			silent, stranger := interceptortest.Member(2), interceptortest.Member(3)
			b.joined(t, silent)
			b.Part(membership.Failed, silent)
			b.net.set(refused, stranger)
			b.Join(stranger)
			b.pass(time.Minute)
			s, o := b.net.count(silent), b.net.count(stranger)
			b.pass(time.Minute)
			for _, got := range []int{b.net.count(silent) - s, b.net.count(stranger) - o} {
				if want := int(time.Minute / period); got < want*9/10 || got > want {
					t.Errorf("%d probes in a minute with CheckPeriod %v, want about %d", got, period, want)
				}
			}
		})
	}
}

func TestHungPeerIsFoundByReadTest(t *testing.T) {
	tests := []struct {
		name string
		test ReadTest
		want string
	}{
		{"InDoubt", ReadWhenInDoubt, "failed"},
		{"Always", ReadAlways, "failed"},
		{"Never", ReadNever, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				b := newBench(t, &TCPFailureDetector{ReadTest: tt.test})
				m := interceptortest.Member(2)
				b.joined(t, m)
				b.net.set(hung, m)
				b.Part(membership.Failed, m)
				b.pass(defaultReadTimeout - 10*time.Millisecond)
				b.expect(t, m, "")
				b.pass(10 * time.Millisecond)
				b.expect(t, m, tt.want)
			})
		})
	}
}

func TestPauseShorterThanTheLimitsCostsNothing(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBench(t, new(TCPFailureDetector))
		m := interceptortest.Member(2)
		b.joined(t, m)
		b.net.set(hung, m)
		b.Part(membership.Failed, m) // the drop time has passed
		b.pass(4 * time.Second)
		b.net.set(up, m)
		b.Join(m)
		b.pass(time.Minute)
		b.expect(t, m, "")
	})
}

func TestGoodbyeIsBelievedAtOnce(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBench(t, new(TCPFailureDetector))
		m, never := interceptortest.Member(2), interceptortest.Member(3)
		b.joined(t, m)
		before := b.net.count()
		b.Part(membership.Left, m)
		b.Part(membership.Left, never)
		b.pass(0)
		b.expect(t, m, "left")
		b.expect(t, never, "")
		b.pass(time.Minute)
		if got := b.net.count() - before; got != 0 {
			t.Errorf("%d probes after a goodbye, want none", got)
		}
		if got := b.log.Lines(""); got != 0 {
			t.Errorf("%d lines in the log about a goodbye, want none", got)
		}
	})
}

func TestGoodbyeOfASuspectIsBelievedAtOnce(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBench(t, new(TCPFailureDetector))
		m := interceptortest.Member(2)
		b.joined(t, m)
		b.net.set(hung, m)
		b.Part(membership.Failed, m)
		b.pass(time.Second) // while it is probed
		b.Part(membership.Left, m)
		b.pass(0)
		b.expect(t, m, "left")
		b.pass(time.Minute)
		b.expect(t, m, "left")
	})
}

// A probe that was begun before a member was heard again says nothing.
func TestResultForAnOlderVersionDoesNotCount(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBench(t, new(TCPFailureDetector))
		m := interceptortest.Member(2)
		b.joined(t, m)
		b.net.set(dark, m)
		b.Part(membership.Failed, m)
		b.pass(500 * time.Millisecond)
		b.Join(m)
		b.pass(10 * time.Second)
		b.expect(t, m, "")
	})
}

// Nor does one that was begun in an earlier silence than the present one.
func TestResultFromAnEarlierSilenceDoesNotCount(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBench(t, new(TCPFailureDetector))
		m := interceptortest.Member(2)
		b.joined(t, m)
		b.net.set(hung, m)
		b.Part(membership.Failed, m)
		b.pass(time.Second)
		b.Join(m)
		b.pass(3 * time.Second)
		b.Part(membership.Failed, m)
		b.pass(defaultReadTimeout - 100*time.Millisecond)
		b.expect(t, m, "")
		b.pass(5 * time.Second) // the second probe began when the first had ended
		b.expect(t, m, "failed")
	})
}

func TestWatchdogFindsAMemberThatOnlyTCPCannotReach(t *testing.T) {
	tests := []struct {
		name     string
		watchdog time.Duration
		want     string
	}{
		{"On", 5 * time.Second, "failed"},
		{"Off", 0, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				b := newBench(t, &TCPFailureDetector{Watchdog: tt.watchdog})
				m := interceptortest.Member(2)
				b.joined(t, m)
				b.pass(time.Minute)
				if got := b.net.count(); (tt.watchdog > 0) != (got > 10) {
					t.Errorf("%d probes in a minute with Watchdog %v", got, tt.watchdog)
				}
				b.net.set(dark, m)
				b.pass(10 * time.Second)
				b.expect(t, m, tt.want)
			})
		})
	}
}

func TestSuspectTimeout(t *testing.T) {
	tests := []struct {
		name    string
		timeout time.Duration
		suspect bool // after a minute
		probes  int  // in the next minute
	}{
		{"Short", 30 * time.Second, false, 6},
		{"Default", 0, true, 60},
		{"Never", -1, true, 60},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				b := newBench(t, &TCPFailureDetector{SuspectTimeout: tt.timeout})
				m := interceptortest.Member(2)
				b.joined(t, m)
				b.Part(membership.Failed, m)
				b.pass(time.Minute)
				if got := b.status(t, m).Suspect; got != tt.suspect {
					t.Errorf("suspect after a minute of silence: %t, want %t", got, tt.suspect)
				}
				before := b.net.count()
				b.pass(time.Minute)
				if got := b.net.count() - before; got < tt.probes-tt.probes/10-1 || got > tt.probes+1 {
					t.Errorf("%d probes in the second minute, want about %d", got, tt.probes)
				}
				b.net.set(refused, m)
				b.pass(11 * time.Second)
				b.expect(t, m, "failed")
			})
		})
	}
}

// Without a sender nothing can be probed; then the membership is believed.
func TestWithoutSenderTheMembershipIsBelieved(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBench(t, new(TCPFailureDetector))
		b.net.fail(channel.ErrServiceOff)
		m := interceptortest.Member(2)
		b.Join(m)
		b.pass(0)
		b.expect(t, m, "joined")
		b.Part(membership.Failed, m)
		b.pass(0)
		b.expect(t, m, "joined failed")
	})
}

// A process without free descriptors cannot probe and accuses nobody.
func TestOutOfDescriptorsAccusesNobody(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBench(t, new(TCPFailureDetector))
		m := interceptortest.Member(2)
		b.joined(t, m)
		b.net.fail(syscall.EMFILE)
		b.Part(membership.Failed, m)
		b.pass(time.Minute)
		b.expect(t, m, "")
		if got := b.d.Stats().Inconclusive; got < 100 {
			t.Errorf("Stats().Inconclusive = %d after a minute, want more than 100", got)
		}
		b.net.fail(nil)
		b.net.set(refused, m)
		b.pass(time.Second)
		b.expect(t, m, "failed")
	})
}
