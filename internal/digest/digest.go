// Package digest has the hash by which nodes find out whether what they have is the same.
//
// It is FNV-1a over fields: strings with their length in front and numbers as eight bytes,
// big-endian. The finaliser of MurmurHash3 follows, so that sums of hashes of similar things
// do not meet. It is part of the protocols of maps and of sessions (docs/wire.md).
package digest

// Hash is what was hashed so far. It is a value: each method returns the next one.
type Hash uint64

// New returns the hash of nothing.
func New() Hash { return 14695981039346656037 }

// Byte adds a byte.
func (h Hash) Byte(b byte) Hash { return (h ^ Hash(b)) * 1099511628211 }

// Uint64 adds a number.
func (h Hash) Uint64(v uint64) Hash {
	for shift := 56; shift >= 0; shift -= 8 {
		h = h.Byte(byte(v >> shift))
	}
	return h
}

// Bytes adds bytes without their number, which everybody knows.
func (h Hash) Bytes(p []byte) Hash {
	for _, b := range p {
		h = h.Byte(b)
	}
	return h
}

// String adds a string and its length.
func (h Hash) String(s string) Hash {
	h = h.Uint64(uint64(len(s)))
	for i := range len(s) {
		h = h.Byte(s[i])
	}
	return h
}

// End mixes the bits.
func (h Hash) End() uint64 {
	x := uint64(h)
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}
