package memcached

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/gotribes/tribes/contrib/internal/prefix"
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
	c.Prefix = cmp.Or(c.Prefix, "session:")
	c.MaxData = cmp.Or(c.MaxData, 1<<20-1<<10)
	c.Timeout = cmp.Or(c.Timeout, 3*time.Second)
	c.Conns = cmp.Or(c.Conns, 16)
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
	// The signs leave out what would end a key, and what Hazelcast decodes as in a URL.
	err := prefix.Check(c.Prefix, maxPrefix, "-_./:")
	check(err != nil, "%w", err)
	check(c.MaxData < 0 || c.MaxData > maxData, "sessions of %d bytes: want up to %d", c.MaxData, maxData)
	check(c.Timeout < 0, "timeout %v: want more than 0", c.Timeout)
	check(c.Conns < 0 || c.Conns > maxConns, "%d connections: want up to %d", c.Conns, maxConns)
	return c, errors.Join(all...)
}
