package channel

import (
	"net/netip"
	"time"

	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// Trace has functions that are told what a channel does, for metrics and
// debugging. A nil function is not called. They are called on the goroutines
// that do the work, possibly at the same time, and must neither block nor keep
// what they are given.
type Trace struct {
	// MemberEvent: the application's view changed.
	MemberEvent func(ev membership.Event)
	// ViewAgreed: the members have agreed on another view.
	ViewAgreed func(v *membership.Agreed)
	// MessageSent: a send was settled at every destination; err is nil or a *message.SendError.
	MessageSent func(id message.ID, destinations, bytes int, took time.Duration, err error)
	// MessageReceived: a message reached the application; err is that of its listener.
	MessageReceived func(m *message.Message, took time.Duration, err error)
	// MessageDropped: a layer did not pass a message on.
	MessageDropped func(layer string, from *membership.Member, id message.ID, reason string)
	// LinkUp: a connection to a member was made.
	LinkUp func(to *membership.Member)
	// LinkDown: a connection to a member ended; err is nil if we closed it.
	LinkDown func(to *membership.Member, err error)
	// Retry: a message is written again on another connection.
	Retry func(to *membership.Member, id message.ID, cause error)
	// Probe: a probe has ended.
	Probe func(to *membership.Member, kind ProbeKind, took time.Duration, err error)
	// Accepted: somebody connected to the receiver.
	Accepted func(from netip.AddrPort)
	// Rejected: a connection was closed or a datagram dropped because of what came
	// from that address. The reasons are few and short: usable as a metric label.
	Rejected func(from netip.AddrPort, reason string)
	// Duplicate: a message was received again and not delivered again.
	Duplicate func(from *membership.Member, id message.ID)
}

// WithDefaults returns a copy of t, which may be nil, in which no function is
// nil. The channel does this for what it hands to its parts.
func (t *Trace) WithDefaults() *Trace {
	var d Trace
	if t != nil {
		d = *t
	}
	if d.MemberEvent == nil {
		d.MemberEvent = func(membership.Event) {}
	}
	if d.ViewAgreed == nil {
		d.ViewAgreed = func(*membership.Agreed) {}
	}
	if d.MessageSent == nil {
		d.MessageSent = func(message.ID, int, int, time.Duration, error) {}
	}
	if d.MessageReceived == nil {
		d.MessageReceived = func(*message.Message, time.Duration, error) {}
	}
	if d.MessageDropped == nil {
		d.MessageDropped = func(string, *membership.Member, message.ID, string) {}
	}
	if d.LinkUp == nil {
		d.LinkUp = func(*membership.Member) {}
	}
	if d.LinkDown == nil {
		d.LinkDown = func(*membership.Member, error) {}
	}
	if d.Retry == nil {
		d.Retry = func(*membership.Member, message.ID, error) {}
	}
	if d.Probe == nil {
		d.Probe = func(*membership.Member, ProbeKind, time.Duration, error) {}
	}
	if d.Accepted == nil {
		d.Accepted = func(netip.AddrPort) {}
	}
	if d.Rejected == nil {
		d.Rejected = func(netip.AddrPort, string) {}
	}
	if d.Duplicate == nil {
		d.Duplicate = func(*membership.Member, message.ID) {}
	}
	return &d
}
