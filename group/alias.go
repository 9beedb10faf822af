package group

import (
	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// Names of other packages that most programs need.
type (
	Member                 = membership.Member
	MemberID               = membership.ID
	View                   = membership.View
	Event                  = membership.Event
	Message                = message.Message
	MessageID              = message.ID
	Options                = message.Options
	SendError              = message.SendError
	RemoteError            = message.RemoteError
	Listener               = channel.Listener
	ListenerFunc           = channel.ListenerFunc
	MembershipListener     = channel.MembershipListener
	MembershipListenerFunc = channel.MembershipListenerFunc
)

// The kinds of events.
const (
	Joined  = membership.Joined
	Left    = membership.Left
	Failed  = membership.Failed
	Updated = membership.Updated
)

// What a send waits for. They may be combined with Async, UDP, Multicast and
// Secure.
const (
	NoAck     Options = 0                 // until the bytes are given to the network
	UseAck            = message.UseAck    // until the destinations have the message
	Sync              = message.Sync      // until their applications have processed it
	Async             = message.Async     // the Dispatch layer queues the message
	UDP               = message.UDP       // one datagram to each destination
	Multicast         = message.Multicast // one datagram to the whole group
	Secure            = message.Secure    // over TLS or not at all; see WithTLS for all messages
)

// Errors of other packages that most programs need.
var (
	ErrClosed     = channel.ErrClosed
	ErrNotStarted = channel.ErrNotStarted
	ErrNoMembers  = channel.ErrNoMembers
	ErrQueueFull  = channel.ErrQueueFull
	ErrNotSecure  = channel.ErrNotSecure
	ErrTooLarge   = message.ErrTooLarge
	ErrTimeout    = message.ErrTimeout
)
