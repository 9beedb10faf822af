package static

import (
	"errors"
	"fmt"
	"net/netip"
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

// Config describes a list of members.
type Config struct {
	// Members are the addresses to dial, the local one may be among them.
	Members []Peer
	// Resolver finds more addresses; nil for none. It is asked at the start and
	// then each Refresh (zero: 10 s). While it fails, its last answer stands.
	Resolver Resolver
	Refresh  time.Duration
	// Name is the channel name, which all members must share. Empty counts as
	// "null", as in Tribes.
	Name string
	// Ping is how often each member is asked; zero means 1 s.
	Ping time.Duration
	// Expiration is the silence after which a member has failed; zero means 5 s.
	// It must be at least three times Ping.
	Expiration time.Duration
	// Timeout bounds the wait for one answer, and the goodbye; zero means 3 s.
	Timeout time.Duration
	// MaxPause is the longest pause between tries of an address that does not
	// answer; zero means 10 s.
	MaxPause time.Duration
	// JavaUID is the serialVersionUID that Java peers expect of a member inside an
	// object; it depends on their release. Zero means that of 10.1 and later.
	JavaUID int64
}

// The values of Config.JavaUID.
const (
	Java9   = javaser.MemberUID85  // Tomcat 8.5 and 9.0
	Java100 = javaser.MemberUID100 // Tomcat 10.0
	Java101 = javaser.MemberUID101 // Tomcat 10.1 and later
)

// Peer is one address on the list.
type Peer struct {
	// Addr is HOST:PORT. A host name is looked up each time it is dialled.
	Addr string
	// ID is the member's unique id if it is fixed; zero takes any.
	ID membership.ID
}

// WithDefaults returns a checked copy of c with zero values replaced. The error
// joins all problems.
func (c Config) WithDefaults() (Config, error) {
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("tribes: static: "+format, args...))
	}
	for _, d := range []struct {
		name  string
		value *time.Duration
		def   time.Duration
	}{
		{"Ping", &c.Ping, DefaultPing},
		{"Expiration", &c.Expiration, DefaultExpiration},
		{"Timeout", &c.Timeout, DefaultTimeout},
		{"MaxPause", &c.MaxPause, DefaultMaxPause},
		{"Refresh", &c.Refresh, DefaultRefresh},
	} {
		if *d.value == 0 {
			*d.value = d.def
		}
		if *d.value < time.Millisecond {
			bad("%s %v: want at least 1ms", d.name, *d.value)
		}
	}
	if c.Expiration < 3*c.Ping {
		bad("Expiration %v: want at least three times Ping, which is %v", c.Expiration, c.Ping)
	}
	if c.JavaUID == 0 {
		c.JavaUID = Java101
	}
	if len(c.Members) == 0 && c.Resolver == nil {
		bad("Members: want at least one address, or a Resolver")
	}
	for i, p := range c.Members {
		if err := p.check(); err != nil {
			bad("Members[%d] %q: %w", i, p.Addr, err)
		}
	}
	c.Members = append([]Peer(nil), c.Members...)
	return c, errors.Join(errs...)
}

func (p Peer) check() error {
	if ap, err := netip.ParseAddrPort(p.Addr); err == nil {
		if ap.Port() == 0 || ap.Addr().IsUnspecified() || ap.Addr().IsMulticast() {
			return errors.New("want an address that can be dialled")
		}
		return nil
	}
	host, port, ok := strings.Cut(p.Addr, ":")
	if n, err := parsePort(port); !ok || host == "" || err != nil || n == 0 {
		return errors.New("want HOST:PORT")
	}
	return nil
}

// membershipID is what all messages of one membership carry.
func (c *Config) membershipID() []byte {
	name := c.Name
	if name == "" {
		name = "null"
	}
	return []byte(latin1(name) + "-StaticMembership")
}

// latin1 is s in ISO 8859-1, with ? for what it cannot say, as Java does.
func latin1(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r > 0xff {
			r = '?'
		}
		b.WriteByte(byte(r))
	}
	return b.String()
}
