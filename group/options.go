package group

import (
	"crypto/tls"
	"log/slog"
	"slices"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/membership/mcast"
	"github.com/gotribes/tribes/membership/static"
	"github.com/gotribes/tribes/transport/nio"
)

// Settings is what options set. It can be printed; New fills in what is zero.
type Settings struct {
	Name         string                // label for logs; Java's channel name in static membership
	Domain       string                // partition to belong to
	Payload      string                // application data that the member announces
	ID           membership.ID         // zero: a new one
	Bind         string                // address to listen on and to multicast from
	Services     channel.Services      // zero: all
	Receiver     nio.ReceiverConfig    // zero: its defaults
	Sender       nio.SenderConfig      // zero: its defaults
	Multicast    *mcast.Config         // nil: the default one, if there is no other membership
	Static       []static.Config       // lists of members
	Memberships  []membership.Service  // besides those two
	Interceptors []channel.Interceptor // nil: the default layers
	Transport    Transport             // instead of Sender and Receiver
	TLSOnly      bool                  // all messages of the application go over TLS
	TLS          *tls.Config           // for that, where Sender and Receiver have none
	RPC          RPCConfig             // zero: its defaults
	StopTimeout  time.Duration         // zero: 5 s
	StuckAfter   time.Duration         // zero: 10 s, negative: never
	Logger       *slog.Logger          // nil: discards
	Trace        *channel.Trace        // nil: nobody is told
	Clock        func() time.Time      // of message stamps; nil: time.Now
}

// Transport is a sender and a receiver of another make; a nil one means that of
// package nio.
type Transport struct {
	Sender   channel.Sender
	Receiver channel.Receiver
}

// Option is one choice for [New]. Options are applied in order; those that name
// a part (WithReceiver, WithMulticast, ...) replace an earlier choice, those
// that add one (WithStatic, WithMembership) do not.
type Option func(*Settings)

// WithName sets the channel name: a label for logs, and what members of a
// static membership must share.
func WithName(name string) Option { return func(s *Settings) { s.Name = name } }

// WithDomain makes the member part of a domain. Unless WithInterceptors says
// otherwise it then sees and hears only members of the same domain.
func WithDomain(domain string) Option { return func(s *Settings) { s.Domain = domain } }

// WithPayload sets the application data that the member announces; others see it
// as Member.Payload. Channel.UpdateLocal changes it later.
func WithPayload(payload []byte) Option {
	p := string(payload)
	return func(s *Settings) { s.Payload = p }
}

// WithID fixes the unique id of the member. It must be different at each start,
// unless the member is on a static list that names it.
func WithID(id membership.ID) Option { return func(s *Settings) { s.ID = id } }

// WithBind sets the IP address to listen on, to announce and to multicast from.
// 127.0.0.1 keeps the group on this machine. With 0.0.0.0 or :: the member listens on all
// addresses, and announces and multicasts from one that it chooses, as without WithBind.
func WithBind(address string) Option { return func(s *Settings) { s.Bind = address } }

// WithReceiver configures the receiver: ports, limits, poller.
func WithReceiver(c nio.ReceiverConfig) Option { return func(s *Settings) { s.Receiver = c } }

// WithSender configures the sender: timeouts, retries, windows.
func WithSender(c nio.SenderConfig) Option { return func(s *Settings) { s.Sender = c } }

// WithTLS protects all messages of the application: each goes over TLS to the
// secure port of its destination, as if it had the option Secure, or not at all
// ([ErrNotSecure]); and one that came any other way is refused before a listener
// or a topic sees it. So all members need it, and messages with the options UDP
// or Multicast are not sent.
//
// The configuration serves both sides of connections: Certificates and RootCAs,
// and for members that must prove who they are ClientAuth and ClientCAs. Without
// ClientAuth everybody can send who reaches the secure port. Certificates are
// verified against ServerName if that is set, else against the IP address that a
// member announces. Which certificate goes with which member id nobody checks:
// who has a certificate that is taken can speak for every member.
//
// Not protected is what is no message of the application: heartbeats, the
// messages and probes by which layers and memberships find and check members,
// and the answers to remote calls that came in the clear, which say that nobody
// serves them. Who reaches the ports can thus
// still forge members and make others leave, but not read or write messages.
//
// For members that have TLS and members that have not in one group, and while a
// group changes over, set TLS with WithReceiver and WithSender and send with the
// option Secure what needs it. WithTLS cannot be combined with WithTransport.
func WithTLS(c *tls.Config) Option {
	return func(s *Settings) { s.TLSOnly, s.TLS = true, c }
}

// WithTransport replaces sender and receiver, for instance by those of
// transport/mem in a test. A nil part stays what it was.
func WithTransport(sender channel.Sender, receiver channel.Receiver) Option {
	return func(s *Settings) { s.Transport = Transport{sender, receiver} }
}

// WithMulticast finds members by multicast, as is the default, with these
// settings. It may be combined with WithStatic.
func WithMulticast(c mcast.Config) Option { return func(s *Settings) { s.Multicast = &c } }

// WithStatic finds members on a list. Without WithMulticast there is no
// multicast then.
func WithStatic(c static.Config) Option {
	return func(s *Settings) { s.Static = append(slices.Clip(s.Static), c) }
}

// WithMembership adds a membership service of another make.
func WithMembership(m membership.Service) Option {
	return func(s *Settings) { s.Memberships = append(slices.Clip(s.Memberships), m) }
}

// WithInterceptors replaces the default layers, nearest the application first.
// With no layers the stack is bare.
func WithInterceptors(layers ...channel.Interceptor) Option {
	return func(s *Settings) { s.Interceptors = append([]channel.Interceptor{}, layers...) }
}

// WithRPC sets the limits of remote calls.
func WithRPC(c RPCConfig) Option { return func(s *Settings) { s.RPC = c } }

// WithServices runs only some parts of the member. Without channel.ReceiveData its
// messages name the address of WithBind and port 0: nobody can answer them.
func WithServices(services channel.Services) Option {
	return func(s *Settings) { s.Services = services }
}

// WithLogger sets the logger; the default discards.
func WithLogger(l *slog.Logger) Option { return func(s *Settings) { s.Logger = l } }

// WithTrace sets functions that are told what happens, for metrics.
func WithTrace(t *channel.Trace) Option { return func(s *Settings) { s.Trace = t } }

// WithStopTimeout bounds the orderly part of a stop; see channel.Config.
func WithStopTimeout(d time.Duration) Option { return func(s *Settings) { s.StopTimeout = d } }

// WithStuckAfter sets how long a listener, or a handler of remote calls, may take
// before the log names it; see channel.Config.
func WithStuckAfter(d time.Duration) Option { return func(s *Settings) { s.StuckAfter = d } }

// WithClock sets the wall clock of message stamps. Nothing else depends on it.
func WithClock(now func() time.Time) Option { return func(s *Settings) { s.Clock = now } }
