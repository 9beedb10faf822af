// Package sessionwire has the bytes of the session protocol: what the members that have
// the same session manager tell each other.
//
// # The format
//
// A message is the version (1), a kind, and the kind's body:
//
//	1  hello          u8 lowest version, u8 highest, u8 state, text manager, text codec, text route
//	2  bye            u8 draining
//	3  change         key, node origin, n From, n To-From, parts
//	4  touches        list of (key, version, remaining), in order of keys
//	5  ends           list of (key, version, u8 reason), in order of keys
//	6  state request  n request, key from, n sessions, n bytes
//	7  state block    n request, n index, u8 last, list of snapshots, in order of keys
//	8  buckets        n request, u8 answer, n sessions, 256 times u64 sum
//	9  digests        n request, u8 bucket, list of (key, u64 digest), in order of keys
//	10 fetch          n request, list of keys, in order
//
// made of
//
//	n          a number of seven bits per byte, the lowest first, as short as it can be
//	z          a signed number, as n with the sign in the lowest bit
//	text       n length, bytes; so are values
//	list       n count, items
//	key        16 bytes
//	node       n place among the nodes that the message has named so far; the next
//	           place names a new one, and its 16 bytes follow
//	version    n counter; unless it is 0, node
//	remaining  n milliseconds plus one; 0 is never
//	snapshot   key, list of (node, n counter) in order of nodes, parts
//	parts      u8 flags, and in this order those that are there:
//	           01 list of attributes, in order of names
//	           02 list of (version, text id), newest first
//	           04 version, n timeout in milliseconds, 0 is never
//	           08 version, value of the principal
//	           10 version, remaining
//	           20 version, u8 reason (1 invalidated, 2 expired); then nothing else
//	attribute  text name, u8 kind, version, content; kind + 4: list of shares at the end
//	           0 removed     nothing
//	           1 bytes       value
//	           2 number      z start
//	           3 difference  version of the old value, n size, u32 CRC-32C, steps
//	share      node, n counter, z sum
//
// Fixed numbers are big endian. A difference has the steps of package bytediff and stands
// in changes only. Shares are in order of nodes; they stand with kinds 0 and 2, and only
// with shares may the version of kind 0 be zero. Lists that a flag announces are not
// empty, names and ids neither.
//
// There is one way to write each message, and [Decode] refuses all others. So bytes can be
// compared, and what one node passes on is what it got.
//
// # Limits
//
// No length and no count takes memory before the rest of the input is known to hold it; a
// message takes at most 40 times its bytes, most far less. It can name 65536 nodes.
// Limits of sessions are not checked here but by the merge.
//
// # Caveats
//
// Values in a decoded message alias its bytes. A reader of version 1 refuses every other
// version, so a hello, by which two members find the version they both speak, is always
// of version 1.
package sessionwire
