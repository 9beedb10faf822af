package session

import (
	"errors"
	"fmt"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/gotribes/tribes/session/internal/record"
)

// Config is how a [Manager] is set up. The zero value is a good one. New copies it.
type Config struct {
	// Timeout is how long a session lives without access; 0 means 30 minutes, negative
	// never. It is counted in whole milliseconds, and a session can have its own, see
	// [Session.SetTimeout].
	Timeout time.Duration
	// Sweep is how often sessions that have expired are removed; 0 means 10 s. An
	// expired session cannot be used from the moment that it expires; the sweep frees
	// its memory and tells the listener, at most this much later.
	Sweep time.Duration
	// Limits bounds the sessions.
	Limits Limits
	// Codec encodes attributes; [CBOR] if nil.
	Codec Codec
	// LocalOnly says which names are kept as they are: not encoded, not copied, not
	// counted in bytes. It is for what makes no sense elsewhere, such as an open
	// connection. They are on the node that has set them alone, and in no store. It must
	// always say the same of a name. Nil is none.
	LocalOnly func(name string) bool
	// Cookie is how the client learns its session.
	Cookie Cookie
	// Route is the name of this node for load balancers: 1 to 64 letters, digits, '-'
	// and '_'. It is the end of session ids, after a dot, or has a cookie of its own,
	// see Cookie.RouteName. Empty is none.
	Route string
	// Skip says which requests have nothing to do with sessions: their cookie is not
	// looked at, and they do not count as an access. See [SkipExt]. Nil is none.
	Skip func(*http.Request) bool
	// Unavailable answers requests whose session cannot be had or is not stored; nil
	// is a line of text. It must write a status of at least 500.
	Unavailable func(http.ResponseWriter, *http.Request, error)
	// Cluster shares the sessions with other nodes; nil keeps them in this process.
	Cluster *Cluster
	// Persist keeps the sessions in a store too, with or without a Cluster; nil does not.
	Persist *Persist
	// Backup shares the sessions with other nodes, each session on some of them; it excludes
	// Cluster and Persist. Nil does not.
	Backup *Backup
	// Listener is told what happens to sessions.
	Listener Listener
}

// Limits bounds what sessions may take. Zero is the default, negative Sessions no
// limit. What would exceed a limit is refused with a [*LimitError].
//
// With a [Cluster] each node counts all sessions of the group. It makes no new ones from
// Sessions on, but takes those that other nodes have made at the same time, up to twice
// as many; beyond that it refuses them, and the request that made one gets 503. Plan the
// memory for twice Sessions. With a [Backup] or [Persist] Sessions bounds those in the memory
// of this node, of which there may be twice as many too if they are loaded; a store and the
// other nodes have no bound here.
type Limits struct {
	Sessions     int // sessions at the same time; default 1 000 000
	Attributes   int // attributes of a session; default 1000
	NameBytes    int // bytes of a name; default 256
	ValueBytes   int // bytes of an encoded value; default 1 MiB
	SessionBytes int // bytes of a session, names and values with 40 to 100 each; default 4 MiB
}

const maxLimit = 256 << 20

const (
	defaultTimeout = 30 * time.Minute
	defaultSweep   = 10 * time.Second
)

