package record

import (
	"hash/crc32"

	"github.com/gotribes/tribes/internal/digest"
)

// A digest is the sum, modulo 2^64, of one hash for the key and one for each item: an
// attribute that was set, a share, an id, the timeout, the principal. So it is kept
// up to date by taking the old hash away and adding the new one. A removed name has
// no hash: nodes forget them at different times.
//
// The hash of an item is that of package digest over a tag and the item's fields. It is
// part of the protocol; testdata/digest.json has examples.

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

func newHash(tag byte) digest.Hash { return digest.New().Byte(tag) }

func addVersion(h digest.Hash, v Version) digest.Hash {
	id := v.Node.ID()
	return h.Uint64(v.Counter).Bytes(id[:])
}

func hashKey(k Key) uint64 { return newHash(tagKey).String(string(k[:])).End() }

// hash returns the sum of the hashes of an entry and its shares.
func (e *entry) hash() uint64 {
	var sum uint64
	name := e.name.Value()
	if e.kind != Removed {
		sum = addVersion(newHash(tagAttribute).String(name), e.ver).Byte(byte(e.kind)).
			Uint64(uint64(e.start())).Uint64(uint64(len(e.value))).Uint64(uint64(e.sum)).End()
	}
	for _, sh := range e.shares() {
		sum += hashShare(name, e.ver, sh)
	}
	return sum
}

func hashShare(name string, of Version, sh Share) uint64 {
	return addVersion(addVersion(newHash(tagShare).String(name), of), sh.version()).Uint64(uint64(sh.Sum)).End()
}

func (id ID) hash() uint64 {
	return addVersion(newHash(tagID), id.Version).String(id.Text).End()
}

func (t Timeout) hash() uint64 {
	if t.Version.IsZero() {
		return 0
	}
	return addVersion(newHash(tagTimeout), t.Version).Uint64(uint64(t.After.Milliseconds())).End()
}

func (p Principal) hash() uint64 {
	if p.Version.IsZero() {
		return 0
	}
	return addVersion(newHash(tagPrincipal), p.Version).Uint64(uint64(len(p.Value))).Uint64(uint64(Checksum(p.Value))).End()
}

// hashEnd is all that an ended session adds to the hash of its key: who ended it
// does not matter.
func hashEnd() uint64 { return newHash(tagEnd).End() }

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Checksum returns the Castagnoli CRC-32 of a value, as differences and digests
// have it.
func Checksum(value []byte) uint32 { return crc32.Checksum(value, castagnoli) }
