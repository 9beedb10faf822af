package serve

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/gotribes/tribes/cmd/tribes-demo/internal/backing"
	"github.com/gotribes/tribes/cmd/tribes-demo/internal/member"
	"github.com/gotribes/tribes/cmd/tribes-demo/internal/web"
	"github.com/gotribes/tribes/session"
	"github.com/gotribes/tribes/session/store"
)

// What the flags may say.
var (
	managers = []string{"local", "delta", "full", "backup", "persistent", "client"}
	waits    = []string{"none", "written", "one", "all"}
)

// usageError is the error of flags that parts further down do not take.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// keeper keeps the sessions of a node. Start is called once before all else, and
// Close once after all else.
type keeper interface {
	web.Sessions
	// Start makes it ready, or begins to.
	Start(ctx context.Context) error
	// Ready reports whether requests can come.
	Ready() bool
	// Drain is called when requests should go elsewhere from now on; it returns when
	// nothing is lost with this node, or when ctx ends.
	Drain(ctx context.Context) error
	Close() error
}

// available reports, before anything is opened, whether the flags fit together.
func (o *options) available() error {
	outside := o.store != "memory"
	switch {
	case !slices.Contains(managers, o.manager):
		return fmt.Errorf("-manager %q: want one of %s", o.manager, words(managers))
	case o.manager == "persistent" && !outside:
		return fmt.Errorf("-manager persistent needs a -store: %s", backing.Words)
	case outside && !slices.Contains([]string{"persistent", "delta", "full"}, o.manager):
		return fmt.Errorf("-store %.40q is for -manager persistent, delta and full", o.store)
	case o.wait == "written" && (o.manager == "backup" || o.manager == "persistent" || o.manager == "client"):
		return fmt.Errorf("-wait written is not for -manager %s: want none, one or all", o.manager)
	case o.backups < 1 || o.backups > 100:
		return fmt.Errorf("-backups %d: want 1 to 100", o.backups)
	}
	return nil
}

// open makes what keeps the sessions of a node.
func open(o *options, log *slog.Logger) (keeper, error) {
	if err := o.available(); err != nil {
		return nil, &usageError{err}
	}
	c := session.Config{Timeout: o.timeout, Limits: web.Limits(), Unavailable: web.Unavailable(o.Name, log)}
	if o.sticky {
		c.Route = o.Name
	}
	switch o.manager {
	case "local":
		m, err := newManager(c)
		if err != nil {
			return nil, err
		}
		return &local{m}, nil
	case "persistent":
		return openPersistent(o, c, log)
	}
	g, err := member.New(o.Settings, log)
	if err != nil {
		return nil, &usageError{err}
	}
	switch o.manager {
	case "backup":
		return openBackup(o, c, g, log)
	case "client":
		return openClient(o, c, g, log)
	}
	return openShared(o, c, g, log)
}

// newManager makes a manager; what it does not take are flags that are wrong.
func newManager(c session.Config) (*session.Manager, error) {
	m, err := session.New(c)
	if err != nil {
		return nil, &usageError{err}
	}
	return m, nil
}

// persist is how sessions are kept in a store outside of the process.
func (o *options) persist(s store.Store, log *slog.Logger) *session.Persist {
	p := &session.Persist{Store: s, EachRequest: o.wait != "none", Logger: log}
	if p.EachRequest {
		p.OnError = session.Fail // a response that cannot promise what -wait says is a 503
	}
	return p
}

var waitModes = map[string]session.Wait{
	"none": session.WaitNone, "written": session.WaitWritten, "one": session.WaitOne, "all": session.WaitAll,
}

const (
	// clientTimeout is that of a call to the store nodes, with all tries.
	clientTimeout = 6 * time.Second
	// clientHint is how long a node without store nodes says nothing of it.
	clientHint = 2 * time.Second
	// clientIdle is how long a session that is not used stays on a node that holds none.
	clientIdle = time.Minute
)
