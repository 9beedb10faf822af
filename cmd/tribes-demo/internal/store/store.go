// Package store is the subcommand that holds sessions for web nodes which hold none.
package store

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/gotribes/tribes/cmd/tribes-demo/internal/member"
	"github.com/gotribes/tribes/cmd/tribes-demo/internal/settings"
	"github.com/gotribes/tribes/session"
)

const intro = `usage: tribes-demo store [flags]

Holds sessions in memory for nodes that run tribes-demo web -manager client, together
with other store nodes of the group. Start at least two; web nodes and store nodes may
come and go. On SIGTERM it sends its clients to the others and leaves; the sessions
are there then.

With -http it serves /stats, its numbers as JSON, and /ready for health checks.

Flags not listed first are those of tribes-demo node.

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
	fs.StringVar(&o.copies, "copies", "backups", "`backups`, or full: all store nodes have all sessions")
	fs.StringVar(&o.wait, "wait", "all", "when a save is done: none, one, or all of those that are to have it do")
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
	err = o.hold(ctx, n, stdout, log)
	end, cancel := context.WithTimeout(context.Background(), leaveLimit)
	defer cancel()
	return errors.Join(err, n.Close(end), g.Stop(end))
}

// hold serves clients until ctx ends, and lets those have their answers that are served then.
func (o *options) hold(ctx context.Context, n *session.StoreNode, stdout io.Writer, log *slog.Logger) error {
	stop, err := o.status(n, stdout, log)
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

type reply struct {
	Node  string `json:"node"`
	Ready bool   `json:"ready"`
	PID   int    `json:"pid"`
	session.StoreNodeStats
}

// status serves the numbers of the node, if the settings ask for it, until stop.
func (o *options) status(n *session.StoreNode, stdout io.Writer, log *slog.Logger) (stop func() error, err error) {
	if o.HTTP == "" {
		return func() error { return nil }, nil
	}
	l, err := net.Listen("tcp", o.HTTP)
	if err != nil {
		return nil, fmt.Errorf("status page: %w", err)
	}
	answer := func(w http.ResponseWriter, status int) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		if err := json.NewEncoder(w).Encode(reply{o.Name, n.Ready(), os.Getpid(), n.Stats()}); err != nil {
			log.Debug("status not sent", "err", err)
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /stats", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK) })
	mux.HandleFunc("GET /ready", func(w http.ResponseWriter, _ *http.Request) {
		if !n.Ready() {
			answer(w, http.StatusServiceUnavailable)
			return
		}
		answer(w, http.StatusOK)
	})
	s := http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	var serving sync.WaitGroup
	serving.Go(func() { // ends with stop
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			log.Warn("status page is gone", "err", err)
		}
	})
	fmt.Fprintf(stdout, "%s status http://%s/stats\n", o.Name, l.Addr())
	return func() error {
		err := s.Close()
		serving.Wait()
		return err
	}, nil
}
