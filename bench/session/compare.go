package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/gotribes/tribes/bench/session/internal/compare"
	"github.com/gotribes/tribes/bench/session/internal/load"
	"github.com/gotribes/tribes/bench/session/internal/system"
)

type compareSettings struct {
	settings
	workloads, nodes string
	connections      int
	plan             compare.Plan
}

func (s *compareSettings) flags() *flag.FlagSet {
	p := &s.plan
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

// check completes the plan.
func (s *compareSettings) check() (err error) {
	p := &s.plan
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

func (s *compareSettings) measure(ctx context.Context, stdout, stderr io.Writer) error {
	p := s.plan
	p.Progress = stderr
	return s.show(ctx, stdout, &p.Kit, &p.Place.Dir, func() (outcome, error) { return compare.Run(ctx, p) })
}
