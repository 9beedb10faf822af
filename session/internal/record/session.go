package record

import (
	"iter"
	"slices"
	"strings"
	"time"
	"unique"
)

// Session is one session on one node. All methods that read may run at the same
// time; one that writes or merges must be alone: the owner of the session locks.
//
// Values are immutable. A value given to a session belongs to it; one that comes
// from a session is shared with it. Neither may be modified.
//
// Where a method takes now, it is the time since a moment that the owner has
// chosen, by a clock that never goes backward; the same moment in all calls.
type Session struct {
	site     *Site
	key      Key
	entries  []entry // in order of names
	id       ID      // the current one
	timeout  Timeout
	touch    access
	clock    uint64 // the highest counter seen
	from     uint64 // the local node's mark before what is unsent
	digest   uint64 // the sum of the hashes of all items, see digest.go
	mark     Mark   // one of the marks; the others are in rare
	rare     *rare
	size     int32
	live     int32 // entries that exist; the others are names that were removed
	unsent   flags
	hasEnded bool
}

// rare is what few sessions have.
type rare struct {
	principal Principal
	older     []ID // newest first
	marks     []Mark
	bases     []base // values that the change not yet taken replaces
	end       End
}

// flags says which parts were written and not taken yet. Entries have their own.
type flags uint8

const (
	unsentEntries flags = 1 << iota
	unsentID
	unsentTimeout
	unsentPrincipal
	unsentTouch
	unsentEnd
)

// entry is one name. What others wrote is merged into it at once, so an entry that
// is unsent tells the others the newest that is known, whoever wrote it.
type entry struct {
	name   unique.Handle[string]
	value  []byte
	ver    Version
	num    *number // shares, or the start of a Number
	sum    uint32  // of value
	kind   Kind
	unsent bool
}

// number is what a counter has besides its version.
type number struct {
	start  int64
	shares []Share // in order of nodes
}

// base is the value that others had of an entry before it was written here.
type base struct {
	name unique.Handle[string]
	Base
}

// New returns a session that is empty. Only one node may make a key, and it sets an
// id and a timeout at once; on the other nodes the session is filled by Merge or
// MergeSnapshot.
func New(site *Site, key Key) *Session {
	return &Session{site: site, key: key, digest: hashKey(key)}
}

// Key returns the key.
func (s *Session) Key() Key { return s.key }

// Value is an attribute as its user sees it: Bytes or a Number, by Kind. Bytes are
// shared with the session.
type Value struct {
	Kind   Kind
	Bytes  []byte
	Number int64
}

// Get returns an attribute.
func (s *Session) Get(name string) (Value, bool) {
	i, found := s.find(name)
	if !found || !s.entries[i].exists() {
		return Value{}, false
	}
	return s.entries[i].content(), true
}

// All goes through the attributes in order of their names. The session must not be
// written to meanwhile.
func (s *Session) All() iter.Seq2[string, Value] {
	return func(yield func(string, Value) bool) {
		for i := range s.entries {
			e := &s.entries[i]
			if e.exists() && !yield(e.name.Value(), e.content()) {
				return
			}
		}
	}
}

// Version returns the version of an attribute: of the newest Set, Delete or Add
// that is in it. It is zero for a name that is not known.
func (s *Session) Version(name string) Version {
	i, found := s.find(name)
	if !found {
		return Version{}
	}
	v := s.entries[i].ver
	for _, sh := range s.entries[i].shares() {
		if w := sh.version(); w.Compare(v) > 0 {
			v = w
		}
	}
	return v
}

// Len returns how many attributes there are.
func (s *Session) Len() int { return int(s.live) }

// ID returns the current id; "" if none is known yet.
func (s *Session) ID() string { return s.id.Text }

// IDs returns the ids that lead to the session, the current one first. The others
// were replaced, or were given by another node at the same time; how long they are
// honoured is up to the owner.
func (s *Session) IDs() []string {
	if s.id.Version.IsZero() {
		return nil
	}
	ids := []string{s.id.Text}
	if s.rare != nil {
		for _, id := range s.rare.older {
			ids = append(ids, id.Text)
		}
	}
	return ids
}

// Principal returns who is logged in, shared with the session; nil if nobody.
func (s *Session) Principal() []byte {
	if s.rare == nil || len(s.rare.principal.Value) == 0 {
		return nil
	}
	return s.rare.principal.Value
}

// LoginVersion returns the version of the newest SetPrincipal; zero if there was none.
func (s *Session) LoginVersion() Version {
	if s.rare == nil {
		return Version{}
	}
	return s.rare.principal.Version
}

// Timeout returns after how long without access the session expires, in whole
// milliseconds; 0 means never. It is 0 too if no timeout is known yet.
func (s *Session) Timeout() time.Duration { return s.timeout.After }

// Ended returns why the session has ended, and whether it has.
func (s *Session) Ended() (End, bool) {
	if !s.hasEnded {
		return End{}, false
	}
	return s.rare.end, true
}

// Size returns the bytes that the session is accounted for: names, values, ids and
// principal, and a fixed amount for each entry and share. It is close to the memory
// they take; the session itself, about 200 bytes, is not in it.
func (s *Session) Size() int { return int(s.size) }

// Digest returns a number that is the same on two nodes if the session is the same
// there: attributes, ids, timeout, principal and end, with their versions. Different
// sessions have the same digest with a probability of 2^-64, unless somebody has
// made them for that. What is local to a node is not part of it: removed names,
// marks, and when the session was last in use.
func (s *Session) Digest() uint64 { return s.digest }

// find returns where the entry of name is or would be.
func (s *Session) find(name string) (int, bool) {
	return slices.BinarySearchFunc(s.entries, name, func(e entry, name string) int {
		return strings.Compare(e.name.Value(), name)
	})
}

// rarely returns the rare parts for writing.
func (s *Session) rarely() *rare {
	if s.rare == nil {
		s.rare = &rare{}
	}
	return s.rare
}

// exists reports whether the attribute exists for its user.
func (e *entry) exists() bool { return e.kind != Removed || len(e.shares()) > 0 }

func (e *entry) shares() []Share {
	if e.num == nil {
		return nil
	}
	return e.num.shares
}

func (e *entry) start() int64 {
	if e.num == nil {
		return 0
	}
	return e.num.start
}

// content returns what the user sees. Sums wrap around as Go's integers do.
func (e *entry) content() Value {
	if e.kind == Bytes {
		return Value{Kind: Bytes, Bytes: e.value}
	}
	v := Value{Kind: Number, Number: e.start()}
	for _, sh := range e.shares() {
		v.Number += sh.Sum
	}
	return v
}
