package membership

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
)

// ViewID names an agreed view: the id of the election that made it. Tribes has 16
// random bytes. Members of this module write a number into them, the term
// (docs/wire.md, Coordinators), so that their ids can be compared as bytes and
// those of later views are greater.
type ViewID [16]byte

// MaxTerm is the greatest term: it has 48 bits.
const MaxTerm = 1<<48 - 1

const (
	termBytes = 6
	versionAt = 6 // of a UUID; Java writes version 4, random
	ownKind   = 0x80
	variantAt = 8
)

// NewViewID returns a fresh id with that term, which is above 0 and at most
// [MaxTerm]; it is cut to 48 bits.
func NewViewID(term uint64) ViewID {
	var id ViewID
	rand.Read(id[termBytes:]) // never fails: crypto/rand ends the process instead
	id[versionAt] = id[versionAt]&0x0f | ownKind
	id[variantAt] = id[variantAt]&0x3f | 0x80
	return id.WithTerm(term)
}

// Term returns the number in an id, 0 if it has none: it was made by Java.
func (v ViewID) Term() uint64 {
	if v[versionAt]&0xf0 != ownKind || v[variantAt]&0xc0 != 0x80 {
		return 0
	}
	return binary.BigEndian.Uint64(v[:]) >> 16
}

// WithTerm returns the id of the same election with another term. An id without
// a term stays as it is.
func (v ViewID) WithTerm(term uint64) ViewID {
	if v[versionAt]&0xf0 == ownKind && v[variantAt]&0xc0 == 0x80 {
		rest := binary.BigEndian.Uint64(v[:]) & 0xffff
		binary.BigEndian.PutUint64(v[:], term<<16|rest)
	}
	return v
}

// SameElection reports whether two ids differ in nothing but their terms.
func (v ViewID) SameElection(o ViewID) bool {
	if v.Term() == 0 || o.Term() == 0 {
		return v == o
	}
	return [10]byte(v[termBytes:]) == [10]byte(o[termBytes:])
}

// String returns 32 lower-case hexadecimal digits.
func (v ViewID) String() string { return hex.EncodeToString(v[:]) }

// Agreed is an immutable list of members on which they have agreed, the local
// member included, in absolute order (see [CompareAbsolute]). All members that
// install a view of one id have the same list. Its Members must not be changed.
type Agreed struct {
	Seq     uint64 // counts the views that this member has installed, from 1
	ID      ViewID
	Members []*Member // at least one
}

// Coordinator returns the first of the members.
func (v *Agreed) Coordinator() *Member { return v.Members[0] }

// Term returns the term in the id of the view; see [ViewID.Term].
func (v *Agreed) Term() uint64 { return v.ID.Term() }

// Len returns the number of members, the local one included.
func (v *Agreed) Len() int { return len(v.Members) }

// Find returns the member with that key, nil if there is none.
func (v *Agreed) Find(k Key) *Member {
	for _, m := range v.Members {
		if m.Key() == k {
			return m
		}
	}
	return nil
}
