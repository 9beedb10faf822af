package mapwire

import (
	"fmt"

	"github.com/gotribes/tribes/replmap/internal/entry"
)

// The first byte of a message is the version of the protocol that its reader must speak:
// Version, or MaxVersion if there is something in it that the former does not have.
const (
	Version    = 1
	MaxVersion = 2
)

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
	KindAsk
	KindValues
	KindCheck
	KindChecked
)

var kindText = [...]string{"", "hello", "bye", "change", "request", "block", "buckets", "digests", "fetch", "done", "write", "written", "ask", "values", "check", "checked"}

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
	// Has is a state of the key whose value who asks has; nil if it does not say. Its Key is
	// that of the entry. In a map that resolves conflicts, if it is of the version of the
	// condition, that is about its value, too. Version 2.
	Has *entry.State
}

// Outcome says how a Write fared.
type Outcome uint8

// The outcomes.
const (
	Wrote      Outcome = 1 + iota // it is written, and has the version of the entry
	Differs                       // the condition does not hold; the entry is what is there
	NotPrimary                    // the member is not the primary, or not now
	Failed                        // see the error
	Lacks                         // the value is to be sent whole; version 2
	NoHolder                      // no member has a value that this is about; see the error; version 2
)

// Written answers a Write.
type Written struct {
	Request uint64
	Outcome Outcome
	Error   string
	Entry   *entry.Entry // nil if there is none
}

// Ask asks for the values of some entries. Who asks says what becomes of them.
type Ask struct {
	Request uint64
	Bytes   uint32 // how many bytes the answer should have
	Keys    []string
}

// Values answers an Ask.
type Values struct {
	Request uint64
	Keys    uint32        // how many of the keys, from the first on, are answered
	Entries []entry.Entry // those of the keys that are known; proxies where the value is not there
}

// Check asks whether a member has the values of some states, as one of those that are to
// have them.
type Check struct {
	Request uint64
	States  []entry.State
}

// Checked answers a Check: what the member has of each state.
type Checked struct {
	Request uint64
	Has     []Has
}

// Has says what a member has of a state.
type Has uint8

// What a member may have.
const (
	HasNot   Has = iota // it does not have the state, but maybe another
	HasProxy            // it has the state without the value
	HasValue            // it has the value, but is not one of those that are to have it
	Holds               // it has the value, and is one of those that are to have it
)

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

// Kind implements Message.
func (*Ask) Kind() Kind { return KindAsk }

// Kind implements Message.
func (*Values) Kind() Kind { return KindValues }

// Kind implements Message.
func (*Check) Kind() Kind { return KindCheck }

// Kind implements Message.
func (*Checked) Kind() Kind { return KindChecked }

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
	KindAsk:     func() Message { return new(Ask) },
	KindValues:  func() Message { return new(Values) },
	KindCheck:   func() Message { return new(Check) },
	KindChecked: func() Message { return new(Checked) },
}
