package serve

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/gotribes/tribes/cmd/tribes-demo/internal/web"
	"github.com/gotribes/tribes/session"
)

// What the flags may say, and which managers there are in this build.
var (
	managers = []string{"local", "delta", "full", "backup", "persistent"}
	waits    = []string{"none", "written", "one", "all"}
	built    = []string{"local"}
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

// available reports, before anything is opened, whether open can do what the
// flags say.
func (o *options) available() error {
	switch {
	case !slices.Contains(managers, o.manager):
		return fmt.Errorf("-manager %q: want one of %s", o.manager, words(managers))
	case !slices.Contains(built, o.manager):
		return fmt.Errorf("-manager %s is not in this build, which has: %s", o.manager, strings.Join(built, ", "))
	case o.store != "memory":
		return fmt.Errorf("-store %.40q is not in this build, which has: memory", o.store)
	}
	return nil
}

// open makes what keeps the sessions of a node.
func open(o *options) (keeper, error) {
	if err := o.available(); err != nil {
		return nil, &usageError{err}
	}
	m, err := session.New(session.Config{Timeout: o.timeout, Route: o.Name, Limits: web.Limits()})
	if err != nil {
		return nil, &usageError{err}
	}
	return &local{m}, nil
}

// local keeps sessions in the memory of this process alone.
type local struct{ *session.Manager }

func (l *local) Counts() (held, known int) {
	n := l.Stats().Sessions
	return n, n
}

func (l *local) Peers() int                  { return 0 }
func (l *local) Store() string               { return "local memory" }
func (l *local) Start(context.Context) error { return nil }
func (l *local) Ready() bool                 { return true }
func (l *local) Drain(context.Context) error { return nil }
