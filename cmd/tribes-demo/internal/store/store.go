// Package store is the subcommand that holds sessions for web nodes which hold none.
package store

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/gotribes/tribes/cmd/tribes-demo/internal/member"
	"github.com/gotribes/tribes/cmd/tribes-demo/internal/settings"
	"github.com/gotribes/tribes/group"
	"github.com/gotribes/tribes/session"
)

const intro = `usage: tribes-demo store [flags]

Holds sessions in memory for nodes that run tribes-demo web -manager client, together
with other store nodes of the group. Start at least two; web nodes and store nodes may
come and go. On SIGTERM it sends its clients to the others and leaves; the sessions
are there then.

With -http it serves a status page, /metrics for Prometheus, /stats, the same numbers as
JSON, and /ready for health checks: 200 while it serves clients, else 503.

Unless -port says which, its port is the first that is free from 4000 on. Flags not listed
first are those of tribes-demo node.

Exit status: 0 after a clean end, 1 if it could not start, 2 for wrong usage.

`

// Exit statuses.
const (
	exitOK    = 0
	exitStart = 1
	exitUsage = 2
)

// leaveLimit bounds how long leaving may take.
const leaveLimit = 10 * time.Second

type options struct {
	*settings.Settings
	backups      int
	copies, wait string
	budget       time.Duration
}

// What the flags may say.
var (
	copies = []string{"backups", "full"}
	waits  = map[string]session.Wait{"none": session.WaitNone, "one": session.WaitOne, "all": session.WaitAll}
)

func (o *options) flags(fs *flag.FlagSet) {
	fs.IntVar(&o.backups, "backups", 1, "how `many` other store nodes have each session, the same on all")
	fs.StringVar(&o.copies, "copies", "backups", "`where` each session is: on a primary and as many backups, or full, on all store nodes")
	fs.StringVar(&o.wait, "wait", "all", "`how` many of the nodes that are to have it a save waits for: none, one or all")
	fs.DurationVar(&o.budget, "budget", 500*time.Millisecond, "how `long` saves wait for a silent node before it is left out")
}

func (o *options) check() error {
	switch _, ok := waits[o.wait]; {
	case !ok:
		return fmt.Errorf("-wait %q: want none, one or all", o.wait)
	case !slices.Contains(copies, o.copies):
		return fmt.Errorf("-copies %q: want backups or full", o.copies)
	case o.budget <= 0:
		return fmt.Errorf("-budget %v: want a positive duration", o.budget)
	case o.backups < 1 || o.backups > 100:
		return fmt.Errorf("-backups %d: want 1 to 100", o.backups)
	}
	return nil
}

// Run carries out the subcommand until ctx ends, and returns the exit status.
func Run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var o options
	s, rest, err := settings.Parse("store", args, os.Getenv, settings.Help(stdout, intro), o.flags)
	if errors.Is(err, flag.ErrHelp) {
		return exitOK
	}
	if err == nil {
		o.Settings = s
		s.KeepDomain()
		s.SearchPort()
		err = o.check()
	}
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("unexpected argument %q", rest[0])
	}
	if err != nil {
		fmt.Fprintln(stderr, "tribes-demo store:", err)
		return exitUsage
	}
	log := slog.New(slog.NewTextHandler(stderr, nil)).With("node", s.Name)
	if err := o.run(ctx, stdout, log); err != nil {
		fmt.Fprintln(stderr, "tribes-demo store:", settings.OneLine(err))
		return exitStart
	}
	return exitOK
}

func (o *options) run(ctx context.Context, stdout io.Writer, log *slog.Logger) error {
	g, err := member.New(o.Settings, log)
	if err != nil {
		return err
	}
	c := session.StoreNodeConfig{Group: g, Name: "/demo", Backups: o.backups, Wait: waits[o.wait], Budget: o.budget, Logger: log}
	if o.copies == "full" {
		c.Backups = -1
	}
	n, err := session.NewStoreNode(c)
	if err != nil {
		return err
	}
	if err := g.Start(ctx); err != nil {
		return err
	}
	err = o.hold(ctx, n, g, stdout, log)
	end, cancel := context.WithTimeout(context.Background(), leaveLimit)
	defer cancel()
	return errors.Join(err, n.Close(end), g.Stop(end))
}

// hold serves clients until ctx ends, and lets those have their answers that are served then.
func (o *options) hold(ctx context.Context, n *session.StoreNode, g *group.Group, stdout io.Writer, log *slog.Logger) error {
	stop, err := o.status(n, g, stdout, log)
	if err != nil {
		return err
	}
	err = n.Start(ctx)
	if err == nil {
		fmt.Fprintf(stdout, "%s holds sessions\n", o.Name)
		log.Info("ready", "backups", o.backups, "copies", o.copies, "wait", o.wait, "pid", os.Getpid())
		<-ctx.Done()
		log.Info("leaving", "limit", leaveLimit)
		end, cancel := context.WithTimeout(context.Background(), leaveLimit)
		defer cancel()
		err = n.Drain(end)
	} else if ctx.Err() != nil {
		err = nil // interrupted before it was ready
	}
	return errors.Join(err, stop())
}
