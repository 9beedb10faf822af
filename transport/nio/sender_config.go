package nio

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/gotribes/tribes/message"
)

// SenderConfig describes a [Sender]. The zero value is a good default; a
// negative value switches a limit off where the field says so. The struct is
// copied by [NewSender].
type SenderConfig struct {
	// Timeouts are the time limits.
	Timeouts SenderTimeouts
	// Retries is how often a message is written again, with the same id and on
	// another connection, after an error of the connection. Timeouts and refusals
	// are never repeated. Zero means 1; negative means none. At most 100.
	Retries int
	// MaxFrame is the largest frame to send, in bytes; a message that needs more
	// is not sent and gets message.ErrTooLarge. Zero means message.DefaultMaxFrame
	// (64 MiB). At least 1 KiB.
	MaxFrame int
	// Window is how many acked messages may be on their way on one connection to a
	// member that understands numbered acks. Zero means 1024; at most 16384. With
	// 1 the sender does exactly what Tribes does: numbered acks are not asked for,
	// each connection carries one acked message at a time and parallel ones share
	// Pool.Size connections, so that their order is lost.
	Window int
	// WindowBytes is how many bytes of frames those may have. A frame that is
	// larger travels alone. Zero means 8 MiB.
	WindowBytes int
	// QueueMessages is how many messages may wait per member. Zero means 16384.
	QueueMessages int
	// QueueBytes is how many bytes of frames may wait per member. A frame that is
	// larger may wait if nothing else does. Zero means 16 MiB.
	QueueBytes int
	// Pool says how many connections there are and how long they live.
	Pool SenderPool
	// Socket has the options of each connection.
	Socket SocketOptions
	// TLS, if not nil, lets messages with the option Secure be sent; without it they
	// are not sent and get channel.ErrNotSecure. The certificate of a member must be
	// valid for ServerName, if that is set, else for the IP address that the member
	// announces. The configuration is cloned; its functions are called at each
	// handshake, at the same time for several. Timeouts.Connect includes the
	// handshake.
	TLS *tls.Config
	// Dial makes connections; network is "tcp" or "udp", address is host and port.
	// Nil means a net.Dialer. It must return when ctx ends. For messages with the
	// option Secure the sender speaks TLS on what it returns.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// SenderTimeouts are the time limits of a [Sender]. They run on the monotonic
// clock and hold as they are written: nothing rounds them up.
type SenderTimeouts struct {
	// Connect bounds the making of a connection, TLS included. Zero means 3 s, negative leaves
	// it to the system.
	Connect time.Duration
	// Write bounds the time in which not one byte of a message could be given to
	// the network. Zero means 3 s, negative means no limit.
	Write time.Duration
	// Ack bounds the wait for an answer from the moment the message was written.
	// It also bounds how long messages wait in the queue of a member that has
	// stopped answering. Zero means 5 s, negative means no limit.
	Ack time.Duration
}

// SenderPool says how many connections a [Sender] has to one member, and how
// long they live.
type SenderPool struct {
	// Size is the largest number of connections to a member that gives plain
	// acks, such as a Java node. They are made when acked messages wait. Zero
	// means 25; at most 1000.
	Size int
	// Links is the number of connections to a member that understands numbered
	// acks. Zero means 1, which keeps messages in order; more than one, at most 16,
	// pays for large messages where order does not matter.
	Links int
	// MaxAge renews a connection that is older. Zero or negative means never.
	MaxAge time.Duration
	// MaxUses renews a connection after that many messages. Zero or negative means
	// never.
	MaxUses int
	// IdleClose closes a connection that was not used for so long. Zero or negative
	// means never.
	IdleClose time.Duration
	// Preconnect makes the first connection when a member joins instead of with
	// the first message.
	Preconnect bool
}

const (
	defaultConnect       = 3 * time.Second
	defaultWrite         = 3 * time.Second
	defaultAck           = 5 * time.Second
	defaultWindow        = 1024
	defaultWindowBytes   = 8 << 20
	defaultQueueMessages = 16384
	defaultQueueBytes    = 16 << 20
	defaultPoolSize      = 25

	maxRetries  = 100
	maxPoolSize = 1000
	maxLinks    = 16
	minMaxFrame = 1 << 10
	never       = time.Duration(1<<63 - 1)
)

// WithDefaults returns a copy in which every default is filled in, for showing
// it. The error joins all problems.
func (c SenderConfig) WithDefaults() (SenderConfig, error) { return c.withDefaults() }

// withDefaults returns a checked copy; the error joins all problems. In the
// copy a limit that is off is never, Retries is negative if there are none, and
// no other value is zero or negative.
func (c SenderConfig) withDefaults() (SenderConfig, error) {
	errs := c.validate()
	fillLimit(&c.Timeouts.Connect, defaultConnect)
	fillLimit(&c.Timeouts.Write, defaultWrite)
	fillLimit(&c.Timeouts.Ack, defaultAck)
	fillLimit(&c.Pool.MaxAge, never)
	fillLimit(&c.Pool.IdleClose, never)
	fillInt(&c.MaxFrame, message.DefaultMaxFrame)
	fillInt(&c.Window, defaultWindow)
	fillInt(&c.WindowBytes, defaultWindowBytes)
	fillInt(&c.QueueMessages, defaultQueueMessages)
	fillInt(&c.QueueBytes, defaultQueueBytes)
	fillInt(&c.Pool.Size, defaultPoolSize)
	fillInt(&c.Pool.Links, 1)
	fillInt(&c.Retries, 1)
	c.Retries = max(c.Retries, -1)
	if c.Pool.MaxUses <= 0 {
		c.Pool.MaxUses = int(^uint(0) >> 1)
	}
	if c.TLS != nil {
		c.TLS = c.TLS.Clone()
	}
	if c.Dial == nil {
		c.Dial = new(net.Dialer).DialContext
	}
	return c, errors.Join(errs...)
}

// tries is how often a message is written at most.
func (c *SenderConfig) tries() int { return max(c.Retries, 0) + 1 }

// fillLimit replaces zero by the default and what is switched off by never.
func fillLimit(d *time.Duration, standard time.Duration) {
	switch {
	case *d == 0:
		*d = standard
	case *d < 0:
		*d = never
	}
}

func fillInt(n *int, standard int) {
	if *n == 0 {
		*n = standard
	}
}

func (c *SenderConfig) validate() []error {
	var errs []error
	between := func(name string, v, least, most int) {
		if v != 0 && (v < least || v > most) {
			errs = append(errs, fmt.Errorf("tribes: nio sender config: %s %d: want %d to %d", name, v, least, most))
		}
	}
	const large = 1 << 30
	if c.Retries > maxRetries {
		errs = append(errs, fmt.Errorf("tribes: nio sender config: Retries %d: want at most %d, or negative for none", c.Retries, maxRetries))
	}
	between("MaxFrame", c.MaxFrame, minMaxFrame, large)
	between("Window", c.Window, 1, message.MaxSettled)
	between("WindowBytes", c.WindowBytes, 1, large)
	between("QueueMessages", c.QueueMessages, 1, large)
	between("QueueBytes", c.QueueBytes, 1, large)
	between("Pool.Size", c.Pool.Size, 1, maxPoolSize)
	between("Pool.Links", c.Pool.Links, 1, maxLinks)
	return append(errs, c.Socket.validate("nio sender config")...)
}
