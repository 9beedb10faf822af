// Package mcast finds the members of a group by IP multicast, as McastService
// of Tribes does (docs/wire.md, Multicast membership): each member sends its
// image to the group at a steady pace; silence means that it is gone, and one
// that leaves says goodbye. It also carries messages with the option
// message.Multicast, one datagram each. The [Service] implements
// membership.Service and channel.Broadcaster.
//
// # Life of a member as others see it
//
//	unknown ──heartbeat──▶ Joined ──other description──▶ Updated
//	                         │
//	                         ├──silence of DropTime──────▶ Failed
//	                         └──goodbye──────────────────▶ Left
//
// A newcomer announces itself when its socket listens, and whoever hears a new
// member answers with a heartbeat of its own, so that a group forms within one
// round trip. Answers to several newcomers are one datagram, at most one each
// 50 ms, and large groups spread them over a few milliseconds.
//
// After a goodbye, heartbeats of that member that can have been sent before it
// are stragglers: they do not bring the member back. Those that must have been
// sent later do: the goodbye was forged, or a Java node has started again
// without a new id. A member whose goodbye was refuted like that is from then on
// believed to leave only when it is silent after it.
//
// Another id on the address of a member means that its process was restarted.
// Both are members until the old one has missed three heartbeats.
//
// # Goroutines
//
// One reads the socket and owns the table and the events; it is never blocked by
// user code. One sends heartbeats. One delivers messages, behind a queue that is
// bounded by bytes.
//
// # Faults
//
// Datagrams that are damaged, hostile or of somebody else are counted by reason
// and dropped (see [Stats]); they change nothing else, and not more than one log
// line a minute tells of each kind and source. A socket that fails is opened
// again, for ever, and no goodbye is said meanwhile. A service that was itself
// not running (a stopped process, a starved machine) first reads what waits in
// the socket and gives others time to be heard before it takes them for failed.
// Time is read from the monotonic clock alone.
//
// # Caveats
//
// Nothing on this wire is authenticated: whoever can send to the group can be a
// member, and can make others believe for about a second that a member has left.
//
// Messages by multicast are not acknowledged, and lost where a receiver is slow.
// They are delivered only if [Config].Messages says so.
//
// The group's address is bound, so datagrams for other groups on the same port do
// not arrive. On Linux the socket hears its own interface alone. Systems that
// cannot bind a multicast address bind the port on all addresses.
//
// On Linux datagrams are read in batches, and golang.org/x/net allocates the
// source address of each; nothing else is allocated for the heartbeat of a known
// member.
package mcast
