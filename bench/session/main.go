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

Measures HTTP session stores side by side and prints tables of medians: rates and
times of requests, what replication adds, bytes between nodes, and what was lost.
The peers are brought by bench/session/peers/install.

Nodes run in network namespaces if this process may make them, else on loopback,
where bytes between nodes are not counted.

`

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// settings are the flags that need more than a value.
type settings struct {
	columns, workloads, nodes, net, json string
	demo, build, java                    string
	connections                          int
}

func run(args []string, stdout, stderr io.Writer) int {
	var s settings
	p := compare.Plan{Progress: stderr}
	fs := s.flags(&p)
	err := fs.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		help(stdout, fs)
		return 0
	}
	if err == nil && fs.NArg() > 0 {
		err = fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	if err == nil {
		err = s.check(&p)
	}
	if err != nil {
		fmt.Fprintln(stderr, "session:", err)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := s.measure(ctx, p, stdout); err != nil {
		fmt.Fprintln(stderr, "session:", err)
		return 1
	}
	return 0
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
	fs.StringVar(&s.net, "net", "auto", "`where` the nodes run: namespaces, loopback, or auto")
	fs.StringVar(&s.demo, "tribes-demo", "", "the `program` tribes-demo (default built from this repository)")
	fs.StringVar(&s.build, "peers", ".build/session", "the `folder` that peers/install has filled")
	fs.StringVar(&s.java, "java", "-Xms512m -Xmx1g", "`options` of each Java virtual machine")
	fs.StringVar(&s.json, "json", "", "write all samples to this `file`")
	return fs
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
	const most = 16
	for text := range strings.SplitSeq(s.nodes, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > most {
			return fmt.Errorf("-nodes %q: want numbers from 1 to %d", s.nodes, most)
		}
		p.Nodes = append(p.Nodes, n)
	}
	if p.Repeats < 1 || p.Times.Window <= 0 || min(p.Times.Lead, p.Times.Probe, p.Times.Think, p.Warm) < 0 || s.connections < 0 || p.Times.Max < 0 {
		return errors.New("want at least one repeat, a positive window, and nothing negative")
	}
	able := place.CanIsolate()
	switch s.net {
	case "auto":
		p.Place.Namespaces = able == nil
	case "namespaces":
		if able != nil {
			return fmt.Errorf("-net namespaces: %w", able)
		}
		p.Place.Namespaces = true
	case "loopback":
	default:
		return fmt.Errorf("-net %q: want namespaces, loopback or auto", s.net)
	}
	return nil
}

func (s *settings) measure(ctx context.Context, p compare.Plan, stdout io.Writer) (err error) {
	if p.Place.Dir, err = os.MkdirTemp("", "session-bench-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(p.Place.Dir)) }()
	p.Kit = system.Kit{Demo: s.demo, Build: s.build, JavaOpts: strings.Fields(s.java)}
	if p.Kit.Demo == "" {
		if p.Kit.Demo, err = system.BuildDemo(ctx, p.Place.Dir); err != nil {
			return err
		}
	}
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
