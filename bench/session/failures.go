package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/gotribes/tribes/bench/session/internal/failure"
	"github.com/gotribes/tribes/bench/session/internal/system"
)

const failureUsage = `usage: session failure [flags]

Writes to sessions while a node is killed (kill -9), while its cable is pulled (cut),
while all nodes are restarted one after another (rolling), while the database behind
them is killed and started again, or one of two store nodes (store), or while one more
node joins (join). With -balancer haproxy that stands in front; with own the clients are their own
balancer, and go to the next node after an error or when a node's health check fails.

`

type failureSettings struct {
	settings
	scenarios, balancer string
	plan                failure.Plan
}

func (s *failureSettings) flags() *flag.FlagSet {
	l := &s.plan.Load
	fs := flag.NewFlagSet("failure", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.StringVar(&s.columns, "columns", "tomcat-sync,scs-redis,tribes-delta-all,tribes-delta-one,tribes-delta-written,tribes-delta-none", "`columns` to measure")
	fs.StringVar(&s.scenarios, "scenarios", "kill,rolling", "what is to `happen`: "+strings.Join(failure.Scenarios, ", "))
	fs.StringVar(&s.balancer, "balancer", "haproxy", "`what` chooses the node of a request: haproxy or own")
	fs.IntVar(&s.plan.Nodes, "nodes", 3, "how many `nodes`; for a join the last one comes later")
	fs.IntVar(&l.Conns, "conns", 64, "how many `connections` send requests")
	fs.IntVar(&l.Sessions, "sessions", 300, "how many `sessions`")
	fs.IntVar(&l.Rate, "rate", 0, "`requests` per second; 0 is as many as are answered")
	fs.DurationVar(&l.Before, "before", 2*time.Second, "`time` before the damage")
	fs.DurationVar(&l.After, "after", 8*time.Second, "`time` after it")
	fs.IntVar(&s.plan.Repeats, "repeat", 1, "how `often` it happens")
	fs.StringVar(&s.json, "json", "", "write all runs to this `file`")
	s.common(fs)
	return fs
}

// check completes the plan.
func (s *failureSettings) check() (err error) {
	p := &s.plan
	if p.Columns, err = system.Choose(system.Columns(), s.columns); err != nil {
		return fmt.Errorf("-columns: %w", err)
	}
	p.Scenarios = strings.Split(s.scenarios, ",")
	for _, name := range p.Scenarios {
		if !slices.Contains(failure.Scenarios, name) {
			return fmt.Errorf("-scenarios: no scenario %q", name)
		}
	}
	if p.Balancer = s.balancer == "haproxy"; !p.Balancer && s.balancer != "own" {
		return fmt.Errorf("-balancer %q: want haproxy or own", s.balancer)
	}
	l := &p.Load
	if min(l.Sessions, l.Conns, p.Repeats) < 1 || l.Rate < 0 || min(l.Before, l.After) < 0 || p.Nodes < 2 || p.Nodes > maxNodes {
		return fmt.Errorf("want at least one session, connection and run, 2 to %d nodes, and nothing negative", maxNodes)
	}
	if slices.Contains(p.Scenarios, "join") && !p.Balancer {
		return errors.New("-scenarios join: needs -balancer haproxy")
	}
	l.Timeout = 15 * time.Second
	p.Place.Namespaces, err = isolation(s.net)
	if err == nil && !p.Place.Namespaces && slices.Contains(p.Scenarios, "cut") {
		err = errors.New("-scenarios cut: needs network namespaces")
	}
	return err
}

func (s *failureSettings) measure(ctx context.Context, stdout, stderr io.Writer) error {
	p := s.plan
	p.Progress = stderr
	if p.Balancer {
		if err := system.MissingBalancer(); err != nil {
			return err
		}
	}
	return s.show(ctx, stdout, &p.Kit, &p.Place.Dir, func() (outcome, error) { return p.Run(ctx) })
}
