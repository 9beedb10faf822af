// Package bytediff describes a value by what is different from an older value.
//
// A large value, such as a session attribute or an entry of a map, is often an encoded object of
// which one field has changed. [Append] writes the new value as copies out of the old one and the
// bytes that are not there; [Apply] makes the new value again. A difference is a
// sequence of steps:
//
//	copy    uvarint n<<1|1, uvarint offset    n bytes of the old value
//	insert  uvarint n<<1,   n bytes           n bytes of the difference
//
// with n > 0. The steps give the new value from its beginning to its end.
//
// # Caveats
//
// A difference does not say what it is a difference to: whoever carries it also
// carries the name of the old value, and a checksum of the new one. Unchanged
// runs of fewer than 16 bytes are not looked for, except at both ends of the value.
package bytediff
