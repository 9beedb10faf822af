package record

import "hash/crc32"

// A digest is the sum, modulo 2^64, of one hash for the key and one for each item: an
// attribute that was set, a share, an id, the timeout, the principal. So it is kept
// up to date by taking the old hash away and adding the new one. A removed name has
// no hash: nodes forget them at different times.
//
// The hash of an item is FNV-1a over a tag and the item's fields, strings with their
// length in front, numbers as eight bytes, all big-endian, followed by the finaliser
// of MurmurHash3. It is part of the protocol; testdata/digest.json has examples.

// The tags.
const (
	tagKey = 1 + iota
	tagAttribute
	tagShare
	tagID
	tagTimeout
	tagPrincipal
	tagEnd
)

type hasher uint64

func newHasher(tag byte) hasher { return hasher(14695981039346656037).byte(tag) }

func (h hasher) byte(b byte) hasher { return (h ^ hasher(b)) * 1099511628211 }

func (h hasher) uint64(v uint64) hasher {
	for shift := 56; shift >= 0; shift -= 8 {
		h = h.byte(byte(v >> shift))
	}
	return h
}

func (h hasher) string(s string) hasher {
	h = h.uint64(uint64(len(s)))
	for i := range len(s) {
		h = h.byte(s[i])
	}
	return h
}

func (h hasher) version(v Version) hasher {
	id := v.Node.ID()
	h = h.uint64(v.Counter)
	for _, b := range id {
		h = h.byte(b)
	}
	return h
}

// end mixes the bits, so that sums of hashes of similar items do not meet.
func (h hasher) end() uint64 {
	x := uint64(h)
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}

func hashKey(k Key) uint64 { return newHasher(tagKey).string(string(k[:])).end() }

// hash returns the sum of the hashes of an entry and its shares.
func (e *entry) hash() uint64 {
	var sum uint64
	name := e.name.Value()
	if e.kind != Removed {
		sum = newHasher(tagAttribute).string(name).version(e.ver).byte(byte(e.kind)).
			uint64(uint64(e.start())).uint64(uint64(len(e.value))).uint64(uint64(e.sum)).end()
	}
	for _, sh := range e.shares() {
		sum += hashShare(name, e.ver, sh)
	}
	return sum
}

func hashShare(name string, of Version, sh Share) uint64 {
	return newHasher(tagShare).string(name).version(of).version(sh.version()).uint64(uint64(sh.Sum)).end()
}

func (id ID) hash() uint64 {
	return newHasher(tagID).version(id.Version).string(id.Text).end()
}

func (t Timeout) hash() uint64 {
	if t.Version.IsZero() {
		return 0
	}
	return newHasher(tagTimeout).version(t.Version).uint64(uint64(t.After.Milliseconds())).end()
}

func (p Principal) hash() uint64 {
	if p.Version.IsZero() {
		return 0
	}
	return newHasher(tagPrincipal).version(p.Version).uint64(uint64(len(p.Value))).uint64(uint64(Checksum(p.Value))).end()
}

// hashEnd is all that an ended session adds to the hash of its key: who ended it
// does not matter.
func hashEnd() uint64 { return newHasher(tagEnd).end() }

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Checksum returns the Castagnoli CRC-32 of a value, as differences and digests
// have it.
func Checksum(value []byte) uint32 { return crc32.Checksum(value, castagnoli) }
