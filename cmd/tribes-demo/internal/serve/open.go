package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/gotribes/tribes/cmd/tribes-demo/internal/member"
	"github.com/gotribes/tribes/cmd/tribes-demo/internal/web"
	"github.com/gotribes/tribes/group"
	"github.com/gotribes/tribes/session"
)

// What the flags may say, and which managers there are in this build.
var (
	managers = []string{"local", "delta", "full", "backup", "persistent"}
	waits    = []string{"none", "written", "one", "all"}
	built    = []string{"local", "delta", "full"}
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
func open(o *options, log *slog.Logger) (keeper, error) {
	if err := o.available(); err != nil {
		return nil, &usageError{err}
	}
	c := session.Config{Timeout: o.timeout, Limits: web.Limits(), Unavailable: web.Unavailable(o.Name, log)}
	if o.sticky {
		c.Route = o.Name
	}
	if o.manager == "local" {
		m, err := session.New(c)
		if err != nil {
			return nil, &usageError{err}
		}
		return &local{m}, nil
	}
	g, err := member.New(o.Settings, log)
	if err != nil {
		return nil, &usageError{err}
	}
	c.Cluster = &session.Cluster{
		Group: g, Name: "/demo", Wait: waitModes[o.wait], Full: o.manager == "full", Logger: log,
		RemoteSessionEvents: true,
	}
	m, err := session.New(c)
	if err != nil {
		return nil, &usageError{err}
	}
	return &shared{m, g, o}, nil
}

var waitModes = map[string]session.Wait{
	"none": session.WaitNone, "written": session.WaitWritten, "one": session.WaitOne, "all": session.WaitAll,
}

// local keeps sessions in the memory of this process alone.
type local struct{ *session.Manager }

func (l *local) Counts() (held, known int) {
	n := l.Stats().Sessions
	return n, n
}

func (l *local) Peers() int    { return 0 }
func (l *local) Store() string { return "local memory" }

// shared keeps sessions together with the other members of a group.
type shared struct {
	*session.Manager
	g *group.Group
	o *options
}

// Start joins the group and begins to get its sessions.
func (s *shared) Start(ctx context.Context) error {
	if err := s.g.Start(ctx); err != nil {
		return err
	}
	return s.Manager.Start(ctx)
}

// Close ends the sessions, then the member.
func (s *shared) Close() error {
	err := s.Manager.Close()
	if s.g.Local() == nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), drainLimit)
	defer cancel()
	return errors.Join(err, s.g.Stop(ctx))
}

func (s *shared) Counts() (held, known int) {
	n := s.Stats().Sessions
	return n, n
}

func (s *shared) Peers() int { return s.ClusterStats().Peers }

func (s *shared) Store() string {
	return fmt.Sprintf("memory of all nodes (-manager %s, -wait %s)", s.o.manager, s.o.wait)
}
