package nio

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/gotribes/tribes/message"
)

// AnyPort asks for any free port, for Port, SecurePort and UDPPort of
// [ReceiverConfig].
const AnyPort = -1

// AutoAddress is the Address that lets a [Receiver] choose one of the machine's.
const AutoAddress = "auto"

// ReceiverConfig describes a [Receiver]. The zero value is a good default; a
// negative value switches a limit off where the field says so. The struct is
// copied by [NewReceiver].
type ReceiverConfig struct {
	// Address to listen on: an IP address, a host name, or AutoAddress, which is
	// also what an empty one means: an address of an interface that is up,
	// preferably that of the default route and IPv4, and loopback only if there is
	// nothing else. On an unspecified address (0.0.0.0, ::) the receiver listens
	// everywhere and tells others what AutoAddress finds.
	Address string
	// Port is the first TCP port to try. Zero means 4000; AnyPort any free one.
	Port int
	// PortTries is how many successive ports are tried while they are taken. Zero
	// means 100; with 1 a taken port is an error. It holds for SecurePort and
	// UDPPort too.
	PortTries int
	// TLS, if not nil, makes the receiver also listen on a port of its own for
	// messages over TLS, which is announced as the secure port of the member. The
	// clear port stays open: members announce one, and the failure detector, static
	// membership and Java nodes know no other. The configuration must have a
	// certificate, or a function that gets one; ClientAuth says whether others must
	// have one too. It is cloned; its functions are called at each handshake, at
	// the same time for several, with a context that ends when the receiver does.
	// A handshake must end within Limits.FirstFrameTimeout.
	TLS *tls.Config
	// SecurePort is the first port to try for TLS. Zero means 4100; AnyPort any free
	// one. It needs TLS.
	SecurePort int
	// Advertise is the host, or host:port, that others are told instead of what the
	// receiver is bound to; for machines behind address translation. The secure
	// port and the UDP port are told as they are bound. Names are
	// resolved at the start. It can be neither unspecified nor multicast.
	Advertise string
	// UDPPort is the first port to try for messages with the option UDP. Zero
	// means that there are none; AnyPort means any free one.
	UDPPort int
	// Listener, if not nil, is used instead of Address, Port and PortTries, and is
	// closed by Stop. If its address is not one that others can reach, Advertise
	// says so.
	Listener net.Listener
	// SecureListener, if not nil, is used instead of SecurePort, and is closed by
	// Stop. It returns connections in the clear; the receiver speaks TLS on them.
	SecureListener net.Listener
	// PacketConn, if not nil, is used instead of UDPPort, and is closed by Stop.
	PacketConn net.PacketConn
	// Socket has the options of accepted TCP connections.
	Socket SocketOptions
	// Poller says how sockets are read. The default, PollerAuto, chooses. TLS
	// connections are always read by PollerRuntime.
	Poller Poller
	// Loops is the number of epoll loops, 1 to 64. Zero means 1. It means nothing
	// to the other poller.
	Loops int
	// Workers bounds how many connections deliver at the same time. Zero means as
	// many as there are. With a bound, a listener that blocks holds one of them,
	// and as many blocked listeners as there are workers stop all deliveries.
	Workers int
	// MaxFrame is the largest frame in bytes; a connection that announces a larger
	// one is closed. Zero means message.DefaultMaxFrame (64 MiB); 1 KiB to 1 GiB.
	MaxFrame int
	// InboxBytes is how many bytes may wait for delivery per connection; one that
	// has more is not read until half of them are delivered. A single frame that
	// is larger is taken all the same. Zero means 1 MiB; at least 1 KiB.
	InboxBytes int
	// Limits bound what others can make the receiver spend.
	Limits ReceiverLimits
	// Duplicates is the memory by which repeated messages are recognised.
	Duplicates DuplicateMemory
}

// ReceiverLimits bound memory, connections and time of a [Receiver].
type ReceiverLimits struct {
	// MaxBytes bounds the bytes of all connections together: frames that are
	// arriving and frames that wait. Each connection has a share of its own, a
	// quarter divided by MaxConns, so that none can starve the others; one that
	// needs more than there is waits, unread. The state of TLS, some 40 KiB per
	// connection, is not counted. Zero means 256 MiB or four times
	// MaxFrame, whichever is more; at least twice MaxFrame. Negative means no
	// bound.
	MaxBytes int
	// MaxConns is how many connections there may be; further ones are closed at
	// once. Zero means 4096, negative no bound.
	MaxConns int
	// MaxConnsPerSource is the same for one IP address. Zero means 1024, negative
	// no bound.
	MaxConnsPerSource int
	// FirstFrameTimeout is how long a new connection may take to bring its first
	// whole frame, the handshake of TLS included. Zero means 10 s, negative no limit. Afterwards a connection may
	// be silent for ever.
	FirstFrameTimeout time.Duration
	// PartialTimeout is how long a frame that has begun may take; if it needs
	// longer, 32 KiB more of it must arrive in each such time. Zero means 30 s,
	// negative no limit.
	PartialTimeout time.Duration
	// WriteTimeout is how long an answer may wait because the other end does not
	// read. Then the connection is closed. Zero means 10 s, negative no limit.
	WriteTimeout time.Duration
}

