package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/gotribes/tribes/bench/session/internal/compare"
	"github.com/gotribes/tribes/bench/session/internal/load"
	"github.com/gotribes/tribes/bench/session/internal/place"
	"github.com/gotribes/tribes/bench/session/internal/system"
)

const usage = `usage: session [flags]
       session failure [flags]

Measures HTTP session stores side by side and prints tables of medians: rates and
times of requests, what replication adds, bytes between nodes, and what was lost.
The peers are brought by bench/session/peers/install.

Nodes run in network namespaces if this process may make them, else on loopback,
where bytes between nodes are not counted. The second form breaks nodes under load;
it takes -h too.

`

// maxNodes of a store.
const maxNodes = 16

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// settings are the flags that need more than a value.
type settings struct {
	columns, workloads, nodes, net, json string
	demo, build, java                    string
	connections                          int
}

func run(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	if len(args) > 0 && args[0] == "failure" {
		err = runFailure(ctx, args[1:], stdout, stderr)
	} else {
		err = runCompare(ctx, args, stdout, stderr)
	}
	var wrong usageError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &wrong):
		fmt.Fprintln(stderr, "session:", err)
		return 2
	}
	fmt.Fprintln(stderr, "session:", err)
	return 1
}

// usageError is a wrong command line.
type usageError struct{ error }

// parse reads args; help has been printed if it returns flag.ErrHelp.
func parse(fs *flag.FlagSet, args []string, help func()) error {
	err := fs.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		help()
		return err
	case err != nil:
		return usageError{err}
	case fs.NArg() > 0:
		return usageError{fmt.Errorf("unexpected argument %q", fs.Arg(0))}
	}
	return nil
}

func runCompare(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var s settings
	p := compare.Plan{Progress: stderr}
	fs := s.flags(&p)
	if err := parse(fs, args, func() { help(stdout, fs) }); err != nil {
		return unlessHelp(err)
	}
	if err := s.check(&p); err != nil {
		return usageError{err}
	}
	return s.measure(ctx, p, stdout)
}

func runFailure(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var s failureSettings
	fs := s.flags()
	err := parse(fs, args, func() {
		fmt.Fprint(stdout, failureUsage)
		fs.SetOutput(stdout)
		fs.PrintDefaults()
	})
	if err != nil {
		return unlessHelp(err)
	}
	if err := s.check(); err != nil {
		return usageError{err}
	}
	return s.measure(ctx, stdout, stderr)
}

func unlessHelp(err error) error {
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	return err
}

