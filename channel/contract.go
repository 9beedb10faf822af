package channel

import (
	"context"
	"log/slog"
	"time"

	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// The flows that pass through a stack. Layers and the parts at the bottom
// implement them; a layer gets the flow of the layer behind it and returns its
// own.
type (
	// SendFunc takes a message to be sent. It returns when the layer has
	// accepted the message; the outcome at each of to comes through r.
	//
	// With a nil error, each of to is settled exactly once, before or after the
	// return. With an error nothing was accepted and none of to was or will be
	// settled: the caller does that. m is borrowed (see message.Message); to must
	// not be changed or kept after the return, the members in it may be kept. ctx
	// bounds the wait for room, not the delivery. Once all are settled, whoever sent
	// the message may use r and to for another one, also before the return: a layer
	// that has to look at them holds r (message.Receipt.Hold).
	SendFunc func(ctx context.Context, to []*membership.Member, m *message.Message, r *message.Receipt) error

	// ReceiveFunc takes a message that has arrived. It returns when the message
	// is processed; the error is what the sender of a SyncAck message is told. m
	// is borrowed. Messages that arrive by one connection come one after the
	// other. A member of ours sends by one connection; a Java node has several,
	// whose messages may come at the same time.
	ReceiveFunc func(ctx context.Context, m *message.Message) error

	// EventFunc takes a change of the membership. Calls are serial.
	EventFunc func(ev membership.Event)

	// FaultFunc is told of a destination that could not be reached: err is
	// neither nil nor a *message.RemoteError. It is called from sender
	// goroutines and must not block.
	FaultFunc func(m *membership.Member, id message.ID, err error)

	// ViewFunc returns the members that a layer lets be seen.
	ViewFunc func() *membership.View

	// AgreedFunc takes a view that the members have agreed on. It comes from the
	// layer that provides such views, if there is one; calls are serial, in line
	// with the membership events, and must not block. While it runs, messages that
	// arrive at that layer wait; those on their way up are not waited for. v is
	// immutable and may be kept.
	AgreedFunc func(v *membership.Agreed)
)

// Down has the flows that run towards the network. None of them is nil; all are
// safe for concurrent use once the channel has started.
type Down struct {
	Send SendFunc
	View ViewFunc
}

// Up has the flows that run towards the application. None of those that a layer
// gets is nil.
type Up struct {
	Receive ReceiveFunc
	Event   EventFunc
	Fault   FaultFunc
	View    AgreedFunc // a layer that leaves it nil passes views on
}

// Interceptor is a layer of a stack. Both methods are called once, by [New]:
// first BindDown for all layers from the bottom up, then BindUp from the top
// down. A layer replaces the flows that it cares about and returns the others
// as they are, which makes them cost nothing. One Interceptor value serves one
// channel.
type Interceptor interface {
	// BindDown gets the flows of the layer below and returns its own. An error
	// says that a setting makes no sense, or that the value is a layer of another
	// channel already; New then fails with it.
	BindDown(h Host, below Down) (Down, error)
	// BindUp gets the flows of the layer above and returns its own.
	BindUp(above Up) Up
}

// Host is what a layer may ask of its stack. Goroutines and timers started
// through it are stopped and awaited when the channel stops; no layer starts
// any by itself.
type Host interface {
	// Local is the local member, nil before the channel has started. Its key
	// never changes afterwards.
	Local() *membership.Member
	// Logger never returns nil; it carries the name of the layer.
	Logger() *slog.Logger
	// Trace never returns nil and has no nil functions.
	Trace() *Trace
	// Go runs f until it returns; ctx ends when the channel stops. Before the
	// channel has started f waits for the start; after its stop f is not run.
	Go(name string, f func(ctx context.Context))
	// Every runs f each d, never twice at a time, until the channel stops.
	Every(d time.Duration, f func(ctx context.Context))
	// Serial runs f in line with the membership events, so that what it passes
	// to Up.Event is serial too. It never blocks; f must not either.
	Serial(f func())
	// OnStart adds a step to the start of the channel, before any message or
	// event. Steps run from the bottom layer up. ctx bounds the start.
	OnStart(f func(ctx context.Context) error)
	// OnDrain adds a step to the stop of the channel, while messages can still
	// be sent and before the others are told goodbye. Steps run from the top
	// layer down, those of a layer whose start has failed or was not reached do
	// not. ctx ends when the time for an orderly stop is over.
	OnDrain(f func(ctx context.Context))
	// NewMessage returns a message from the local member with a fresh id, the
	// present time, and a payload of size arbitrary bytes; the caller releases it.
	NewMessage(size int) *message.Message
	// Pool is where the channel's buffers come from.
	Pool() *message.Pool
	// Probe asks the sender to test the way to m.
	Probe(ctx context.Context, m *membership.Member, p Probe) error
	// Forget tells the sender to close its links to m and fail what waits in them.
	Forget(m *membership.Member)
	// Guard adds a check of each message between the top of the stack and the
	// application, whatever way it has taken: if f returns an error nobody hears of
	// the message but its sender, who gets that error. It is called by BindDown.
	Guard(f func(m *message.Message) error)
	// Announce tells other members of ours, in the answers to their messages, that
	// this one understands the extensions c. It is called by BindDown.
	Announce(c message.Caps)
	// Understands returns the extensions of which m has told in its answers, on the
	// connection that there is to it: none if it is not one of ours, or has not
	// answered a message with UseAck yet.
	Understands(m *membership.Member) message.Caps
}

// Listener takes messages for the application.
type Listener interface {
	// Accept reports whether the listener wants m. It must be quick; m is
	// borrowed.
	Accept(m *message.Message) bool
	// Receive processes m, which is borrowed: to keep it, Clone it. The error, or
	// a panic, is what the sender of a SyncAck message is told. ctx ends when the
	// channel has stopped. All methods of the channel may be called; a send that
	// waits for the application of the node that is itself waiting for this
	// listener runs into its timeout.
	Receive(ctx context.Context, m *message.Message) error
}

// ListenerFunc is a [Listener] for all byte messages. Messages without the
// option ByteMessage are Java objects; it does not accept them.
type ListenerFunc func(ctx context.Context, m *message.Message) error

// Accept implements [Listener].
func (f ListenerFunc) Accept(m *message.Message) bool { return m.Options.Has(message.ByteMessage) }

// Receive implements [Listener].
func (f ListenerFunc) Receive(ctx context.Context, m *message.Message) error { return f(ctx, m) }

// MembershipListener is told of changes of the membership, one after the other.
// ctx ends when the channel has stopped.
type MembershipListener interface {
	// MemberEvent takes one change. While it runs no other is told, so it should
	// return soon; all methods of the channel may be called.
	MemberEvent(ctx context.Context, ev membership.Event)
}

// MembershipListenerFunc is a function as a [MembershipListener].
type MembershipListenerFunc func(ctx context.Context, ev membership.Event)

// MemberEvent implements [MembershipListener].
func (f MembershipListenerFunc) MemberEvent(ctx context.Context, ev membership.Event) { f(ctx, ev) }
