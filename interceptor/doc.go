// Package interceptor has the layers that stand between an application and the
// network: each implements channel.Interceptor and is used by naming it in
// channel.Config or group.WithInterceptors. They are wire compatible with the
// interceptors of Apache Tribes (docs/wire.md, Interceptors).
//
//	application
//	    │  ▲
//	 [TwoPhaseCommit]       delivers what all destinations have
//	 [Dispatch]             queues async messages, one queue per destination
//	 [Throughput]           counts
//	 [Compress]             compresses for members that understand it
//	 [Gzip]                 compresses
//	 [Order]                numbers messages and delivers them in order
//	 [Fragmentation]        sends large messages in parts
//	 [NonBlockingCoordinator], [SimpleCoordinator]
//	                        say which member coordinates
//	 [Encrypt]              encrypts, and keeps clear text from the application
//	 [DomainFilter]         sees members of its own domain only
//	 [TCPPing]              tries the way to members regularly
//	 [TCPFailureDetector]   probes members before it believes that they came or went
//	 [StaticMembers]        adds members from a list
//	    │  ▲
//	network
//
// A layer is a struct whose exported fields are its settings; the zero value has
// good ones. The fields are read when a channel is made. A layer value serves
// one channel; what it knows is told by its Stats method, at any time and on any
// goroutine.
//
// # Order of layers
//
// Probes of a detector pass none of the layers above it on the way out and none
// on the way in, because the detector of the other side swallows them. So what
// changes the bytes of messages (Gzip, Order, Fragmentation, Encrypt) stands above it,
// in the same order at every member of the group: nothing negotiates layers, but for
// Compress. Dispatch stands on top, so that a queued message is compressed and numbered
// when it is its turn; TwoPhaseCommit alone stands above it, since it has to see all
// destinations of a message at once. A coordinator stands below what changes bytes, but for
// Encrypt, because its probes pass none of the layers on the way out either, and above
// those that say who is a member. channel.New refuses what cannot work; docs/layers.md lists what that is, and
// what each layer costs.
//
// # Events
//
// A layer that hides or delays members changes both the events and the view, in
// agreement: in what it passes up every Joined is followed by one Left or Failed
// of the same member before the next, and whoever asks for the view when an
// event is passed up finds what the events so far add up to.
//
// Package interceptortest has the tests that every layer passes.
//
// # Caveats
//
// A Java node without a TcpFailureDetector hands probes to its application, as
// byte messages of 64 bytes, if it is probed by a TCPFailureDetector with its
// send test or read test.
//
// Messages with and without the option Async overtake each other, since only the
// former are queued.
package interceptor
