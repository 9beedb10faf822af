// Package nio is the transport over TCP, and over UDP for messages that ask for
// it: a [Sender] and a [Receiver] that speak the wire of Apache Tribes with Java
// nodes, and the same with numbered acks among members of this product.
//
// # Sending
//
//	caller ── Send ──┬─ queue of member A ─┬─ link ═ connection ═ A
//	                 │                     └─ link ═ connection ═ A   (plain acks only)
//	                 └─ queue of member B ─── link ═ connection ═ B
//
// A send encodes the head of its frame once and puts a frame into the queue of
// each destination: those of up to 16 KiB as copies, side by side, so that
// everything that waits leaves in one write; larger ones by reference. Queues
// are bounded in messages and bytes. Where one is full the send waits, for as
// long as its context allows, after all others have the message: a member that
// is slow or gone delays nobody else.
//
// What no longer waits in a queue belongs to a link: one TCP connection with a
// goroutine that writes and one that reads the answers. A link that breaks fails
// or returns its own messages and no others.
//
//	          ┌─────────┐ no connection: the queue fails
//	          │ dialing ├──────────────────────────────────────────────┐
//	          └────┬────┘                                              │
//	               │ connected                                         │
//	          ┌────▼────┐                                              │
//	          │unproven │  one acked frame on its way                  │
//	          └─┬─────┬─┘                                              │
//	numbered ack│     │plain ack                                       │
//	    ┌───────▼─┐ ┌─▼───────┐                                        │
//	    │pipelined│ │  plain  │  one acked frame on its way for ever,  │
//	    │ window  │ │         │  up to Pool.Size links                 │
//	    └───────┬─┘ └─┬───────┘                                        │
//	       MaxAge, MaxUses, IdleClose                                  │
//	          ┌─▼─────▼─┐                                              │
//	          │draining │  takes nothing more, waits for its answers,  │
//	          └────┬────┘  shuts its side and waits for the other      │
//	               │                                                   │
//	          ┌────▼────┐ error, timeout, wrong answer (from any state)│
//	          │ closed  ◄──────────────────────────────────────────────┘
//	          └─────────┘
//
// The acks of Tribes have no number, so a connection whose acks are plain can
// carry one acked frame at a time. Every acked frame says that its sender
// understands numbered acks; a member of ours answers with one, and that answer,
// nothing else, opens the connection for Window frames (docs/wire.md, Numbered
// acks). Until the first answer of any kind a member has one connection, so that
// the order is kept if it is one of ours.
//
// # Outcomes
//
// A frame that was written and not answered is written again on the next
// connection, Retries times, if its connection broke; receivers of ours
// recognise it, and towards others the result says that it was retried. A frame
// whose time for an answer is over is not: its outcome is unknown and its
// connection is reset, so that nothing of it arrives later. The other frames of
// that connection move to the next one and keep their own time. Where no
// connection can be made everything that waits fails at once.
//
// # Waiting
//
// Falling asleep and being woken takes longer than a small message. A goroutine
// that waits for bytes therefore asks for them for up to SocketOptions.BusyPoll
// before it sleeps, if they came that soon lately, if the process has another
// processor for everything else, and if no thread of the machine waits for one.
//
// # Caveats
//
// An outcome of Written means that the system took the bytes. It may throw them
// away when the connection breaks, and then nobody is told.
//
// Order between two members of ours holds as long as both use one connection:
// not with Pool.Links above 1, and not for messages that were written to a
// connection that broke.
//
// A [Receiver] closes a connection that brings no frame for its
// FirstFrameTimeout, so that a connection made by Preconnect and not used by
// then is made again for the first message.
//
// The option Secure has no effect on the connection, as in Tribes; a Dial
// function that returns TLS connections has. There Timeouts.Write bounds each
// piece of 16 KiB, because such a write cannot be resumed.
package nio
