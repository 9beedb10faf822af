// Package static finds the members of a group on a list: addresses that are
// configured, or that a [Resolver] looks up, for networks without multicast.
//
// A [Service] is a membership.Service, and it talks to the other members
// through the channel, so it is a layer too: it stands above the layers that
// change or queue messages, Dispatch among them (group.WithStatic does that).
//
//	list, names, Resolver ── addresses ── one asker each ── START, PING ──▶
//	                                            ▲  │      ◀── who is there ──
//	                                            │  ▼
//	who else says that it is there ── asked ──▶ table ── silent ── Failed
//	                                                  ── STOP ──── Left
//
// The messages are those of Tribes' StaticMembershipService (docs/wire.md,
// Static membership), so Java nodes with the same list and the same channel
// name take part.
//
// # Who is a member
//
// A node is a member once it has answered a question that was put to the address
// that it announces. Nothing that is only said counts: not what a third party
// says, and not what a node says of itself at another address. So forged
// messages bring nobody in, a forged announcement pushes nobody out, and a member
// that is seen can be reached. A goodbye counts if it comes in the member's own
// name; one that is forged even in that is undone by the next question, within
// Ping.
//
// An address has one member. When somebody else answers there, the process was
// restarted: the old member has Failed and the new one has Joined.
//
// A member that was silent for Expiration, by a clock that stands still while
// this process does not run, has Failed; each message from it, also those of the
// application, is a sign of life.
//
// # Who is asked
//
// Each address is asked by itself. One that does not answer delays no other, and
// is tried again with growing pauses until the service stops; one with a member
// is asked each Ping. A member that is on no list is taken as well once it
// announces itself, and is asked as long as it answers. An address that vanishes
// from the answers of a Resolver is asked until its member is gone.
//
// # Caveats
//
// All members need the same Config.Name; a Java channel without a name counts
// as "null". Where another name is used, the log says so.
//
// A member must be reachable at the address that it announces, which may be
// another one than that on the list. Between networks that translate addresses
// the receiver must announce the outer one.
//
// The messages are not encrypted and not signed: who can read them on their way
// can forge them.
//
// In Tribes a question is an announcement too, and Java nodes take whoever asks.
// A service that only listens is hidden from members of this module, not from
// them.
package static
