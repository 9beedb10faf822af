package channel

import (
	"time"

	"github.com/gotribes/tribes/message"
)

// Checked is a layer that tells what it is, so that [New] can refuse a stack that
// cannot work. Of a layer that is not Checked nothing is assumed.
type Checked interface {
	// Traits is called by New once, before or after the layer is bound, also if its
	// settings make no sense.
	Traits() Traits
}

// Traits say what a layer does to messages and needs of others. The zero Traits
// say nothing.
type Traits struct {
	// Transforms: it changes the bytes of messages, or keeps them until something
	// else comes, so that one that did not pass the same layer of its sender is lost.
	Transforms bool
	// Probes: it makes frames that pass none of the layers above it (Host.Probe), so
	// that no layer below it may change bytes.
	Probes bool
	// Prompt: what it sends by itself must be with the same layer of the other side
	// before it is acknowledged, so that no layer below it may change or keep messages,
	// but for one that encrypts.
	Prompt bool
	// Detects: it says by its probes who is a member, which one layer can.
	Detects bool
	// Encrypts: what the layers above it hand down is encrypted.
	Encrypts bool
	// Confidential: it sends messages of its own that must be encrypted in a stack
	// that encrypts.
	Confidential bool
	// Marks are options that it sets in messages and takes for its own when they
	// are received.
	Marks message.Options
	// Selects are options that a message must have for the layer to act on it; zero
	// if it acts on all.
	Selects message.Options
	// Splits: it sends several messages with one id to a destination.
	Splits bool
	// NeedsUniqueIDs: it takes two messages of one sender with the same id for parts
	// or repeats of one.
	NeedsUniqueIDs bool
	// MaxPayload is the largest payload in bytes that it hands down; zero if it does
	// not bound it.
	MaxPayload int
	// Adds is by how many bytes it makes messages longer, at most.
	Adds int
	// AwaitsAcks is how long receivers keep a message for what the layer sends when
	// all destinations have acknowledged it; zero if it does nothing of the kind.
	AwaitsAcks time.Duration
	// Above are layers of the same stack that it must stand above.
	Above []Interceptor
}

// Limited is a [Sender] or [Receiver] that tells its limits to the check of a
// stack.
type Limited interface {
	// Limits is called by New once.
	Limits() Limits
}

// Limits are those of a sender or receiver; zero means that it tells none.
type Limits struct {
	MaxFrame   int           // bytes of the largest frame
	AckTimeout time.Duration // how long a sender waits for an answer
}
