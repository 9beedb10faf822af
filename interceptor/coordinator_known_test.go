package interceptor

import (
	"testing"
	"time"

	"github.com/gotribes/tribes/interceptor/interceptortest"
	"github.com/gotribes/tribes/membership"
)

// A process that has restarted answers for the one that it was before: a member whose
// address another one has taken by the time its probe is answered is not believed in, be
// it new or known from tokens for a while.
func TestProbeThatASuccessorAnswers(t *testing.T) {
	set, err := new(NonBlockingCoordinator).settings()
	if err != nil {
		t.Fatal(err)
	}
	successor := interceptortest.Member(20)
	ghost := interceptortest.MemberAt(successor.AddrPort(), 2000)
	for _, known := range []bool{false, true} {
		a := newAcquaintances()
		a.local = interceptortest.Member(10)
		now := time.Now()
		if wait, ok := a.introduce([]*membership.Member{ghost}, now); !ok || !wait[ghost.Key()] {
			t.Fatalf("introduced: %v, %v, want a probe", wait, ok)
		}
		if known {
			a.probed(ghost.Key(), true, now, &set)
			if !a.has(ghost.Key()) {
				t.Fatal("a member that answers is not believed in")
			}
			now = now.Add(set.timeout)
			a.tick(now)
			if a.probing[ghost.Key()] == nil {
				t.Fatal("it is not probed again")
			}
		}
		a.event(membership.Event{Kind: membership.Joined, Member: successor, At: now}, now, &set)
		a.probed(ghost.Key(), true, now, &set)
		if a.has(ghost.Key()) || !a.has(successor.Key()) {
			t.Errorf("known before: %v: members %v, want the successor alone", known, a.members())
		}
	}
}
