package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/gotribes/tribes/cmd/tribes-demo/internal/backing"
	"github.com/gotribes/tribes/cmd/tribes-demo/internal/metrics"
	"github.com/gotribes/tribes/group"
	"github.com/gotribes/tribes/session"
)

// local keeps sessions in the memory of this process alone.
type local struct{ *session.Manager }

func (l *local) Counts() (held, known int) {
	n := l.Stats().Sessions
	return n, n
}

func (l *local) Peers() (int, bool) { return 0, false }
func (l *local) Store() string      { return "memory of this process alone" }

func (l *local) Metrics(p *metrics.Page) { p.Sessions(l.Manager) }

// persistent keeps sessions in a store that several nodes can have.
type persistent struct {
	*session.Manager
	at *backing.Store
}

func openPersistent(o *options, c session.Config, log *slog.Logger) (keeper, error) {
	at, err := backing.Open(o.store)
	if err != nil {
		return nil, &usageError{err}
	}
	c.Persist = o.persist(at, log)
	c.Persist.Check = !o.sticky
	m, err := newManager(c)
	if err != nil {
		return nil, errors.Join(err, at.Close())
	}
	return &persistent{m, at}, nil
}

// Start makes the table, if the store is one.
func (p *persistent) Start(ctx context.Context) error {
	if err := p.at.Prepare(ctx); err != nil {
		return err
	}
	return p.Manager.Start(ctx)
}

// Close saves what is left.
func (p *persistent) Close() error { return errors.Join(p.Manager.Close(), p.at.Close()) }

// Lookup finds what the store has.
func (p *persistent) Lookup(id string) (*session.Session, bool) { return lookInStore(p.Manager, id) }

// lookInStore finds a session as it is in a shared store: what is in memory is not trusted
// for an id that has not the route of this node.
func lookInStore(m *session.Manager, id string) (*session.Session, bool) {
	return m.Lookup(session.ID(id).Random())
}

func (p *persistent) Counts() (held, known int) {
	n := p.Stats().Sessions
	return n, n
}

func (p *persistent) Peers() (int, bool) { return 0, false }
func (p *persistent) Store() string      { return p.at.Name }

func (p *persistent) Metrics(to *metrics.Page) {
	to.Sessions(p.Manager)
	to.Store(p.PersistStats())
}

// grouped is what keepers with a group have in common.
type grouped struct {
	*session.Manager
	g *group.Group
	o *options
}

// leave stops the member, after all else.
func (s *grouped) leave() error {
	if s.g.Local() == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), drainLimit)
	defer cancel()
	return s.g.Stop(ctx)
}

// Start joins the group and begins to get its sessions.
func (s *grouped) Start(ctx context.Context) error {
	if err := s.g.Start(ctx); err != nil {
		return err
	}
	return s.Manager.Start(ctx)
}

// Close ends the sessions, then the member.
func (s *grouped) Close() error { return errors.Join(s.Manager.Close(), s.leave()) }

func (s *grouped) Counts() (held, known int) {
	n := s.Stats().Sessions
	return n, n
}

// Metrics has what all these have in common; the rest is of each.
func (s *grouped) Metrics(p *metrics.Page) {
	p.Sessions(s.Manager)
	st := s.g.Stats()
	p.Group(&st)
}

// shared keeps all sessions on all members of a group, and in a store if there is one.
type shared struct {
	grouped
	at *backing.Store // or nil
}

func openShared(o *options, c session.Config, g *group.Group, log *slog.Logger) (keeper, error) {
	s := &shared{grouped: grouped{g: g, o: o}}
	c.Cluster = &session.Cluster{
		Group: g, Name: "/demo", Wait: waitModes[o.wait], Budget: o.budget, Full: o.manager == "full", Logger: log,
		RemoteSessionEvents: true,
	}
	var err error
	if o.store != "memory" {
		if s.at, err = backing.Open(o.store); err != nil {
			return nil, &usageError{err}
		}
		c.Persist = o.persist(s.at, log)
	}
	if s.Manager, err = newManager(c); err != nil {
		return nil, errors.Join(err, s.closeStore())
	}
	return s, nil
}

func (s *shared) closeStore() error {
	if s.at == nil {
		return nil
	}
	return s.at.Close()
}

