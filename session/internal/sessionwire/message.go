package sessionwire

import (
	"fmt"

	"github.com/gotribes/tribes/session/internal/record"
)

// Version is the version of the protocol, the first byte of each message.
const Version = 1

// Kind says what a message is, its second byte.
type Kind uint8

// The kinds.
const (
	KindHello Kind = 1 + iota
	KindBye
	KindChange
	KindTouches
	KindEnds
	KindStateRequest
	KindStateBlock
	KindBuckets
	KindDigests
	KindFetch
)

var kindText = [...]string{"", "hello", "bye", "change", "touches", "ends", "state request", "state block", "buckets", "digests", "fetch"}

// String returns the name of the kind, usable as a metric label.
func (k Kind) String() string {
	if k > 0 && int(k) < len(kindText) {
		return kindText[k]
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// Message is one of the types of this package that have a Kind: a pointer to [Hello],
// [Bye], [Change], [Touches], [Ends], [StateRequest], [StateBlock], [Buckets],
// [Digests] or [Fetch].
type Message interface {
	// Kind says which of the types it is, as on the wire.
	Kind() Kind
	append(e *encoder)
	decode(d *decoder)
}

// Hello introduces a node to the others that have the same manager.
type Hello struct {
	Manager    string // name of the manager
	MinVersion uint8  // lowest and highest version of the protocol that it speaks, at least 1
	MaxVersion uint8
	Codec      string // how attribute values are encoded
	Route      string // its name for load balancers; empty is none
	State      State  // how far it is
}

// State says how far a node is.
type State uint8

// The states.
const (
	Starting State = iota // it has asked nobody yet
	Loading               // it gets the sessions from another node
	Ready                 // it has all sessions and can give them to others
)

// Bye says that a node is about to leave.
type Bye struct {
	Draining bool // it will not take new sessions but is still there
}

// Change carries what one node has written to one session.
type Change struct{ record.Change }

// Touches says which sessions are in use.
type Touches struct{ Sessions []Touch }

// Touch is a session in use. Remaining travels in milliseconds, rounded up.
type Touch struct {
	Key record.Key
	record.Touch
}

// Ends says which sessions are over.
type Ends struct{ Sessions []End }

// End is a session that is over.
type End struct {
	Key record.Key
	record.End
}

// StateRequest asks for all sessions from a key on, in blocks.
type StateRequest struct {
	Request  uint64     // chosen by who asks
	From     record.Key // the lowest key wanted; zero for all
	Sessions uint32     // how many sessions a block may have; 0 leaves it to the provider
	Bytes    uint32     // how many bytes a block should have; 0 leaves it to the provider
}

// StateBlock answers a StateRequest or a Fetch, in one block or several. Each session is
// whole. Sessions are in order of keys, from block to block too, so that who lost a
// provider can go on elsewhere.
type StateBlock struct {
	Request  uint64
	Index    uint32 // counts the blocks of an answer from 0
	Last     bool   // nothing follows
	Sessions []record.Snapshot
}

// NumBuckets is how many buckets there are. The first byte of a session's key says in
// which it is.
const NumBuckets = 256

// Buckets sums up all sessions of a node, to find out whether two nodes have the same.
// It is answered by Digests of each bucket that differs, then by Buckets.
type Buckets struct {
	Request  uint64             // chosen by who asks
	Answer   bool               // it answers one
	Sessions uint64             // how many there are
	Sums     [NumBuckets]uint64 // the sum of the digests of each bucket, modulo 2^64
}

// Digests lists all sessions of one bucket, in order of keys: one that is not in the
// list is not there.
type Digests struct {
	Request  uint64 // of the Buckets that it answers
	Bucket   uint8
	Sessions []Digest
}

// Digest is a session and its digest, see [record.Session.Digest].
type Digest struct {
	Key record.Key
	Sum uint64
}

// Fetch asks for some sessions, in order of keys. The answer is a StateBlock; sessions that
// are not in it are not there.
type Fetch struct {
	Request uint64
	Keys    []record.Key
}

// Kind implements Message.
func (*Hello) Kind() Kind { return KindHello }

// Kind implements Message.
func (*Bye) Kind() Kind { return KindBye }

// Kind implements Message.
func (*Change) Kind() Kind { return KindChange }

// Kind implements Message.
func (*Touches) Kind() Kind { return KindTouches }

// Kind implements Message.
func (*Ends) Kind() Kind { return KindEnds }

// Kind implements Message.
func (*StateRequest) Kind() Kind { return KindStateRequest }

// Kind implements Message.
func (*StateBlock) Kind() Kind { return KindStateBlock }

// Kind implements Message.
func (*Buckets) Kind() Kind { return KindBuckets }

// Kind implements Message.
func (*Digests) Kind() Kind { return KindDigests }

// Kind implements Message.
func (*Fetch) Kind() Kind { return KindFetch }

// message returns an empty message of a kind; nil if there is no such kind.
func (k Kind) message() Message {
	switch k {
	case KindHello:
		return new(Hello)
	case KindBye:
		return new(Bye)
	case KindChange:
		return new(Change)
	case KindTouches:
		return new(Touches)
	case KindEnds:
		return new(Ends)
	case KindStateRequest:
		return new(StateRequest)
	case KindStateBlock:
		return new(StateBlock)
	case KindBuckets:
		return new(Buckets)
	case KindDigests:
		return new(Digests)
	case KindFetch:
		return new(Fetch)
	}
	return nil
}
