package mapwire

import (
	"fmt"

	"github.com/gotribes/tribes/replmap/internal/entry"
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
	KindRequest
	KindBlock
	KindBuckets
	KindDigests
	KindFetch
	KindDone
	KindWrite
	KindWritten
)

var kindText = [...]string{"", "hello", "bye", "change", "request", "block", "buckets", "digests", "fetch", "done", "write", "written"}

// String returns the name of the kind, usable as a metric label.
func (k Kind) String() string {
	if k > 0 && int(k) < len(kindText) {
		return kindText[k]
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// Message is a pointer to one of the types of this package that have a Kind.
type Message interface {
	// Kind says which of the types it is, as on the wire.
	Kind() Kind
	append(e *encoder)
	decode(d *decoder)
}

// Hello introduces a member to the others that have the same map.
type Hello struct {
	MinVersion uint8 // lowest and highest version of the protocol that it speaks, at least 1
	MaxVersion uint8
	Map        string // name of the map
	Codecs     string // how keys and values are encoded
	Resolves   bool   // the map has a function that resolves conflicts
	Known      bool   // it has heard a hello of the member that this one goes to
	State      State  // how far it is
}

// State says how far a member is.
type State uint8

// The states.
const (
	Starting State = iota // it has asked nobody yet
	Loading               // it gets the entries from another member
	Ready                 // it has all entries and can give them to others
)

// Bye says that a member has the map no more.
type Bye struct{}

// Change carries states of entries, to be merged.
type Change struct{ Entries []entry.Entry }

// Request asks for the next block of all entries.
type Request struct {
	Request uint64 // chosen by who asks
	From    entry.Place
	Entries uint32 // how many entries the block may have
	Bytes   uint32 // how many bytes it should have
}

// Block answers a Request.
type Block struct {
	Request uint64
	Next    entry.Place // where to go on; its bucket is entry.Buckets at the end
	Entries []entry.Entry
}

// Buckets sums up all entries of a member. It is answered by Digests of each bucket that
// differs, then by Buckets.
type Buckets struct {
	Request uint64
	Answer  bool
	Entries uint64 // how many there are
	Sums    [entry.Buckets]uint64
}

// Digests lists the entries of one bucket.
type Digests struct {
	Request uint64
	Bucket  uint8
	Entries []entry.Digest
}

// Fetch asks for some entries. The answer is a Change, or several, and Done.
type Fetch struct {
	Request uint64
	Keys    []string
}

// Done ends the answer to a Fetch.
type Done struct{ Request uint64 }

// Condition says when a Write is done.
type Condition uint8

// The conditions.
const (
	IfAbsent  Condition = 1 + iota // there is no entry
	IfVersion                      // it has the version
	IfValue                        // it has the value
)

// Write asks the primary of an entry to write it if a condition holds.
type Write struct {
	Request   uint64
	Condition Condition
	Entry     entry.Entry // what to write, without version and marks
	Version   entry.Version
	Value     []byte
}

// Outcome says how a Write fared.
type Outcome uint8

// The outcomes.
const (
	Wrote      Outcome = 1 + iota // it is written, and has the version of the entry
	Differs                       // the condition does not hold; the entry is what is there
	NotPrimary                    // the member is not the primary, or not now
	Failed                        // see the error
)

// Written answers a Write.
type Written struct {
	Request uint64
	Outcome Outcome
	Error   string
	Entry   *entry.Entry // nil if there is none
}

// Kind implements Message.
func (*Hello) Kind() Kind { return KindHello }

// Kind implements Message.
func (*Bye) Kind() Kind { return KindBye }

// Kind implements Message.
func (*Change) Kind() Kind { return KindChange }

// Kind implements Message.
func (*Request) Kind() Kind { return KindRequest }

// Kind implements Message.
func (*Block) Kind() Kind { return KindBlock }

// Kind implements Message.
func (*Buckets) Kind() Kind { return KindBuckets }

// Kind implements Message.
func (*Digests) Kind() Kind { return KindDigests }

// Kind implements Message.
func (*Fetch) Kind() Kind { return KindFetch }

// Kind implements Message.
func (*Done) Kind() Kind { return KindDone }

// Kind implements Message.
func (*Write) Kind() Kind { return KindWrite }

// Kind implements Message.
func (*Written) Kind() Kind { return KindWritten }

var empty = [...]func() Message{
	KindHello:   func() Message { return new(Hello) },
	KindBye:     func() Message { return new(Bye) },
	KindChange:  func() Message { return new(Change) },
	KindRequest: func() Message { return new(Request) },
	KindBlock:   func() Message { return new(Block) },
	KindBuckets: func() Message { return new(Buckets) },
	KindDigests: func() Message { return new(Digests) },
	KindFetch:   func() Message { return new(Fetch) },
	KindDone:    func() Message { return new(Done) },
	KindWrite:   func() Message { return new(Write) },
	KindWritten: func() Message { return new(Written) },
}
