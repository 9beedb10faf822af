package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/gotribes/tribes/bench/session/internal/stock"
	"github.com/gotribes/tribes/bench/session/internal/system"
)

const memoryUsage = `usage: session memory [flags]

Makes many sessions and takes stock: how many bytes one needs in the memory of each
node, and how many sessions other nodes lack when nothing is on its way any more.

`

type memorySettings struct {
	settings
	sizes string
	plan  stock.Plan
}

func (s *memorySettings) flags() *flag.FlagSet {
	fs := flag.NewFlagSet("memory", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.StringVar(&s.columns, "columns", "tomcat-sync,tomcat-async,tomcat-alone,scs-memory,tribes-delta-all,tribes-delta-none,tribes-local",
		"`columns` to measure; ratios refer to the first")
	fs.StringVar(&s.sizes, "sizes", "16,1000", "`bytes` of the one attribute of a session; a list")
	fs.IntVar(&s.plan.Sessions, "sessions", 100_000, "how many `sessions`")
	fs.IntVar(&s.plan.Conns, "conns", 64, "how many `connections` send requests")
	fs.IntVar(&s.plan.Nodes, "nodes", 2, "how many `nodes`")
	fs.StringVar(&s.json, "json", "", "write all results to this `file`")
	s.common(fs)
	return fs
}

// check completes the plan.
func (s *memorySettings) check() (err error) {
	p := &s.plan
	if p.Columns, err = system.Choose(system.Columns(), s.columns); err != nil {
		return fmt.Errorf("-columns: %w", err)
	}
	const most = 1 << 20
	for text := range strings.SplitSeq(s.sizes, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > most {
			return fmt.Errorf("-sizes %q: want numbers from 1 to %d", s.sizes, most)
		}
		p.Sizes = append(p.Sizes, n)
	}
	if min(p.Sessions, p.Conns) < 1 || p.Nodes < 1 || p.Nodes > maxNodes {
		return fmt.Errorf("want at least one session and connection, and 1 to %d nodes", maxNodes)
	}
	p.Place.Namespaces, err = isolation(s.net)
	return err
}

func (s *memorySettings) measure(ctx context.Context, stdout, stderr io.Writer) error {
	p := s.plan
	p.Progress = stderr
	return s.show(ctx, stdout, &p.Kit, &p.Place.Dir, func() (outcome, error) { return p.Run(ctx) })
}