// withDefaults returns c with defaults in place of zeros, or everything that is wrong
// with it.
func (c Config) withDefaults() (Config, error) {
	def(&c.Timeout, defaultTimeout)
	def(&c.Sweep, defaultSweep)
	def(&c.Limits.Sessions, 1_000_000)
	def(&c.Limits.Attributes, 1000)
	def(&c.Limits.NameBytes, 256)
	def(&c.Limits.ValueBytes, 1<<20)
	def(&c.Limits.SessionBytes, 4<<20)
	def(&c.Cookie.Name, "sid")
	def(&c.Cookie.Path, "/")
	def(&c.Cookie.SameSite, http.SameSiteLaxMode)
	if c.Codec == nil {
		c.Codec = CBOR()
	}
	if c.LocalOnly == nil {
		c.LocalOnly = func(string) bool { return false }
	}
	if c.Skip == nil {
		c.Skip = func(*http.Request) bool { return false }
	}
	if c.Unavailable == nil {
		c.Unavailable = func(w http.ResponseWriter, _ *http.Request, _ error) {
			http.Error(w, "session not available", http.StatusServiceUnavailable)
		}
	}
	errs := []error{c.validate(), c.Cookie.validate(), c.Limits.validate()}
	if c.Cluster != nil {
		own := *c.Cluster
		c.Cluster = &own
		errs = append(errs, own.validate())
	}
	if c.Backup != nil {
		c.Backup = c.Backup.withDefaults()
		errs = append(errs, c.Backup.validate())
		if c.Cluster != nil || c.Persist != nil {
			errs = append(errs, errors.New("tribes: session: Backup beside Cluster or Persist"))
		}
	}
	if c.Persist != nil {
		c.Persist = c.Persist.withDefaults()
		errs = append(errs, c.Persist.validate(c.Cluster != nil))
	}
	return c, errors.Join(errs...)
}

func def[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

func (c *Config) validate() error {
	var all []error
	if c.Sweep < 0 {
		all = append(all, fmt.Errorf("tribes: session: sweep every %v: want more than 0", c.Sweep))
	}
	if c.Route != "" && !validRoute(c.Route) {
		all = append(all, fmt.Errorf("tribes: session: route %q: want 1 to %d letters, digits, '-' and '_'", c.Route, maxRoute))
	}
	if c.Cookie.RouteName != "" && c.Route == "" {
		all = append(all, fmt.Errorf("tribes: session: cookie %q for a route, but no route", c.Cookie.RouteName))
	}
	return errors.Join(all...)
}

func (c *Cookie) validate() error {
	var all []error
	check := func(bad bool, format string, args ...any) {
		if bad {
			all = append(all, fmt.Errorf("tribes: session: cookie %q: "+format, append([]any{c.Name}, args...)...))
		}
	}
	probe := c.cookie(c.Name, "v", true)
	if err := probe.Valid(); err != nil {
		check(true, "%w", err)
	}
	if c.RouteName != "" {
		probe.Name = c.RouteName
		err := probe.Valid()
		check(err != nil, "route %q: %w", c.RouteName, err)
		check(c.RouteName == c.Name, "the route needs another name")
	}
	check(c.Secure > SecureNever, "unknown secure mode %d", c.Secure)
	check(c.SameSite == http.SameSiteNoneMode && c.Secure != SecureAlways, "SameSite=None needs SecureAlways")
	check(strings.HasPrefix(c.Name, "__Secure-") && c.Secure != SecureAlways, "the name needs SecureAlways")
	check(strings.HasPrefix(c.Name, "__Host-") && (c.Secure != SecureAlways || c.Path != "/" || c.Domain != ""),
		"the name needs SecureAlways, path / and no domain")
	return errors.Join(all...)
}

func (l *Limits) validate() error {
	var all []error
	for _, f := range []struct {
		name string
		v    int
	}{
		{"Attributes", l.Attributes}, {"NameBytes", l.NameBytes},
		{"ValueBytes", l.ValueBytes}, {"SessionBytes", l.SessionBytes},
	} {
		if f.v < 0 || f.v > maxLimit {
			all = append(all, fmt.Errorf("tribes: session: limit %s %d: want 0 to %d", f.name, f.v, maxLimit))
		}
	}
	return errors.Join(all...)
}

// record returns the limits of one session.
func (l *Limits) record() record.Limits {
	return record.Limits{
		Attributes: l.Attributes, Name: l.NameBytes, Value: l.ValueBytes, Bytes: l.SessionBytes,
		IDs: 1, // a renewed id is dead at once
	}
}

// SkipExt returns a function for Config.Skip that leaves out requests for paths that
// end so, in any case: SkipExt(".css", ".js", ".png").
func SkipExt(exts ...string) func(*http.Request) bool {
	skip := make(map[string]bool, len(exts))
	for _, e := range exts {
		skip["."+strings.ToLower(strings.TrimPrefix(e, "."))] = true
	}
	return func(r *http.Request) bool {
		return skip[strings.ToLower(path.Ext(r.URL.Path))]
	}
}
