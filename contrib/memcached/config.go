package memcached

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"
)

// Config is how a [Store] is set up. Servers must be given.
type Config struct {
	// Servers are the addresses, HOST:PORT, the same on all nodes; their order does not
	// matter, their spelling does.
	Servers []string
	// Prefix is the beginning of the keys, different for each application: 1 to 40 letters,
	// digits and "-_./:", with a ':' at the end. Empty is "session:".
	Prefix string
	// MaxData is how many bytes an encoded session may have; more is ErrTooLarge. 0 means
	// 1 KiB less than 1 MiB, which is what memcached takes unless its option -I says
	// otherwise. At most 256 MiB.
	MaxData int
	// Timeout is how long a call takes at most, if its ctx does not end before; 0 means 3 s.
	Timeout time.Duration
	// Conns is how many connections to each server there are at most; 0 means 16. Calls wait
	// for one.
	Conns int
	// Dial makes connections, for instance through TLS; nil is a [net.Dialer].
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Hazelcast says that the servers are members of one Hazelcast cluster.
	Hazelcast bool
}

const (
	maxPrefix = 40
	maxData   = 256 << 20
	maxConns  = 10_000
)

// withDefaults returns c with defaults in place of zeros, or everything that is wrong with it.
func (c Config) withDefaults() (Config, error) {
	c.Servers = slices.Clone(c.Servers)
	def(&c.Prefix, "session:")
	def(&c.MaxData, 1<<20-1<<10)
	def(&c.Timeout, 3*time.Second)
	def(&c.Conns, 16)
	if c.Dial == nil {
		c.Dial = new(net.Dialer).DialContext
	}
	var all []error
	check := func(bad bool, format string, args ...any) {
		if bad {
			all = append(all, fmt.Errorf("tribes: memcached: "+format, args...))
		}
	}
	check(len(c.Servers) == 0, "no servers")
	for i, s := range c.Servers {
		_, _, err := net.SplitHostPort(s)
		check(err != nil, "server %q: %w", s, err)
		check(slices.Contains(c.Servers[:i], s), "server %q is there twice", s)
	}
	check(!validPrefix(c.Prefix), "prefix %q: want 1 to %d letters, digits and \"-_./:\" with ':' at the end", c.Prefix, maxPrefix)
	check(c.MaxData < 0 || c.MaxData > maxData, "sessions of %d bytes: want up to %d", c.MaxData, maxData)
	check(c.Timeout < 0, "timeout %v: want more than 0", c.Timeout)
	check(c.Conns < 0 || c.Conns > maxConns, "%d connections: want up to %d", c.Conns, maxConns)
	return c, errors.Join(all...)
}

func def[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// validPrefix leaves out what would end a key, and what Hazelcast decodes as in a URL. The end
// is a byte that no id has, so that no prefix and id are those of another application.
func validPrefix(p string) bool {
	if p == "" || len(p) > maxPrefix || p[len(p)-1] != ':' {
		return false
	}
	for i := range len(p) {
		switch c := p[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '-', c == '_', c == '.', c == '/', c == ':':
		default:
			return false
		}
	}
	return true
}
