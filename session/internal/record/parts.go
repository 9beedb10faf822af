package record

import (
	"bytes"
	"cmp"
	"strings"
	"time"
)

// Kind says what an attribute holds.
type Kind uint8

// The kinds.
const (
	Removed Kind = iota // nothing: it was removed; with shares, a number that began as 0
	Bytes               // an encoded value
	Number              // a number
	Diff                // in a change only: the difference from an older value
)

// Attribute is an attribute as it travels. Its slices are shared with the session
// it comes from and must not be modified.
type Attribute struct {
	Name    string
	Version Version // of the Set or Delete that made it; zero for a number that only Adds made
	Kind    Kind
	Value   []byte  // Bytes: the value; Diff: the difference, in the form of package bytediff
	Start   int64   // Number: what SetNumber set
	Shares  []Share // Number or Removed: what was added since; in order of nodes
	Base    Base    // Diff: the value it is a difference from; Bytes: one that it could be
	Size    int     // Diff: bytes of the value
	Sum     uint32  // Diff: Castagnoli CRC-32 of the value
}

// Share is what one node has added to a number since its Version, as of the node's
// last Add, which had this Counter. Only that node changes its share.
type Share struct {
	Node    Node
	Counter uint64
	Sum     int64
}

func (s Share) version() Version { return Version{s.Counter, s.Node} }

// Base is a value that other nodes probably have. Value is there only on the way
// out, for who makes a difference; a difference that arrives has the Version alone.
type Base struct {
	Version Version
	Value   []byte
}

// ID is a text that leads to the session, and the write that made it so.
type ID struct {
	Version Version
	Text    string
}

// Compare orders ids by version; by text those of one version, which honest nodes do
// not make.
func (id ID) Compare(o ID) int {
	return cmp.Or(id.Version.Compare(o.Version), strings.Compare(id.Text, o.Text))
}

// Timeout is after how long without access the session expires. It has whole
// milliseconds; 0 means never. Absent if Version is zero.
type Timeout struct {
	Version Version
	After   time.Duration
}

func (t Timeout) compare(o Timeout) int {
	return cmp.Or(t.Version.Compare(o.Version), cmp.Compare(t.After, o.After))
}

// Principal is who is logged in, in bytes that are not looked into; empty for
// nobody. Absent if Version is zero.
type Principal struct {
	Version Version
	Value   []byte
}

func (p Principal) compare(o Principal) int {
	return cmp.Or(p.Version.Compare(o.Version), bytes.Compare(p.Value, o.Value))
}

// Never is the remaining time of a session that does not expire.
const Never = time.Duration(1<<63 - 1)

// Touch says that the session was in use, and how long it has left from now on:
// now is when the message is sent and, transit not counted, when it arrives. So no
// clock of one node is compared with that of another. Absent if Version is zero.
type Touch struct {
	Version   Version
	Remaining time.Duration // at least 0
}

// Reason says why a session has ended.
type Reason uint8

// The reasons.
const (
	Invalidated Reason = 1 + iota // by the application
	Expired                       // not in use for longer than its timeout
)

// String returns a word.
func (r Reason) String() string {
	switch r {
	case Invalidated:
		return "invalidated"
	case Expired:
		return "expired"
	}
	return "unknown"
}

func (e End) compare(o End) int {
	return cmp.Or(e.Version.Compare(o.Version), cmp.Compare(e.Reason, o.Reason))
}

// End says that the session is over. Absent if Version is zero.
type End struct {
	Version Version
	Reason  Reason
}

// Parts is a session or a part of it as it travels. A session that has ended has
// no other part than End.
type Parts struct {
	Attributes []Attribute // in order of names, no name twice
	IDs        []ID        // newest first
	Timeout    Timeout
	Principal  Principal
	Touch      Touch
	End        End
}

// Change is what one node has written to a session since its last change: writes
// with counters above From, up to and including To. It holds, for everything that
// was written, how it is now; so it can be merged at any time, in any order and
// more than once.
type Change struct {
	Key      Key
	Origin   Node
	From, To uint64
	Parts
}

// Snapshot is all of a session. Marks, in order of nodes, say which writes are in
// it: one that they cover and that is not there was removed or replaced.
type Snapshot struct {
	Key   Key
	Marks []Mark
	Parts
}
