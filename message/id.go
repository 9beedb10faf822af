package message

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
)

// ID identifies a message from end to end: retries, fragments and the copies to
// several destinations share it.
type ID [16]byte

// NewID returns a random id with the version and variant bits of a random
// UUID. It is unique, not secret.
func NewID() ID {
	var id ID
	binary.BigEndian.PutUint64(id[:8], rand.Uint64())
	binary.BigEndian.PutUint64(id[8:], rand.Uint64())
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return id
}

// String returns 32 lower-case hexadecimal digits.
func (id ID) String() string { return hex.EncodeToString(id[:]) }
