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
//
// # Outcomes
//
// A [Receipt] is settled once per destination, or more often if a layer has split
// the message and said so with Add; then the worst outcome of a destination
// counts:
//
//	NewReceipt(3) ── Settle(a) ── Settle(b) ── Settle(c) ──► done ── Reset ─► …
//
// # Caveats
//
// Payload and Part share memory with the message; Clone what is to be kept.
//
// The frame of a message says who sent it and nobody vouches for that: the
// sender is who it claims to be only on a network where all can be trusted.
//
// Tribes reads message ids of any length and makes ids of 16 bytes; ids of more
// than [MaxID] bytes are refused here. An id of another length than 16 is kept
// as it came, and [Message.ID] has its first bytes.
package message
