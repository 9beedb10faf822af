// Package membership says what a member of a group is: its [ID], the immutable
// [Member] with its encoding on the wire, the [View] of all that are there, the
// [Event] of a change, and the [Table] from which services derive them; and the
// [Agreed] view, for layers that let members agree on one. It is
// the ground floor: it knows nothing of messages or channels.
//
// Services that find members implement [Service]; they live in subdirectories
// of this package, which in Go are packages of their own, several floors up. A
// [Union] makes one service of several. Tests that every service must pass are
// in package membershiptest.
//
// # Life of a member
//
//	            Joined            Updated
//	unknown ───────────► present ◄───────┐
//	   ▲                   │  │  └───────┘
//	   │   Left: goodbye   │  │
//	   ├───────────────────┘  │
//	   │   Failed: silence    │
//	   └──────────────────────┘
//
// # Member image
//
// All integers are big endian. The image is what heartbeats carry, and every
// frame as its sender.
//
//	 0  TRIBES-B 01 00   begin magic
//	10  B                body length, 32 bits: 49 + H + C + D + P
//	14  alive            milliseconds since the member started, 64 bits
//	22  port             32 bits
//	26  secure port      32 bits, -1 for none
//	30  UDP port         32 bits, -1 for none
//	34  H                8 bits, 4 or 16
//	35  host             H bytes
//	    C, command       32 bits, C bytes
//	    D, domain        32 bits, D bytes
//	    unique id        16 bytes
//	    P, payload       32 bits, P bytes
//	    TRIBES-E 01 00   end magic
//
// # Caveats
//
// Two members are the same if host, port and id are equal. A process that
// restarts has a new id, so for a while two members can stand on one address.
//
// Nothing proves that a member is who its image says, nor that it said goodbye
// itself.
//
// The alive time is what a member says of itself. Nothing in this module
// decides anything by it but the order of a view.
package membership