// Start makes the table, if there is one, and joins the group.
func (s *shared) Start(ctx context.Context) error {
	if s.at != nil {
		if err := s.at.Prepare(ctx); err != nil {
			return err
		}
	}
	return s.grouped.Start(ctx)
}

// Close ends the sessions, then the member, then the store.
func (s *shared) Close() error { return errors.Join(s.grouped.Close(), s.closeStore()) }

func (s *shared) Peers() (int, bool) { return s.ClusterStats().Peers, true }

func (s *shared) Store() string {
	text := fmt.Sprintf("memory of all nodes (-manager %s, -wait %s)", s.o.manager, s.o.wait)
	if s.at != nil {
		text += " and " + s.at.Name
	}
	return text
}

func (s *shared) Metrics(p *metrics.Page) {
	s.grouped.Metrics(p)
	p.Cluster(s.ClusterStats())
	if s.at != nil {
		p.Store(s.PersistStats())
	}
}

// backup keeps each session on some of the members of a group.
type backup struct{ grouped }

func openBackup(o *options, c session.Config, g *group.Group, log *slog.Logger) (keeper, error) {
	c.Backup = &session.Backup{Group: g, Name: "/demo", Backups: o.backups, Wait: waitModes[o.wait], Budget: o.budget, Logger: log}
	m, err := newManager(c)
	if err != nil {
		return nil, err
	}
	return &backup{grouped{m, g, o}}, nil
}

// Lookup finds what this node has in its own memory; it asks nobody.
func (s *backup) Lookup(id string) (*session.Session, bool) {
	if !s.Holds(id) {
		return nil, false
	}
	return s.Manager.Lookup(id)
}

func (s *backup) Counts() (held, known int) {
	n := s.BackupStats()
	return n.Held, n.Sessions
}

func (s *backup) Peers() (int, bool) { return s.BackupStats().Nodes, true }

func (s *backup) Store() string {
	return fmt.Sprintf("memory of a primary and %s (-wait %s)", some(s.o.backups, "backup"), s.o.wait)
}

func (s *backup) Metrics(p *metrics.Page) {
	s.grouped.Metrics(p)
	p.Backup(s.BackupStats())
	p.Store(s.PersistStats())
}

// some is a number of things.
func some(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprint(n, " ", what)
}

// remote keeps sessions on the store nodes of the group.
type remote struct {
	grouped
	client *session.Client
	log    *slog.Logger
}

func openClient(o *options, c session.Config, g *group.Group, log *slog.Logger) (keeper, error) {
	client, err := session.NewClient(session.ClientConfig{Group: g, Name: "/demo", Logger: log})
	if err != nil {
		return nil, &usageError{err}
	}
	c.Persist = o.persist(client, log)
	c.Persist.Check = !o.sticky
	c.Persist.Timeout = clientTimeout
	c.Persist.SwapAfterIdle = clientIdle
	m, err := newManager(c)
	if err != nil {
		return nil, err
	}
	return &remote{grouped{m, g, o}, client, log}, nil
}

// Start joins the group and looks for a store node.
func (s *remote) Start(ctx context.Context) error {
	if err := s.g.Start(ctx); err != nil {
		return err
	}
	soon, cancel := context.WithTimeout(ctx, clientHint)
	defer cancel()
	if err := s.client.Start(soon); err != nil && ctx.Err() == nil {
		s.log.Warn("there is no store node in this group yet: tribes-demo store is one", "waited", clientHint)
	}
	if err := s.client.Start(ctx); err != nil {
		return err
	}
	return s.Manager.Start(ctx)
}

// Lookup finds what the store nodes have.
func (s *remote) Lookup(id string) (*session.Session, bool) { return lookInStore(s.Manager, id) }

// Ready reports whether there is a store node.
func (s *remote) Ready() bool { return s.client.Ready() && s.Manager.Ready() }

// Close saves what is left, then ends the client and the member.
func (s *remote) Close() error {
	return errors.Join(s.Manager.Close(), s.client.Close(), s.leave())
}

func (s *remote) Peers() (int, bool) { return len(s.g.View().Members), true }

func (s *remote) Store() string {
	return "memory of " + some(s.client.Stats().Nodes, "store node")
}

func (s *remote) Metrics(p *metrics.Page) {
	s.grouped.Metrics(p)
	p.Client(s.client.Stats())
	p.Store(s.PersistStats())
}
