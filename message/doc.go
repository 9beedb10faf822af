// Package message has what travels: the [Message] with its [Options] and [ID],
// the frame that carries it, the acks that answer it, and the [Receipt] that
// collects the outcome at each destination.
//
// # Frame
//
//	0     FLT2002          start magic
//	7     N                data length, 32 bits
//	11    options          32 bits
//	15    time stamp       milliseconds since 1970, 64 bits
//	23    U, message id    32 bits, U bytes (16 but from odd nodes)
//	      A, sender        32 bits, a member image
//	      L, message       32 bits, L bytes
//	11+N  TLF2003          end magic
//
// [Scan] finds a frame, [ParseFrame] reads it in place, [AppendFrame] writes
// one. Lengths are checked against what is there before anything is believed;
// a stream that breaks a rule cannot be read on and its connection is closed.
//
// # Who owns the bytes
//
// There are three verbs. To borrow is to use bytes until the function returns;
// that is the default everywhere. Retain and Release keep counted memory
// longer. Clone makes a private copy. Each function that takes or gives bytes
// in another way says so.
//
// In builds with the race detector or the tag tribesdebug, released memory is
// overwritten and [CheckLive] reports what was never released.
package message
