// Package faults proves on a network that breaks what package group promises:
// members are processes of their own, each on a host of its own in a network of
// package netlab, and the tests kill, stop, starve and cut them off.
//
// The tests need Linux, root, and the commands of iproute2 and nftables, so they
// carry the build tag faults:
//
//	.ci/install-tools && go test -tags faults ./faults/
//
// Without one of these they fail; they never skip. TRIBES_FAULTS=full makes
// groups larger, faults longer and repetitions more; TRIBES_FAULTS=race makes the
// members look for data races, with time limits three times as long. TRIBES_SEED
// repeats the faults of TestTurmoil, though not what they meet.
//
// # How a test is made
//
// A lab is a network with members on it. What a member prints is kept in order in
// its journal, with the time at which it came; tests wait for entries, and look
// back at all of them:
//
//	l := newLab(t, 3)
//	l.startAll()
//	l.whole(0)                              // everybody sees everybody, and nobody else
//	load := l.node(0).bench("x", 500, 1024, "sync", 200, "*")
//	killed := l.node(2).kill()
//	l.node(1).gone(killed, l.node(2), drop) // within the drop time
//	...
//	l.check()                               // what must hold in every run
//
// A time limit is that of the promise, and grows by the time for which the
// machine did not let the test run, which is measured all along.
package faults
