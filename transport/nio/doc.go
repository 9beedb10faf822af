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
// # TLS
//
// With a TLS configuration a [Receiver] has a second port, which its member
// announces as the secure port, and a [Sender] sends messages with the option
// Secure there, by links of their own: each member has two sets of queue and links,
// and messages keep their order within one set, not between the two. Frames, acks
// and pipelining are the same in both. A message with the option Secure for which
// there is no secure way is not sent; it never travels in the clear.
//
// On a receiver with TLS the option Secure of a delivered message says whether it
// came over TLS, whatever its sender has written. TLS says who made the connection,
// by its certificate; that the member in a frame is the same is not checked.
//
// The clear port stays open and takes messages: probes of the failure detector and
// static membership use it, as do Java nodes. Who wants no other messages from it
// looks at the option Secure, as the layer of group.WithTLS does.
//
// Certificates and authorities change by the functions of tls.Config, which each
// handshake calls anew. A connection that is open keeps what it began with;
// Pool.MaxAge bounds for how long.
//
// With TLS 1.3 a member that does not take the certificate of the sender says so
// only after the sender has begun to write. Messages without UseAck then have the
// outcome Written, those with it fail with the alert as the error.
//
// # Waiting
//
// Falling asleep and being woken takes longer than a small message. With
// SocketOptions.BusyPoll a goroutine that waits for bytes asks for them for so long
// before it sleeps, if they came that soon lately and if the process has another
// processor for everything else.
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
// What is kept for a member stays until it leaves or fails. Of others that were sent
// to, more than 512 are kept only while messages to them are under way: their idle
// connections are closed, and their counts in Stats end.
//
// A [Receiver] closes a connection that brings no frame for its
// FirstFrameTimeout, so that a connection made by Preconnect and not used by
// then is made again for the first message.
//
// Timeouts.Write bounds each piece of 16 KiB on connections with TLS, those of a
// Dial function included, because such a write cannot be resumed.
package nio