// DuplicateMemory is how a [Receiver] recognises messages that it was sent
// again. It remembers acked messages only: no others are ever repeated.
type DuplicateMemory struct {
	// Window is how long a message is remembered. Zero means 1 min; negative means
	// that nothing is, and repeats are delivered again.
	Window time.Duration
	// Bytes bounds the memory. The last 4096 messages of each of the senders heard
	// last fit in 256 KiB per sender; a single sender is given up to a quarter.
	// Zero means 16 MiB; at least 1 MiB.
	Bytes int
}

const (
	defaultPort       = 4000
	defaultSecurePort = 4100
	defaultPortTries  = 100
	defaultInbox      = 1 << 20
	defaultMemory     = 256 << 20
	defaultConns      = 4096
	defaultPerSource  = 1024
	defaultFirstFrame = 10 * time.Second
	defaultPartial    = 30 * time.Second
	defaultRxWrite    = 10 * time.Second
	defaultDupWindow  = time.Minute
	defaultDupBytes   = 16 << 20

	maxLoops   = 64
	maxRxFrame = 1 << 30
	unbounded  = int(^uint(0) >> 1)
)

// WithDefaults returns a copy in which every default is filled in, for showing
// it. The error joins all problems.
func (c ReceiverConfig) WithDefaults() (ReceiverConfig, error) { return c.withDefaults() }

// withDefaults returns a checked copy; the error joins all problems. In the copy
// a limit that is off is never or unbounded.
func (c ReceiverConfig) withDefaults() (ReceiverConfig, error) {
	errs := c.validate()
	if c.Address == "" {
		c.Address = AutoAddress
	}
	rxFill(&c.Port, defaultPort)
	rxFill(&c.PortTries, defaultPortTries)
	if c.TLS != nil {
		c.TLS = c.TLS.Clone()
		rxFill(&c.SecurePort, defaultSecurePort)
	}
	rxFill(&c.Loops, 1)
	rxFill(&c.Workers, unbounded)
	rxFill(&c.MaxFrame, message.DefaultMaxFrame)
	rxFill(&c.InboxBytes, defaultInbox)
	l := &c.Limits
	rxFill(&l.MaxBytes, max(defaultMemory, 4*min(c.MaxFrame, unbounded/4)))
	rxFill(&l.MaxConns, defaultConns)
	rxFill(&l.MaxConnsPerSource, defaultPerSource)
	rxFill(&l.FirstFrameTimeout, defaultFirstFrame)
	rxFill(&l.PartialTimeout, defaultPartial)
	rxFill(&l.WriteTimeout, defaultRxWrite)
	rxFill(&c.Duplicates.Window, defaultDupWindow)
	rxFill(&c.Duplicates.Bytes, defaultDupBytes)
	for _, n := range []*int{&l.MaxBytes, &l.MaxConns, &l.MaxConnsPerSource} {
		if *n < 0 {
			*n = unbounded
		}
	}
	for _, d := range []*time.Duration{&l.FirstFrameTimeout, &l.PartialTimeout, &l.WriteTimeout} {
		if *d < 0 {
			*d = never
		}
	}
	return c, errors.Join(errs...)
}

func rxFill[T int | time.Duration](v *T, standard T) {
	if *v == 0 {
		*v = standard
	}
}

func (c *ReceiverConfig) validate() []error {
	var errs []error
	bad := func(name string, v any, want string) {
		errs = append(errs, fmt.Errorf("tribes: nio receiver config: %s %v: want %s", name, v, want))
	}
	between := func(name string, v, least, most int) {
		if v != 0 && (v < least || v > most) {
			bad(name, v, fmt.Sprintf("%d to %d", least, most))
		}
	}
	port := func(name string, v int) {
		if v != AnyPort {
			between(name, v, 1, 65535)
		}
	}
	port("Port", c.Port)
	port("SecurePort", c.SecurePort)
	port("UDPPort", c.UDPPort)
	between("PortTries", c.PortTries, 1, 65535)
	between("Loops", c.Loops, 1, maxLoops)
	between("Workers", c.Workers, 1, unbounded)
	between("MaxFrame", c.MaxFrame, minMaxFrame, maxRxFrame)
	between("InboxBytes", c.InboxBytes, 1<<10, unbounded)
	between("Duplicates.Bytes", c.Duplicates.Bytes, 1<<20, unbounded)
	errs = append(errs, c.validateTLS()...)
	frame := c.MaxFrame
	rxFill(&frame, message.DefaultMaxFrame)
	if m := c.Limits.MaxBytes; m > 0 && m/2 < frame {
		bad("Limits.MaxBytes", m, fmt.Sprintf("at least %d, twice MaxFrame, or negative for no bound", 2*int64(frame)))
	}
	if c.Poller > PollerEpoll {
		bad("Poller", c.Poller, "PollerAuto, PollerRuntime or PollerEpoll")
	}
	if _, ok := c.Listener.(*net.TCPListener); !ok && c.Listener != nil && c.Poller == PollerEpoll {
		bad("Poller", c.Poller, fmt.Sprintf("another one: the listener is a %T, and epoll needs a *net.TCPListener", c.Listener))
	}
	if c.Address != "" && checkHost(c.Address) != nil {
		bad("Address", fmt.Sprintf("%q", c.Address), "auto, an IP address or a host name, with at most 253 printable characters")
	}
	if err := checkAdvertise(c.Advertise); err != nil {
		bad("Advertise", fmt.Sprintf("%q", c.Advertise), err.Error())
	}
	return append(errs, c.Socket.validate("nio receiver config")...)
}
