// Package mem is a network in memory, for tests of what is built on a channel.
// A [Network] has hosts; each run of a member on a host is a [Node] with the
// parts for one channel: a sender, a receiver, and a membership service.
//
//	net := mem.NewNetwork(mem.Config{})
//	a, err := channel.New(net.Node("a").Config())
//	b, err := channel.New(net.Node("b").Config())
//
// Messages go through the real codec, as the bytes of a frame. Everything waits
// in ways that testing/synctest understands and nothing reads another clock than
// the time package, so that in a bubble of it a test of minutes takes
// milliseconds.
//
// # Faults
//
// What is between two hosts is set for each direction, at any time: a [Link] with
// delay, jitter, loss, duplication, reordering and bandwidth; Cut, Partition,
// Isolate, Mend and Heal. A host can Crash, or be stopped for a while by Pause. What the
// faults of links mean:
//
//	            message on a connection               datagram, heartbeat
//	loss        transmitted again after 200 ms, then  lost
//	            every 400 ms; others wait behind it
//	delay       late                                  late
//	jitter      late; order is kept                   late; may be overtaken
//	reorder     overtaken by those behind it          overtaken
//	duplicate   delivered twice                       delivered twice
//	cut         as a loss of all                      lost
//	bandwidth   one behind the other                  one behind the other
//
// Reordering and duplicates of messages do not happen between members of this
// product over transport/nio; they do with Java nodes, which use several
// connections and repeat messages.
//
// # Outcomes
//
// The outcomes are those of a real transport. To one destination a sender has one
// connection, which it makes with the first message and again after an error.
//
//   - Acknowledged and Refused: the answer came back. The error of a refusal is a
//     *message.RemoteError with the text of the listener's error.
//   - Written: no ack was asked for, there was a connection and the window had
//     room. The message still arrives, unless the connection ends before; then
//     the stack's Fault flow is told of it.
//   - NotSent: it was not put on a connection. The error wraps
//     syscall.ECONNREFUSED if nobody listens at the address,
//     syscall.EHOSTUNREACH if there is no such host, message.ErrTimeout if there
//     was no connection or no room within Config.Timeout.
//   - Unknown: it was put on a connection and no answer came. The error is
//     message.ErrTimeout after Config.Timeout, or wraps syscall.ECONNRESET if
//     the other side has ended.
//
// A message that is not there at its deadline ends its connection, with all that
// is on it, so that it cannot arrive later. The transport repeats no message by
// itself: Result.Retried is never set.
//
// # Chance
//
// With one seed, the n-th transmission in one direction between two hosts has
// the same fate in every run, whatever happens elsewhere. A program whose
// messages come in the same order in every run has therefore the same schedule
// in every run, as far as the Go scheduler has no part in it.
//
// # Caveats
//
// As with TCP, a message to a member that was replaced by another one at its
// address reaches that one.
//
// On a perfect wire nothing takes time. In a bubble of testing/synctest a loop
// that only sends keeps time from passing, for all.
//
// With the race detector, run tests in such bubbles with one processor (GOMAXPROCS=1):
// in Go 1.26 two timers of one bubble that fire at the same time on two processors crash
// the runtime of the detector.
//
// The option Secure has no effect. There is one sender at an address; two
// channels on one host need two host names.
//
// A crashed channel goes on to run, alone: it must be stopped like any other.
package mem
