// Package interop proves wire compatibility against real Tribes nodes: Java processes of the 9.0, 10.1 and 11.0
// lines, driven by tests through java/EchoPeer.java, java/RpcPeer.java for remote calls, and java/MapPeer.java for maps.
//
// The tests need a JDK and the jars, so they carry the build tag interop and are run by
//
//	.ci/install-java && go test -tags interop ./interop/
//
// Without the tag only the generator of test messages is tested. With the tag a missing jar is a failure, never a
// skip. TRIBES_BUILD names the build folder if it is not .build in the root of the module.
//
// # The driver
//
// startPeer starts a node and returns once it has joined. Its events collect in an inbox; waitEvent takes the first
// one that matches, however long ago it came, so a test never misses an event and never sees one twice. Commands are
// numbered and answers carry the number: call sends one and waits for its answer. All waiting ends with the caller's
// context, and a failing test shows the last lines that each of its nodes printed.
//
//	group := freeGroup(t)
//	a := startPeer(ctx, t, v101, peerConfig{Group: group})
//	b := startPeer(ctx, t, v90, peerConfig{Group: group})
//	a.waitEvent(ctx, "memberAdded", about(b))
//	b.call(ctx, "quiet on", "ok")
//	a.bulk(ctx, bulkSend{To: b.addr, Options: optSync, Series: series{1, mix}, Count: 1000})
//	checkSeries(t, b.received(ctx, a.id), series{1, mix}, 1000, inOrder)
//
// startNode starts a member of this module in the process of the test, with the same knobs; startGoPeer starts one in a
// process of its own, that can be killed and takes the commands of a Java node:
//
//	n := startNode(ctx, t, goConfig{Group: group})
//	meet(ctx, t, n, a)
//	n.send(ctx, bulkSend{To: a.id, Options: optSync, Series: series{2, mix}, Count: 1000})
//	checkSeries(t, a.received(ctx, n.id), series{2, mix}, 1000, inOrder)
//
// The control tests run Java against Java. They say nothing about this module; they show that the driver, the
// generator and the machine work, so that a failure between Go and Java means what it says.
//
// # Caveats
//
// Most nodes are JVMs: keep at most three alive in a test that sends much, and run such tests one after the other; those
// that mostly wait run for all lines side by side. Nodes talk over the
// loopback interface, each test on ports of its own, so that runs side by side do not meet.
//
// Two things differ between the lines. The releases of 9.0 and 11.0 that are used encrypt without a timestamp, the one
// of 10.1 with it, and these forms do not understand each other. Members inside Java objects, as replicated maps and
// static membership send them, have another class version in 9.0.
package interop
