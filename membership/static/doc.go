// Package static finds the members of a group on a list: addresses that are
// configured, or that a [Resolver] looks up, for networks without multicast.
//
// A [Service] is a membership.Service, and it talks to the other members
// through the channel, so it is a layer too: it must be the topmost layer that
// sends messages of its own, above Dispatch (group.WithStatic does that).
//
//	addresses ── one dialler each, for ever ── START, PING ──▶ member
//	                                         ◀── its member ──┘
//	table ── silent for Expiration ── Failed
//	      ── STOP ─────────────────── Left
//
// The messages are those of Tribes' StaticMembershipService (docs/wire.md,
// Static membership), so Java nodes with the same list and the same channel
// name take part.
//
// Each address is dialled by itself: an address that does not answer delays no
// other, and is tried again with growing pauses until the service stops. A
// member whose address is not on the list is taken as well once it announces
// itself; it stays as long as it does.
//
// # Caveats
//
// All members need the same Config.Name; a Java channel without a name counts
// as "null".
//
// The unique id of a peer need not be known: what counts is who answers. Where
// it is given, an answer with another id is refused.
package static
