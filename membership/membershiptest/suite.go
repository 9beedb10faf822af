package membershiptest

import (
	"testing"

	"github.com/gotribes/tribes/internal/bubble"
)

// Run runs all checks as subtests of t, in real time. newGroup is called once
// for each check, with the testing.TB of that check; what it starts it ends with
// t.Cleanup.
func Run(t *testing.T, newGroup func(t testing.TB) *Group) {
	t.Helper()
	for _, c := range checks {
		t.Run(c.name, func(t *testing.T) { c.run(t, newGroup) })
	}
}

// RunVirtual is [Run] with each check in a bubble of testing/synctest: time is
// virtual, and everything that newGroup makes must live inside of the bubble, so
// it cannot use real sockets.
func RunVirtual(t *testing.T, newGroup func(t testing.TB) *Group) {
	t.Helper()
	for _, c := range checks {
		t.Run(c.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) { c.run(t, newGroup) })
		})
	}
}

// check is one promise of the contract.
type check struct {
	name string
	f    func(s *suite)
}

var checks = []check{
	{"StartsAlone", startsAlone},
	{"TwoSeeEachOther", twoSeeEachOther},
	{"LateComerSeesAll", lateComerSeesAll},
	{"StartContextEnds", startContextEnds},
	{"UpdateIsSeen", updateIsSeen},
	{"UpdateWithoutChange", updateWithoutChange},
	{"UpdateWhileNotRunning", updateWhileNotRunning},
	{"StopIsSeenAsLeft", stopIsSeen},
	{"KillIsSeenAsFailed", killIsSeen},
	{"RestartAfterStop", restartAfterStop},
	{"RestartAfterKill", restartAfterKill},
	{"ManyComeAndGo", manyComeAndGo},
	{"NoNotifyAfterStop", noNotifyAfterStop},
	{"StopTwice", stopTwice},
	{"StopBeforeStart", stopBeforeStart},
	{"StopAtOnce", stopAtOnce},
	{"StopWithEndedContext", stopWithEndedContext},
	{"StartError", startError},
	{"StartWithEndedContext", startWithEndedContext},
	{"ListenOnly", listenOnly},
	{"AnnounceOnly", announceOnly},
	{"ConcurrentUse", concurrentUse},
}

// suite is one run of one check.
type suite struct {
	testing.TB
	group *Group
	nodes []*node
}

func (c check) run(t testing.TB, newGroup func(t testing.TB) *Group) {
	s := &suite{TB: t, group: newGroup(t).withDefaults(t)}
	defer s.finish()
	c.f(s)
}

// finish stops what the check has not stopped and reports what its nodes saw
// that no service may do.
func (s *suite) finish() {
	for _, n := range s.nodes {
		n.stop()
	}
	for _, n := range s.nodes {
		for _, v := range n.violations() {
			s.Errorf("%s: %s", n, v)
		}
	}
}
