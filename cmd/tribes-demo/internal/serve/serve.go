// Package serve is the subcommand that serves the session demo: one node, or
// several behind a proxy.
package serve

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gotribes/tribes/cmd/tribes-demo/internal/backing"
	"github.com/gotribes/tribes/cmd/tribes-demo/internal/settings"
)

const intro = `usage: tribes-demo web [flags]
       tribes-demo web -cluster NODES [flags]

Serves a small web application whose only state is the HTTP session: a shopping
cart at /, and the same session as JSON for programs (/whoami, /attr, /incr,
/session, /stats). /ready is for load balancers, /metrics for Prometheus.

Sessions are kept in the memory of this process (-manager local), of all nodes (delta,
full), of a primary and backups (backup), of nodes that run tribes-demo store (client), or
in a -store (persistent; beside the memory of all nodes with delta and full).

With -cluster it starts that many nodes as processes of their own, on free ports
of the loopback interface, and serves a proxy in front of them, which sends a
client to the node that its session id ends with. At /_cluster nodes can be
killed and started. 3 are three nodes; 2x2 are two domains of two. With -manager
client it starts store nodes, too. Without flags that say how members are found,
the nodes look in a multicast group of their own.

Nodes that are started one by one need a -name and a -listen each. Unless -port says
which, the port of the member is the first that is free from 4000 on. Flags not listed
first are those of tribes-demo node.

Exit status: 0 after a clean end, 1 if it could not start or a node ended at its
start, 2 for wrong usage.

`

// Exit statuses.
const (
	exitOK    = 0
	exitStart = 1
	exitUsage = 2
)

// options are the flags.
type options struct {
	*settings.Settings
	listen, manager, wait, store string
	sticky                       bool
	timeout                      time.Duration
	cluster                      string
	backups, stores              int
	length, linger, budget       time.Duration
	set                          *flag.FlagSet
}

func (o *options) flags(fs *flag.FlagSet) {
	o.set = fs
	fs.StringVar(&o.listen, "listen", "127.0.0.1:8080", "`HOST:PORT` to serve at; port 0 is any that is free")
	fs.StringVar(&o.manager, "manager", "delta", "how sessions are kept: "+words(managers))
	fs.StringVar(&o.wait, "wait", "all", "when a response may leave: "+words(waits))
	fs.DurationVar(&o.budget, "budget", 500*time.Millisecond, "how `long` responses wait for a silent node before it is left out, with delta, full and backup")
	fs.StringVar(&o.store, "store", "memory", "`where` the manager persistent keeps sessions, and delta and full also do: memory, "+backing.Words)
	fs.IntVar(&o.backups, "backups", 1, "how `many` other nodes have each session, with the manager backup and on the store nodes of -cluster")
	fs.IntVar(&o.stores, "stores", 2, "how `many` store nodes -cluster starts for the manager client, in each domain; 0 if there are others")
	fs.BoolVar(&o.sticky, "sticky", true, "requests of a session come to the same node; the proxy of -cluster sees to it")
	fs.DurationVar(&o.timeout, "timeout", 30*time.Minute, "how `long` a session lives without a request")
	fs.StringVar(&o.cluster, "cluster", "", "`nodes` to start behind a proxy: 3, or 2x2 for two domains of two")
	fs.DurationVar(&o.linger, "linger", time.Second, "how `long` a node still takes requests after SIGTERM, while /ready says no, so that load balancers turn away")
	fs.DurationVar(&o.length, "for", 0, "end after this `time`; 0 runs until interrupted")
}

func words(all []string) string { return strings.Join(all, "|") }

// given reports whether the command line has a flag.
func (o *options) given(name string) (ok bool) {
	o.set.Visit(func(f *flag.Flag) { ok = ok || f.Name == name })
	return ok
}

// check looks at the flags together and names the first that is wrong.
func (o *options) check() error {
	_, port, err := net.SplitHostPort(o.listen)
	if n, e := strconv.Atoi(port); err != nil || e != nil || n < 0 || n > 65535 {
		return fmt.Errorf("-listen %q: want HOST:PORT", o.listen)
	}
	switch {
	case o.HTTP != "":
		return errors.New("-http (RN_HTTP) is for tribes-demo node: want -listen")
	case o.cluster != "" && !o.ID.IsZero():
		return errors.New("-id (RN_ID) is for one node: those of -cluster have each their own")
	case !slices.Contains(waits, o.wait):
		return fmt.Errorf("-wait %q: want one of %s", o.wait, words(waits))
	case o.timeout < time.Millisecond:
		return fmt.Errorf("-timeout %v: want at least 1ms", o.timeout)
	case o.linger < 0 || o.linger > time.Minute:
		return fmt.Errorf("-linger %v: want 0 to 1m", o.linger)
	case o.given("backups") && o.manager != "backup" && o.manager != "client":
		return fmt.Errorf("-backups is for -manager backup, and for client with -cluster: not for %.40q", o.manager)
	case o.given("stores") && o.manager != "client":
		return fmt.Errorf("-stores is for -manager client: not for %.40q", o.manager)
	case o.stores < 0 || o.stores > maxNodes:
		return fmt.Errorf("-stores %d: want 0 to %d", o.stores, maxNodes)
	case o.budget <= 0:
		return fmt.Errorf("-budget %v: want a positive duration", o.budget)
	case o.length < 0:
		return fmt.Errorf("-for %v: want a positive duration", o.length)
	}
	return o.available()
}

// Run carries out the subcommand until ctx ends or the time is over, and returns
// the exit status.
func Run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var o options
	s, rest, err := settings.Parse("web", args, os.Getenv, settings.Help(stdout, intro), o.flags)
	if errors.Is(err, flag.ErrHelp) {
		return exitOK
	}
	var p plan
	if err == nil {
		o.Settings = s
		s.KeepDomain()
		s.SearchPort()
		err = o.check()
	}
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("unexpected argument %q", rest[0])
	}
	if err == nil && o.cluster != "" {
		if p, err = parsePlan(o.cluster); o.manager == "client" {
			p = p.withStores(o.stores)
		}
	}
	if err != nil {
		fmt.Fprintln(stderr, "tribes-demo web:", err)
		return exitUsage
	}
	if o.length > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.length)
		defer cancel()
	}
	log := slog.New(slog.NewTextHandler(stderr, nil))
	if p != nil {
		err = runCluster(ctx, &o, p, args, stdout, stderr)
	} else {
		err = runNode(ctx, &o, stdout, log.With("node", o.Name))
	}
	if err != nil {
		fmt.Fprintln(stderr, "tribes-demo web:", settings.OneLine(err))
		var usage *usageError
		if errors.As(err, &usage) {
			return exitUsage
		}
		return exitStart
	}
	return exitOK
}
