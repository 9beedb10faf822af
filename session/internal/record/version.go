package record

import (
	"bytes"
	"cmp"
	"fmt"
	"unique"

	"github.com/gotribes/tribes/membership"
)

// Key names a session for as long as it lives. Ids can be renewed, the key never
// changes and is never used again.
type Key [16]byte

// String returns 32 hexadecimal digits.
func (k Key) String() string { return fmt.Sprintf("%x", k[:]) }

// Compare orders keys by their bytes.
func (k Key) Compare(o Key) int { return bytes.Compare(k[:], o[:]) }

// Node is one run of a member: its [membership.ID] in eight bytes. Nodes of the
// same ID are equal. The zero Node is none.
type Node struct{ id unique.Handle[membership.ID] }

// NodeOf returns the node of an ID; that of the zero ID is the zero Node.
func NodeOf(id membership.ID) Node {
	if id.IsZero() {
		return Node{}
	}
	return Node{unique.Make(id)}
}

// ID returns the ID of the node.
func (n Node) ID() membership.ID {
	if n.IsZero() {
		return membership.ID{}
	}
	return n.id.Value()
}

// IsZero reports whether n is no node.
func (n Node) IsZero() bool { return n == Node{} }

// Compare orders nodes by the bytes of their IDs.
func (n Node) Compare(o Node) int {
	if n == o {
		return 0
	}
	a, b := n.ID(), o.ID()
	return bytes.Compare(a[:], b[:])
}

// String returns the digits of the ID.
func (n Node) String() string { return n.ID().String() }

// Version says which write made something: the write of a node at which the
// session's counter had this value. A node's counter is one more than the highest
// it has seen in the session, so a write that knew of another has the higher
// version. The zero Version is before all writes.
type Version struct {
	Counter uint64
	Node    Node
}

// IsZero reports whether v is before all writes.
func (v Version) IsZero() bool { return v == Version{} }

// Compare orders versions by counter, then by node: the same on every node, and
// no clock is asked.
func (v Version) Compare(w Version) int {
	if c := cmp.Compare(v.Counter, w.Counter); c != 0 {
		return c
	}
	return v.Node.Compare(w.Node)
}

// String returns the counter and the node.
func (v Version) String() string { return fmt.Sprintf("%d@%s", v.Counter, v.Node) }

// Mark says how much of a node's writes to a session is known: all with a counter
// of at most Counter.
type Mark struct {
	Node    Node
	Counter uint64
}

const (
	// MaxCounter is the highest counter there may be. No session gets there by
	// counting: it takes a century of a write each nanosecond.
	MaxCounter = 1 << 62
	// LoginStep is how many writes a login counts for. So the id that is given after it is
	// newer than all that nodes give which do not know of it, however much they write
	// meanwhile. It is a small part of MaxStep, so that a node can miss many logins.
	LoginStep = 1 << 20
	// MaxStep is how far above the highest known counter of a session a counter of
	// another node may be. More is refused, so that no single message can use up
	// the numbers of a session that is known.
	MaxStep = 1 << 32
)
