package membership

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"time"
)

const maxPort = 65535

// NoPort stands for "no such port" in SecurePort and UDPPort.
const NoPort = -1

// LeaveCommand is the command that means "I am leaving" (docs/wire.md, Member
// image).
const LeaveCommand = "BABY-ALEX"

// Attributes are all that a member tells about itself. Domain, Payload and
// Command are raw bytes held in strings, so that they cannot change.
type Attributes struct {
	Host       netip.Addr // where the member's receiver can be reached; 4 or 16 bytes on the wire, see Key
	Port       int        // TCP port, 0 to 65535
	SecurePort int        // TLS port, NoPort if none
	UDPPort    int        // UDP port, NoPort if none
	Domain     string     // name of the partition the member belongs to
	Payload    string     // application data
	Command    string     // empty in normal life, LeaveCommand in a goodbye
	ID         ID         // of this run of the member
	Alive      int64      // milliseconds since the member started, by its own account
}

// Key identifies a member: host, port and id together, as in Tribes. Nothing
// else counts. It is comparable and may be a map key.
//
// Hosts are compared as bytes: an IPv4 address in its IPv6 form (::ffff:a.b.c.d,
// as Go reports it for dual-stack sockets) is another host than the plain one.
// Whoever makes a member of such an address calls Unmap.
type Key struct {
	Host netip.Addr
	Port int
	ID   ID
}

// Member is an immutable description of a member. It is made by [New] or
// [Decode], shared as a pointer and safe for concurrent use. Two pointers mean
// the same member if their keys are equal.
type Member struct {
	attr  Attributes
	image string
	aged  bool // the alive time in image is an older one
}

// New checks a and returns the member it describes. The error joins all that is
// wrong, each naming the attribute and what it may be.
func New(a Attributes) (*Member, error) {
	if err := a.validate(); err != nil {
		return nil, err
	}
	return &Member{attr: a, image: string(appendImage(nil, &a))}, nil
}

func (a *Attributes) validate() error {
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("tribes: member: "+format, args...))
	}
	switch {
	case !a.Host.IsValid():
		bad("host: none given, want an IPv4 or IPv6 address")
	case a.Host.Zone() != "":
		bad("host %s: want an address without zone, which means nothing to others", a.Host)
	}
	if a.Port < 0 || a.Port > maxPort {
		bad("port %d: want 0 to %d", a.Port, maxPort)
	}
	if a.SecurePort < NoPort || a.SecurePort > maxPort {
		bad("secure port %d: want %d to %d", a.SecurePort, NoPort, maxPort)
	}
	if a.UDPPort < NoPort || a.UDPPort > maxPort {
		bad("UDP port %d: want %d to %d", a.UDPPort, NoPort, maxPort)
	}
	a.validateParts(bad)
	return errors.Join(errs...)
}

func (a *Attributes) validateParts(bad func(format string, args ...any)) {
	for _, p := range [...]struct{ name, value string }{
		{"domain", a.Domain}, {"command", a.Command}, {"payload", a.Payload},
	} {
		if len(p.value) > MaxPart {
			bad("%s of %d bytes: want at most %d", p.name, len(p.value), MaxPart)
		}
	}
	if n := a.imageSize(); n > MaxImage {
		bad("domain, command and payload make an image of %d bytes: want at most %d", n, MaxImage)
	}
}

// Attributes returns a copy of everything the member tells about itself.
func (m *Member) Attributes() Attributes { return m.attr }

// With returns a member like m after change has edited its attributes.
func (m *Member) With(change func(*Attributes)) (*Member, error) {
	a := m.attr
	change(&a)
	return New(a)
}

// Key returns what identifies the member.
func (m *Member) Key() Key { return Key{m.attr.Host, m.attr.Port, m.attr.ID} }

// Host returns the address of the member's receiver.
func (m *Member) Host() netip.Addr { return m.attr.Host }

// Port returns the member's TCP port.
func (m *Member) Port() int { return m.attr.Port }

// SecurePort returns the member's TLS port, NoPort if it has none.
func (m *Member) SecurePort() int { return m.attr.SecurePort }

// UDPPort returns the member's UDP port, NoPort if it has none.
func (m *Member) UDPPort() int { return m.attr.UDPPort }

// Domain returns the bytes of the member's domain.
func (m *Member) Domain() string { return m.attr.Domain }

// Payload returns the bytes that the member's application announces.
func (m *Member) Payload() string { return m.attr.Payload }

// Command returns the member's command; see [LeaveCommand].
func (m *Member) Command() string { return m.attr.Command }

// ID returns the id of this run of the member.
func (m *Member) ID() ID { return m.attr.ID }

// Alive returns how long the member was running when this description was
// made, by its own account. Values beyond the range of a Duration are clipped.
func (m *Member) Alive() time.Duration {
	const limit = int64(1<<63-1) / int64(time.Millisecond)
	return time.Duration(min(max(m.attr.Alive, -limit), limit)) * time.Millisecond
}

// Leaving reports whether the description carries the leave command.
func (m *Member) Leaving() bool { return m.attr.Command == LeaveCommand }

// AddrPort returns the address of the member's receiver for dialling.
func (m *Member) AddrPort() netip.AddrPort {
	return netip.AddrPortFrom(m.attr.Host, uint16(m.attr.Port))
}

var broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// Dialable reports whether a connection to the member can make sense: a host
// that is neither unspecified nor multicast nor broadcast, and a port.
func (m *Member) Dialable() bool {
	h := m.attr.Host.Unmap()
	return m.attr.Port > 0 && !h.IsUnspecified() && !h.IsMulticast() && h != broadcast
}

// Name returns the display name that Tribes uses, such as
// tcp://{10, 11, 0, 1}:4000.
func (m *Member) Name() string {
	var b strings.Builder
	b.WriteString("tcp://{")
	for i, x := range m.attr.Host.AsSlice() {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%d", x)
	}
	fmt.Fprintf(&b, "}:%d", m.attr.Port)
	return b.String()
}

// String returns the address and the first digits of the id, for logs; of nil it is none.
func (m *Member) String() string {
	if m == nil {
		return "none"
	}
	return fmt.Sprintf("%s/%x", m.AddrPort(), m.attr.ID[:4])
}

// LogValue implements slog.LogValuer with the form of String, also for nil.
func (m *Member) LogValue() slog.Value { return slog.StringValue(m.String()) }

// CompareAge orders the oldest member first, as the member lists of Tribes do;
// members of one age are in absolute order. It is meaningful for descriptions
// of one moment, such as the members of one [View].
func CompareAge(a, b *Member) int {
	if c := cmp.Compare(b.attr.Alive, a.attr.Alive); c != 0 {
		return c
	}
	return CompareAbsolute(a, b)
}

// CompareAbsolute orders by length of the host address, host, port and id, as
// bytes without sign. Every node computes the same order from the same
// members; coordinators rest on it.
func CompareAbsolute(a, b *Member) int {
	if c := a.attr.Host.Compare(b.attr.Host); c != 0 {
		return c
	}
	if c := cmp.Compare(a.attr.Port, b.attr.Port); c != 0 {
		return c
	}
	return strings.Compare(string(a.attr.ID[:]), string(b.attr.ID[:]))
}