func (s *settings) flags(p *compare.Plan) *flag.FlagSet {
	fs := flag.NewFlagSet("session", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.StringVar(&s.columns, "columns", "tomcat-sync,tomcat-async,tomcat-alone,scs-redis,scs-memory,tribes-delta-all,tribes-delta-none,tribes-local",
		"`columns` to measure; ratios refer to the first")
	fs.StringVar(&s.workloads, "w", "new-lite,new-large,write,read95,patch,shared,shared-spread,incr-spread", "`workloads`")
	fs.StringVar(&s.nodes, "nodes", "2", "how many `nodes` each store has; a list")
	fs.IntVar(&s.connections, "conns", 0, "how many `connections` send requests (default that of the workload)")
	fs.IntVar(&p.Repeats, "repeat", 3, "how `often` to measure each cell; the median counts")
	fs.DurationVar(&p.Times.Lead, "lead", 300*time.Millisecond, "`time` before each window")
	fs.DurationVar(&p.Times.Window, "win", time.Second, "`time` of each window")
	fs.DurationVar(&p.Times.Probe, "probe", 500*time.Millisecond, "`time` in which replication is watched, after each window")
	fs.DurationVar(&p.Times.Think, "think", 0, "how `long` a connection waits between requests")
	fs.IntVar(&p.Times.Max, "samples", 1000, "`bound` of the new sessions in a window")
	fs.DurationVar(&p.Warm, "warm", 6*time.Second, "`time` of requests to each store before the first window")
	fs.StringVar(&s.json, "json", "", "write all samples to this `file`")
	s.common(fs)
	return fs
}

// common are the flags of all subcommands.
func (s *settings) common(fs *flag.FlagSet) {
	fs.StringVar(&s.net, "net", "auto", "`where` the nodes run: namespaces, loopback, or auto")
	fs.StringVar(&s.demo, "tribes-demo", "", "the `program` tribes-demo (default built from this repository)")
	fs.StringVar(&s.build, "peers", ".build/session", "the `folder` that peers/install has filled")
	fs.StringVar(&s.java, "java", "-Xms512m -Xmx1g", "`options` of each Java virtual machine")
}

// isolation tells whether nodes get networks of their own.
func isolation(net string) (bool, error) {
	able := place.CanIsolate()
	switch net {
	case "auto":
		return able == nil, nil
	case "namespaces":
		if able != nil {
			return false, fmt.Errorf("-net namespaces: %w", able)
		}
		return true, nil
	case "loopback":
		return false, nil
	}
	return false, fmt.Errorf("-net %q: want namespaces, loopback or auto", net)
}

// kit finds or builds the programs, and makes a folder for their files.
func (s *settings) kit(ctx context.Context) (k system.Kit, dir string, err error) {
	if dir, err = os.MkdirTemp("", "session-bench-"); err != nil {
		return k, "", err
	}
	k = system.Kit{Demo: s.demo, Build: s.build, JavaOpts: strings.Fields(s.java)}
	if k.Demo == "" {
		if k.Demo, err = system.BuildDemo(ctx, dir); err != nil {
			return k, "", errors.Join(err, os.RemoveAll(dir))
		}
	}
	return k, dir, nil
}

func help(w io.Writer, fs *flag.FlagSet) {
	fmt.Fprint(w, usage)
	fs.SetOutput(w)
	fs.PrintDefaults()
	fmt.Fprintln(w, "\ncolumns:")
	for _, c := range system.Columns() {
		fmt.Fprintln(w, "  "+c.Name)
	}
	fmt.Fprintln(w, "\nworkloads:")
	for _, l := range load.Workloads() {
		fmt.Fprintf(w, "  %-14s %s (%d connections)\n", l.Name, l.Text, l.Conns)
	}
}

// check completes the plan.
func (s *settings) check(p *compare.Plan) (err error) {
	if p.Columns, err = system.Choose(system.Columns(), s.columns); err != nil {
		return fmt.Errorf("-columns: %w", err)
	}
	if p.Workloads, err = load.Choose(s.workloads); err != nil {
		return fmt.Errorf("-w: %w", err)
	}
	for i := range p.Workloads {
		if s.connections > 0 {
			p.Workloads[i].Conns = s.connections
		}
	}
	for text := range strings.SplitSeq(s.nodes, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxNodes {
			return fmt.Errorf("-nodes %q: want numbers from 1 to %d", s.nodes, maxNodes)
		}
		p.Nodes = append(p.Nodes, n)
	}
	if p.Repeats < 1 || p.Times.Window <= 0 || min(p.Times.Lead, p.Times.Probe, p.Times.Think, p.Warm) < 0 || s.connections < 0 || p.Times.Max < 0 {
		return errors.New("want at least one repeat, a positive window, and nothing negative")
	}
	p.Place.Namespaces, err = isolation(s.net)
	return err
}

func (s *settings) measure(ctx context.Context, p compare.Plan, stdout io.Writer) (err error) {
	if p.Kit, p.Place.Dir, err = s.kit(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(p.Place.Dir)) }()
	o, err := compare.Run(ctx, p)
	if err != nil {
		return err
	}
	o.Table(stdout)
	if s.json != "" {
		return o.WriteJSON(s.json)
	}
	return nil
}
