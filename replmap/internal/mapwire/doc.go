// Package mapwire has the bytes of the protocol of replicated maps: what the members that
// have the same map tell each other.
//
// # The format
//
// A message is a version, a kind, and the kind's body. The version is 1, or 2 if there is
// something in the message that only 2 has:
//
//	1  hello    u8 lowest version, u8 highest, text map, text codecs, u8 flags, u8 state
//	2  bye      nothing
//	3  change   list of entries
//	4  request  n request, place, n entries, n bytes
//	5  block    n request, place, list of entries
//	6  buckets  n request, u8 answer, n entries, 256 times u64 sum
//	7  digests  n request, u8 bucket, list of (text key, version, u64 sum)
//	8  fetch    n request, list of text key
//	9  done     n request
//	10 write    n request, u8 condition (1 absent, 2 version, 3 value), entry without
//	            version and marks, then with condition 2 a version, with 3 a text value;
//	            with condition plus 8 then a version and the u64 sum of a value that who
//	            asks has (version 2); if the map has a function that resolves
//	            conflicts, and the version is that of the condition, the entry
//	            must have that value
//	11 written  n request, u8 outcome, text error, u8 there, then an entry if that is 1
//	12 ask      n request, n bytes, list of text key
//	13 values   n request, n how many keys are answered, list of entries
//	14 check    n request, list of (text key, version, u64 sum of the value)
//	15 checked  n request, list of u8 (0 not the state, 1 a proxy, 2 the value,
//	            3 the value, and is to have it)
//
// made of
//
//	n         a number of seven bits per byte, the lowest first, as short as it can be
//	text      n length, bytes
//	list      n count, items
//	node      n place among the nodes that the message has named so far; the next
//	          place names a new one, and its 16 bytes follow
//	version   n counter, which is not 0, node
//	lifetime  n milliseconds plus one, rounded up; 0 is for ever
//	place     n bucket, u8 begun, then with 1 a text key
//	entry     text key, u8 flags, value, version, marks
//	          flags: 1 gone (no value follows), 2 lifetime follows the value,
//	          4 marks follow the version: a list of versions, in order of members;
//	          8 proxy: the value is elsewhere, a u64 sum of it stands in its place;
//	          16 the value is where it is to be;
//	          32 a difference stands in the place of the value (version 2)
//	difference version and u64 sum of the value that it is a difference to, n bytes and
//	          u64 sum of the value that it makes, text steps in the form of package
//	          bytediff; without steps the two are the same value
//
// Fixed numbers are big endian. Flags of the hello: 1, the map has a function that resolves
// conflicts; 2, its sender has heard a hello of who gets it. Codecs are those of keys and
// values, with a slash between; in a map whose values have backups " +backups=N" follows,
// and only there are kinds from 12 on and the flags 8, 16 and 32. Differences are in changes,
// writes and their answers; an answer of version 2 may have outcome 5: the value is to be sent
// whole. There is one way to write each message, and [Decode] refuses all others.
//
// # Limits
//
// No length and no count takes memory before the rest of the input is known to hold it.
//
// # Caveats
//
// Values and steps in a decoded message alias its bytes; keys do not. A reader of version 1
// refuses every other version, so a hello is always of version 1; version 2 is sent to who has
// said in its hello that it speaks it.
package mapwire
