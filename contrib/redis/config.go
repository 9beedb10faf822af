package redis

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/gotribes/tribes/contrib/internal/prefix"
)

// Config is how a [Store] is set up. The zero value is a good one for one application.
type Config struct {
	// Prefix is the beginning of the keys, different for each application: 1 to 100
	// letters, digits and "-_./{}:", with a ':' at the end. Empty is "session:".
	//
	// In a Redis Cluster a prefix with a hash tag, such as "{shop}:", puts all sessions on
	// one node.
	Prefix string
	// MaxData is how many bytes an encoded session may have; more is ErrTooLarge. 0 means
	// 8 MiB, the most is 512 MiB, the limit of Redis.
	MaxData int
	// Timeout is how long a call takes at most, if its ctx does not end before; 0 means 3 s.
	// It holds for calls as a whole, with what the client repeats, and for each step of IDs.
	Timeout time.Duration
	// Replicas is how many replicas must acknowledge a save before it returns nil, by WAIT.
	// If fewer do in time, Save fails with ErrReplicas, and does so again until they have what
	// is stored. Load, Touch and Delete do not wait.
	Replicas int
}

const (
	maxPrefix  = 100
	maxData    = 512 << 20
	maxReplica = 100
)

// withDefaults returns c with defaults in place of zeros, or everything that is wrong with it.
func (c Config) withDefaults() (Config, error) {
	c.Prefix = cmp.Or(c.Prefix, "session:")
	c.MaxData = cmp.Or(c.MaxData, 8<<20)
	c.Timeout = cmp.Or(c.Timeout, 3*time.Second)
	var all []error
	// The signs leave out what means something in the patterns of SCAN.
	if err := prefix.Check(c.Prefix, maxPrefix, "-_./{}:"); err != nil {
		all = append(all, fmt.Errorf("tribes: redis: %w", err))
	}
	if c.MaxData < 0 || c.MaxData > maxData {
		all = append(all, fmt.Errorf("tribes: redis: sessions of %d bytes: want up to %d", c.MaxData, maxData))
	}
	if c.Timeout < 0 {
		all = append(all, fmt.Errorf("tribes: redis: timeout %v: want more than 0", c.Timeout))
	}
	if c.Replicas < 0 || c.Replicas > maxReplica {
		all = append(all, fmt.Errorf("tribes: redis: %d replicas: want 0 to %d", c.Replicas, maxReplica))
	}
	return c, errors.Join(all...)
}
