package mcast

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/gotribes/tribes/membership"
)

// The defaults of [Config], those of Tribes but for the pause.
const (
	DefaultAddress       = "228.0.0.4"
	DefaultPort          = 45564
	DefaultFrequency     = 500 * time.Millisecond
	DefaultDropTime      = 3 * time.Second
	DefaultTTL           = 1
	DefaultRecoveryPause = time.Second
	DefaultMaxQueue      = 16 << 20
)

// Messages says which messages that arrive by multicast are delivered.
type Messages uint8

// The choices for messages. Nothing proves who sent a datagram, so Members only
// keeps out those who do not know the members.
const (
	// NoMessages delivers none; they are counted and dropped.
	NoMessages Messages = iota
	// FromMembers delivers those whose sender is a member at that moment.
	FromMembers
	// FromAnyone delivers all, as Tribes does.
	FromAnyone
)

// Config describes a membership by multicast. Its zero value joins the default
// group of Tribes.
type Config struct {
	// Address and Port are the multicast group, which is the identity of the
	// cluster: an IPv4 multicast address (zero: 228.0.0.4) and 1 to 65535 (zero:
	// 45564).
	Address netip.Addr
	Port    int
	// Interface is the network interface to use, by its name or by one of its
	// IPv4 addresses. Empty chooses, at the start, the first that works of: the one
	// that has the address of the local member, the one that the system would take
	// for the group, any that can multicast, the loopback interface.
	Interface string
	// TTL is the number of networks a datagram may cross, 1 to 255; zero means 1,
	// the local one. A negative value keeps datagrams on this machine.
	TTL int
	// NoLoopback keeps our datagrams from other processes on this machine.
	NoLoopback bool
	// Frequency is the time between two heartbeats, at least 1 ms; zero means
	// 500 ms.
	Frequency time.Duration
	// DropTime is the silence after which a member has failed, at least three
	// times Frequency; zero means 3 s, or six times Frequency if that is more.
	DropTime time.Duration
	// MaxMembers is the number of members that are taken; zero means
	// membership.DefaultTableLimit. No more than 2048 can come from one source
	// address.
	MaxMembers int
	// RecoveryPause is the longest pause between two tries to open the socket
	// again after it failed; zero means 1 s. The tries never end.
	RecoveryPause time.Duration
	// Messages says which messages by multicast (option message.Multicast) are
	// delivered; zero means none. Sending them needs no permission.
	Messages Messages
	// MaxQueue bounds the messages that wait for their delivery, in bytes; zero
	// means 16 MiB. What does not fit is dropped and counted.
	MaxQueue int
	// StrictLeave believes a goodbye only if it comes from the member's own
	// address, or if the member is silent afterwards. Off by default, because
	// address translation and hosts with several addresses make honest goodbyes
	// look like that.
	StrictLeave bool
	// Open makes the packet connection; nil opens a socket as the settings above
	// say. The connection must already be a member of the group, and deliver what
	// was sent to it; Interface, TTL and NoLoopback are then not used. The service
	// closes it, and calls Open again when it fails. ctx ends with the start or,
	// later, with the service.
	Open func(ctx context.Context) (net.PacketConn, error)
}

// WithDefaults returns a checked copy of c with zero values replaced. The error
// joins all problems.
func (c Config) WithDefaults() (Config, error) {
	c.fill()
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("tribes: mcast: "+format, args...))
	}
	if !c.Address.Is4() || !c.Address.IsMulticast() {
		bad("Address %s: want an IPv4 multicast address, 224.0.0.0 to 239.255.255.255", c.Address)
	}
	if c.Port < 1 || c.Port > 65535 {
		bad("Port %d: want 1 to 65535", c.Port)
	}
	if c.TTL > 255 {
		bad("TTL %d: want 1 to 255, or negative to stay on this machine", c.TTL)
	}
	if c.Frequency < time.Millisecond {
		bad("Frequency %v: want at least 1ms", c.Frequency)
	}
	if c.DropTime < 3*max(c.Frequency, time.Millisecond) {
		bad("DropTime %v: want at least three times Frequency, which is %v", c.DropTime, c.Frequency)
	}
	if c.MaxMembers < 1 {
		bad("MaxMembers %d: want a positive number", c.MaxMembers)
	}
	if c.RecoveryPause < time.Millisecond {
		bad("RecoveryPause %v: want at least 1ms", c.RecoveryPause)
	}
	if c.Messages > FromAnyone {
		bad("Messages %d: want NoMessages, FromMembers or FromAnyone", c.Messages)
	}
	if c.MaxQueue < maxDatagram {
		bad("MaxQueue %d: want at least %d bytes, room for one message", c.MaxQueue, maxDatagram)
	}
	return c, errors.Join(errs...)
}

// fill replaces zero values.
func (c *Config) fill() {
	if !c.Address.IsValid() {
		c.Address = netip.MustParseAddr(DefaultAddress)
	}
	c.Address = c.Address.Unmap()
	if c.Frequency == 0 {
		c.Frequency = DefaultFrequency
	}
	if c.DropTime == 0 {
		c.DropTime = max(DefaultDropTime, 6*c.Frequency)
	}
	if c.RecoveryPause == 0 {
		c.RecoveryPause = DefaultRecoveryPause
	}
	for _, n := range []struct {
		value *int
		def   int
	}{
		{&c.Port, DefaultPort},
		{&c.TTL, DefaultTTL},
		{&c.MaxMembers, membership.DefaultTableLimit},
		{&c.MaxQueue, DefaultMaxQueue},
	} {
		if *n.value == 0 {
			*n.value = n.def
		}
	}
}

// group is where datagrams are sent.
func (c *Config) group() netip.AddrPort { return netip.AddrPortFrom(c.Address, uint16(c.Port)) }
