package static

import (
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gotribes/tribes/internal/javaser"
	"github.com/gotribes/tribes/membership"
)

// The defaults of Config.
const (
	DefaultPing       = time.Second
	DefaultExpiration = 5 * time.Second
	DefaultTimeout    = 3 * time.Second
	DefaultMaxPause   = 10 * time.Second
	DefaultRefresh    = 10 * time.Second
)

// least is the shortest duration that a Config may have.
const least = time.Millisecond

// Config describes a list of members.
type Config struct {
	// Members are the addresses to dial, the local one may be among them.
	Members []Peer
	// Resolver finds more addresses; nil for none.
	Resolver Resolver
	// Refresh is how often the Resolver is asked and the host names among Members
	// are looked up; zero means 10 s. While that fails its last answer stands, and
	// it is tried sooner: after 100 ms, then after growing pauses of at most
	// MaxPause. So are names at whose addresses nobody answers.
	Refresh time.Duration
	// Name is the channel name, which all members must share. Empty counts as
	// "null", as in Tribes. Characters beyond ISO 8859-1 count as "?".
	Name string
	// Ping is how often each member is asked whether it is there; zero means 1 s.
	Ping time.Duration
	// Expiration is the silence after which a member has failed; zero means 5 s.
	// It must be at least three times Ping.
	Expiration time.Duration
	// Timeout bounds the wait for one answer, and for the goodbye to be sent; zero
	// means 3 s. A member is waited for no longer than half of Expiration.
	Timeout time.Duration
	// MaxPause is the longest pause between two tries of an address where nobody
	// answers; zero means 10 s. The first one is 100 ms, each further one twice
	// that before.
	MaxPause time.Duration
	// JavaUID is the serialVersionUID that Java peers expect of a member inside of
	// an object; it depends on their release, and a Java node drops what has
	// another one. Zero means that of 10.1 and later. It is used for members that
	// have said nothing yet; the others get what they use themselves, so that
	// releases may be mixed as far as they find this node by their own lists.
	JavaUID int64
}

// The values of Config.JavaUID.
const (
	Java9   = javaser.MemberUID85  // Tomcat 8.5 and 9.0
	Java100 = javaser.MemberUID100 // Tomcat 10.0
	Java101 = javaser.MemberUID101 // Tomcat 10.1 and later
)

// Peer is one entry of the list.
type Peer struct {
	// Addr is HOST:PORT. A host name stands for all addresses that it has, one
	// member on each.
	Addr string
	// ID is the member's unique id if it is fixed; zero takes any. Whoever has
	// another one at that address is not taken.
	ID membership.ID
}

// WithDefaults returns a checked copy of c with zero values replaced. The error
// joins all problems, each naming the field and what it may be.
func (c Config) WithDefaults() (Config, error) {
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("tribes: static config: "+format, args...))
	}
	c.durations(bad)
	if c.JavaUID == 0 {
		c.JavaUID = Java101
	}
	if len(c.Members) == 0 && c.Resolver == nil {
		bad("Members: want at least one address, or a Resolver")
	}
	c.Members = slices.Clone(c.Members)
	ids := make(map[string]membership.ID)
	for i, p := range c.Members {
		if _, err := p.entry(); err != nil {
			bad("Members[%d] %q: %w", i, p.Addr, err)
		}
		if id, twice := ids[p.Addr]; twice && id != p.ID {
			bad("Members[%d] %q: want one ID for an address, it is listed with another one too", i, p.Addr)
		}
		ids[p.Addr] = p.ID
	}
	return c, errors.Join(errs...)
}

func (c *Config) durations(bad func(format string, args ...any)) {
	for _, d := range []struct {
		name  string
		value *time.Duration
		def   time.Duration
	}{
		{"Refresh", &c.Refresh, DefaultRefresh},
		{"Ping", &c.Ping, DefaultPing},
		{"Expiration", &c.Expiration, DefaultExpiration},
		{"Timeout", &c.Timeout, DefaultTimeout},
		{"MaxPause", &c.MaxPause, DefaultMaxPause},
	} {
		if *d.value == 0 {
			*d.value = d.def
		}
		if *d.value < least {
			bad("%s %v: want at least %v", d.name, *d.value, least)
		}
	}
	if c.Ping > math.MaxInt64/3 || c.Expiration < 3*c.Ping {
		bad("Expiration %v: want at least three times Ping, which is %v", c.Expiration, c.Ping)
	}
}

// entry is a Peer taken apart: an address, or a name to be looked up.
type entry struct {
	addr netip.AddrPort // not valid if there is a name
	name string
	port uint16
	id   membership.ID
}

func (p Peer) entry() (entry, error) {
	host, text, err := net.SplitHostPort(p.Addr)
	if err != nil {
		return entry{}, errors.New("want HOST:PORT")
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil || port == 0 {
		return entry{}, fmt.Errorf("port %q: want 1 to 65535", text)
	}
	e := entry{port: uint16(port), id: p.ID}
	if ip, err := netip.ParseAddr(host); err == nil {
		e.addr = netip.AddrPortFrom(ip.Unmap(), e.port)
		return e, dialable(e.addr)
	}
	if !isHostName(host) {
		return entry{}, fmt.Errorf("host %q: want an IP address or a host name", host)
	}
	e.name = host
	return e, nil
}

// reachable says why the members of the list cannot reach the local one: an
// address of the loopback interface means another machine to each of them.
func (c *Config) reachable(env membership.Env) error {
	if host := env.Local.Host().Unmap(); env.Announce && host.IsLoopback() {
		for i, p := range c.Members {
			if e, err := p.entry(); err == nil && e.name == "" && !e.addr.Addr().IsLoopback() {
				return fmt.Errorf("the local member announces %s, where Members[%d] %q cannot reach it: want another Address or Advertise of the receiver", host, i, p.Addr)
			}
		}
	}
	return nil
}

// dialable says why an address cannot be dialled.
func dialable(addr netip.AddrPort) error {
	m, err := standIn(addr, membership.ID{})
	if err != nil {
		return err
	}
	if !m.Dialable() {
		return errors.New("want an address that can be dialled")
	}
	return nil
}

// isHostName reports whether s can be the name of a host.
func isHostName(s string) bool {
	const longest = 253
	if s == "" || len(strings.TrimSuffix(s, ".")) > longest || s[0] == '.' {
		return false
	}
	return strings.IndexFunc(s, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-' || r == '.' || r == '_')
	}) < 0
}

// standIn is a member of which only the address is known, and the id if that is
// configured.
func standIn(addr netip.AddrPort, id membership.ID) (*membership.Member, error) {
	return membership.New(membership.Attributes{Host: addr.Addr(), Port: int(addr.Port()),
		SecurePort: membership.NoPort, UDPPort: membership.NoPort, ID: id})
}

// membershipID is what all messages of one membership carry.
func (c *Config) membershipID() []byte {
	name := c.Name
	if name == "" {
		name = "null"
	}
	return append(latin1(name), "-StaticMembership"...)
}

// latin1 is s in ISO 8859-1, with ? for what it cannot say, as Java does.
func latin1(s string) []byte {
	b := make([]byte, 0, len(s))
	for _, r := range s {
		if r > 0xff {
			r = '?'
		}
		b = append(b, byte(r))
	}
	return b
}
