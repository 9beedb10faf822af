package channel

import (
	"context"
	"log/slog"
	"net/netip"
	"time"

	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// Env is what the parts at the bottom of a stack get to work with.
type Env struct {
	// Local is the local member; it returns nil until the channel knows it.
	Local func() *membership.Member
	// Deliver takes messages that have arrived; it is nil for a Sender.
	Deliver ReceiveFunc
	// Fault is told of destinations that could not be reached; it is nil for a
	// Receiver and a Broadcaster.
	Fault FaultFunc
	// Caps are the extensions that a Receiver tells the senders of, in its answers.
	Caps message.Caps
	// Learned is told what a destination says of itself in its answers, before the
	// outcome of the message that was answered, and that it has said nothing yet (0)
	// when the connection of the answer has ended. It does not block. It is nil for a
	// Receiver and may be nil.
	Learned func(m *membership.Member, c message.Caps)
	// Pool is where buffers and messages come from.
	Pool *message.Pool
	// Logger and Trace are never nil.
	Logger *slog.Logger
	Trace  *Trace
}

// Sender takes messages to other members. It is started once and stopped once;
// all methods are safe for concurrent use.
type Sender interface {
	// Start makes the sender ready; ctx bounds the start alone. After an error
	// nothing is running.
	Start(ctx context.Context, env Env) error
	// Send is a [SendFunc].
	Send(ctx context.Context, to []*membership.Member, m *message.Message, r *message.Receipt) error
	// Probe tests the way to m on a connection of its own.
	Probe(ctx context.Context, m *membership.Member, p Probe) error
	// Forget drops what is kept for a member that is gone and settles what waits
	// for it. A later Send to it begins anew.
	Forget(m *membership.Member)
	// Stop sends what was accepted until ctx ends, settles the rest, ends
	// everything and waits for it. Stopping twice, or before Start, does no harm.
	Stop(ctx context.Context) error
}

// Preparer is a [Sender] that wants to know of members before the first message
// to them, for instance to connect early. Prepare must not block.
type Preparer interface {
	// Prepare is called when m has joined.
	Prepare(m *membership.Member)
}

// Receiver takes messages from other members. It is started once and stopped
// once.
type Receiver interface {
	// Start listens and returns where. ctx bounds the start alone. After an error
	// nothing is running.
	Start(ctx context.Context, env Env) (Bound, error)
	// Stop takes no more messages, waits for those being delivered until ctx
	// ends, ends everything and waits for it. Stopping twice, or before Start,
	// does no harm.
	Stop(ctx context.Context) error
}

// Bound is where a receiver can be reached: the address to tell to others and
// the ports that are really open, membership.NoPort for those that are not.
type Bound struct {
	Host       netip.Addr
	Port       int
	SecurePort int
	UDPPort    int
}

// Broadcaster sends messages with the option Multicast, and delivers those that
// it hears. A membership service that can do so implements it.
type Broadcaster interface {
	// Open is called before the service is started.
	Open(env Env)
	// Broadcast sends m to the whole group, once, with no promise that it
	// arrives. m is borrowed.
	Broadcast(ctx context.Context, m *message.Message) error
}

// ProbeKind says how deep a probe looks.
type ProbeKind uint8

// The kinds of probes.
const (
	ProbeConnect ProbeKind = iota + 1 // a connection is accepted
	ProbeWrite                        // and a frame can be written
	ProbeRead                         // and it is answered
)

// String returns the kind in lower case.
func (k ProbeKind) String() string {
	switch k {
	case ProbeConnect:
		return "connect"
	case ProbeWrite:
		return "write"
	case ProbeRead:
		return "read"
	}
	return "unknown"
}

// Probe describes a test of the way to a member.
type Probe struct {
	Kind ProbeKind
	// Message is what the kinds write and read put on the wire. It is borrowed;
	// its options say whether an answer is due.
	Message *message.Message
	// Connect and Read bound the two steps; zero leaves them to ctx.
	Connect, Read time.Duration
}
