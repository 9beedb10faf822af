// Package sessiontest is for tests of what package session is extended with, and of
// programs that use it: [TestStore] is the list of checks that every store of sessions
// passes, [RoundTrip] the one of codecs, and [Store] a store in memory whose faults the
// test decides on.
//
// A store's own test has one call:
//
//	func TestConformance(t *testing.T) {
//		sessiontest.TestStore(t, sessiontest.Options{
//			New: func(t testing.TB) func() store.Store {
//				dir := t.TempDir()
//				return func() store.Store { return open(t, dir) }
//			},
//			MaxData: 1 << 20,
//		})
//	}
//
// # Caveats
//
// Only tests may import it.
package sessiontest
