package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/gotribes/tribes/bench/session/internal/failure"
	"github.com/gotribes/tribes/bench/session/internal/system"
	"github.com/gotribes/tribes/bench/session/internal/web"
)

const failureUsage = `usage: session failure [flags]

Writes to sessions at a steady rate while a node of three is killed, cut off, or while
all nodes are restarted one after another. The clients are their own balancer: they
go to the next node after an error, or when a node's health check fails.

`

// scenarios are what is broken, by name.
var scenarios = []string{"kill", "cut", "rolling"}

type failureSettings struct {
	settings
	scenarios string
	load      failure.Load
}

func (s *failureSettings) flags() *flag.FlagSet {
	fs := flag.NewFlagSet("failure", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.StringVar(&s.columns, "columns", "tomcat-sync,scs-redis,tribes-delta-all", "`columns` to measure")
	fs.StringVar(&s.scenarios, "scenarios", "kill,rolling", "what is to `happen`: kill, cut, rolling")
	fs.IntVar(&s.load.Sessions, "sessions", 300, "how many `sessions`")
	fs.IntVar(&s.load.Rate, "rate", 300, "`requests` per second")
	fs.DurationVar(&s.load.Before, "before", 2*time.Second, "`time` before the damage")
	fs.DurationVar(&s.load.After, "after", 8*time.Second, "`time` after it")
	s.common(fs)
	return fs
}

func (s *failureSettings) check() (columns []system.Column, isolate bool, err error) {
	if columns, err = system.Choose(system.Columns(), s.columns); err != nil {
		return nil, false, fmt.Errorf("-columns: %w", err)
	}
	for name := range strings.SplitSeq(s.scenarios, ",") {
		if !slices.Contains(scenarios, name) {
			return nil, false, fmt.Errorf("-scenarios: no scenario %q", name)
		}
	}
	if s.load.Sessions < 1 || s.load.Rate < 1 || min(s.load.Before, s.load.After) < 0 {
		return nil, false, errors.New("want at least one session and request, and nothing negative")
	}
	s.load.Timeout = 15 * time.Second
	isolate, err = isolation(s.net)
	if err == nil && !isolate && strings.Contains(s.scenarios, "cut") {
		err = errors.New("-scenarios cut: needs network namespaces")
	}
	return columns, isolate, err
}

// damage returns what the scenario does to three nodes.
func damage(s *system.System, scenario string) func(context.Context) error {
	const victim = 1
	switch scenario {
	case "kill":
		return func(context.Context) error { s.Kill(victim); return nil }
	case "cut":
		return func(ctx context.Context) error { return s.Place().Cable(ctx, victim, false) }
	}
	return func(ctx context.Context) error {
		for _, i := range s.Up() {
			if err := s.Stop(i); err != nil {
				return err
			}
			if err := s.Launch(i); err != nil {
				return err
			}
			if err := s.Await(ctx, i, len(s.Up())-1); err != nil {
				return err
			}
		}
		return nil
	}
}

func (s *failureSettings) measure(ctx context.Context, columns []system.Column, isolate bool, stdout, stderr io.Writer) (err error) {
	kit, dir, err := s.kit(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	fmt.Fprintf(stdout, "three nodes, %d sessions of 1 KB, %d writes per second; clients fail over by themselves\n\n", s.load.Sessions, s.load.Rate)
	t := tabwriter.NewWriter(stdout, 0, 4, 2, ' ', tabwriter.AlignRight)
	defer t.Flush()
	fmt.Fprintln(t, "\tscenario\trequests\tfailed\tnever answered\tsessions lost\tupdates lost\tlongest ms\tdamage took ms\t")
	for scenario := range strings.SplitSeq(s.scenarios, ",") {
		for _, c := range columns {
			r, err := s.once(ctx, kit, dir, c, scenario, isolate)
			if err != nil {
				fmt.Fprintf(stderr, "%s, %s: %v\n", c.Name, scenario, err)
				fmt.Fprintf(t, "%s\t%s\t-\t-\t-\t-\t-\t-\t-\t\n", c.Name, scenario)
				continue
			}
			fmt.Fprintf(t, "%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t\n", c.Name, scenario, r.Requests, r.Failed, r.Abandoned,
				r.Losses.Sessions, r.Updates, r.Longest.Milliseconds(), r.Damage.Milliseconds())
		}
	}
	return ctx.Err()
}

func (s *failureSettings) once(ctx context.Context, kit system.Kit, dir string, c system.Column, scenario string, isolate bool) (r *failure.Result, err error) {
	if err := kit.Missing(c); err != nil {
		return nil, err
	}
	conf := system.Config{Nodes: 3}
	conf.Place.Dir, conf.Place.Namespaces, conf.Place.Outside = dir, isolate, isolate
	sys, err := kit.Start(ctx, c, conf)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, sys.Close()) }()
	n := failure.Nodes{Break: damage(sys, scenario)}
	for _, i := range sys.Up() {
		n.Dials = append(n.Dials, web.Dial(sys.Dial(i)))
	}
	return failure.Run(ctx, n, s.load)
}
