// Package membershiptest has the tests that every implementation of
// membership.Service must pass. The contract of that interface is written down
// in its comments; here it runs.
//
// An implementation describes to the suite how a group of its services is made,
// with a [Group], and runs it as one test:
//
//	func TestService(t *testing.T) {
//		membershiptest.Run(t, func(t testing.TB) *membershiptest.Group {
//			net := newNetwork(t)
//			return &membershiptest.Group{
//				Node:       func(i int) membershiptest.Node { return net.node(i) },
//				FailWithin: 2 * time.Second,
//			}
//		})
//	}
//
// [RunVirtual] is the same with the virtual time of testing/synctest, for
// implementations that touch no real socket.
//
// # Caveats
//
// The suite waits for events and never sleeps, but where it says that something
// does not happen it can only look at what happened until something later was
// seen.
//
// It does not look for goroutines that are left over: the tests of the
// implementation do so when all of them have run, and each service that the
// suite starts is stopped.
package membershiptest
