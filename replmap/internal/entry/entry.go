package entry

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/gotribes/tribes/membership"
)

// MaxCounter is the highest counter that there may be. No map gets there by counting.
const MaxCounter = 1 << 62

// Version says which write made a state. The zero Version is before all writes.
type Version struct {
	Counter uint64
	Node    membership.ID
}

// IsZero reports whether v is before all writes.
func (v Version) IsZero() bool { return v == Version{} }

// Compare orders versions by counter, then by member id: the same on every replica.
func (v Version) Compare(w Version) int {
	if c := cmp.Compare(v.Counter, w.Counter); c != 0 {
		return c
	}
	return bytes.Compare(v.Node[:], w.Node[:])
}

// String returns the counter and the member.
func (v Version) String() string { return fmt.Sprintf("%d@%s", v.Counter, v.Node) }

// Entry is the state of one key at one moment.
type Entry struct {
	Key     string
	Value   []byte // shared: never modify it
	Gone    bool   // deleted, or its lifetime has ended; then there is no value
	Version Version
	// Proxy says that the entry has a value which is not here; Sum is the hash of it then.
	// Placed says that as many members as are to have the value had it at some time. A table
	// without proxies knows none of the three.
	Proxy, Placed bool
	Sum           uint64
	sure          bool // Sum and crc are known to be those of Value
	crc           checksums
	// Diff stands for the value of a state on its way. It is nil in a table.
	Diff *Diff
	// Marks are the last writes of members that are in the state, in order of members.
	// They are there only with a Resolver.
	Marks []Version
	// Lifetime is how long the entry lives from the moment at which the Entry was made;
	// negative is for ever.
	Lifetime time.Duration
}

// Forever is the lifetime of an entry that has no end.
const Forever time.Duration = -1

// Compare orders states of one key: by version; of one version, which no two honest writes
// have, a gone one is the greater, then the one with the greater sum, then the one with the
// greater bytes. A proxy and the entry that it stands for are equal.
func (e *Entry) Compare(o *Entry) int {
	if c := e.Version.Compare(o.Version); c != 0 {
		return c
	}
	if e.Gone != o.Gone {
		if e.Gone {
			return 1
		}
		return -1
	}
	if c := cmp.Compare(e.Sum, o.Sum); c != 0 || e.Proxy || o.Proxy {
		return c
	}
	return bytes.Compare(e.Value, o.Value)
}

// Strip makes a proxy of an entry that has a value, or a difference to one.
func (e *Entry) Strip() {
	if !e.Gone {
		e.Value, e.Diff, e.Proxy, e.Placed = nil, nil, true, true
	}
}

// Resolver makes one value of two that were written without knowledge of each other. The
// result must depend on nothing else, since each replica makes it by itself. A gone entry
// has no value; so has the result if it is gone.
type Resolver func(older, newer *Entry) (value []byte, gone bool)

// Merge returns what two states of one key make together: one of them, or with a resolver
// something new. It is the same in whichever order they are given.
func Merge(a, b *Entry, resolve Resolver) *Entry {
	older, newer := a, b
	if a.Compare(b) > 0 {
		older, newer = b, a
	}
	if resolve == nil {
		return newer
	}
	switch older2, newer2 := covers(older.Marks, newer.Marks), covers(newer.Marks, older.Marks); {
	case newer2:
		return newer
	case older2:
		return older
	}
	value, gone := resolve(older, newer)
	if gone {
		value = nil
	}
	lifetime := newer.Lifetime
	if newer.Gone {
		lifetime = older.Lifetime // what is gone has none
	}
	return &Entry{
		Key: newer.Key, Value: value, Gone: gone, Version: newer.Version,
		Marks: join(older.Marks, newer.Marks), Lifetime: lifetime,
	}
}

// maxMarks is how many marks an entry keeps.
const maxMarks = 64

// Apart reports whether two states of one key, of a table with a resolver, were written without
// knowledge of each other.
func Apart(a, b *Entry) bool { return !covers(a.Marks, b.Marks) && !covers(b.Marks, a.Marks) }

// covers reports whether a has all writes of b.
func covers(a, b []Version) bool {
	for _, m := range b {
		i, found := find(a, m.Node)
		if !found || a[i].Counter < m.Counter {
			return false
		}
	}
	return true
}

// join returns the writes of a and b, in order of members.
func join(a, b []Version) []Version {
	all := slices.Clone(a)
	for _, m := range b {
		i, found := find(all, m.Node)
		switch {
		case !found:
			all = slices.Insert(all, i, m)
		case all[i].Counter < m.Counter:
			all[i] = m
		}
	}
	for len(all) > maxMarks {
		least := slices.MinFunc(all, Version.Compare)
		all = slices.DeleteFunc(all, func(m Version) bool { return m == least })
	}
	return all
}

func find(marks []Version, node membership.ID) (int, bool) {
	return slices.BinarySearchFunc(marks, node, func(m Version, n membership.ID) int {
		return bytes.Compare(m.Node[:], n[:])
	})
}
