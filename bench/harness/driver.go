package harness

import (
	"context"
	"fmt"
)

// Driver makes members of a group over one transport.
type Driver interface {
	// Name is what -driver and the table call it.
	Name() string
	// Open starts a member. It returns when the member can send; others may
	// become known later.
	Open(ctx context.Context, c MemberConfig) (Node, error)
}

// MemberConfig describes one member of a measured group.
type MemberConfig struct {
	ID   int // 0 to N-1; listens on 127.0.0.1, port Base+ID
	N    int // members of the group
	Base int
	Opts map[string]string
	// Received must be called for each payload that reaches the application; the
	// payload is borrowed. View must be called when the number of other members
	// seen changes. Both are safe for concurrent use.
	Received func(payload []byte)
	View     func(others int)
}

// Node is a running member.
type Node interface {
	// Others is the number of other members seen.
	Others() int
	// Sender returns a function that sends one payload to the members with the
	// given ids and returns when the promise of kind holds. It is called from many
	// goroutines. completed is to be called for each message of kind AsyncAck that
	// was acked.
	Sender(kind Kind, to []int, completed func()) (func(payload []byte) error, error)
	// Close ends the member.
	Close() error
}

// Kind says what a send waits for.
type Kind string

// The kinds of the member protocol. A driver refuses what its transport lacks.
const (
	NoAck    Kind = "noack"    // accepted
	Async    Kind = "async"    // queued, no ack
	AsyncAck Kind = "asyncack" // queued; completed when acked after processing
	UseAck   Kind = "useack"   // acked on receipt
	Sync     Kind = "sync"     // acked after processing
	RPC      Kind = "rpc"      // all destinations answered with the payload
)

// ErrKind is what a driver returns for a kind that it does not have.
func ErrKind(k Kind) error { return fmt.Errorf("kind %q is not supported", k) }
