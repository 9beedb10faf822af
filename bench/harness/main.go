package harness

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/gotribes/tribes/bench/internal/command"
)

const intro = `usage: %[1]s [flags]
       %[1]s isolate [flags]
       %[1]s member -id I -n N -base PORT [-driver NAME] [-opts k=v,...]

Measures transports side by side, each member a process of its own, and prints
a table of medians and ratios. The second form measures what a sick member costs
the others, the third is one process of a measured group; both take -h.

`

// Column is a driver with options, under a name of its own in the table.
type Column struct {
	Name   string
	Driver string
	Opts   string // k=v,...
}

// Bench is what a command can measure.
type Bench struct {
	Drivers []Driver
	// Columns are what the table has by default; the first is what ratios refer to.
	Columns []Column
}

// settings of the conductor's side.
type flags struct {
	workloads, sizes, callers, dests string
	columns, json                    string
	peers                            listFlag
	repeats, base                    int
	lead, window                     time.Duration
}

// Main carries out the command with args and returns its exit status.
func Main(args []string, b Bench) int {
	if len(args) > 0 && args[0] == "member" {
		return command.Run("bench member", os.Stderr, func(ctx context.Context) error {
			return runMember(ctx, args[1:], b.Drivers, os.Stdin, os.Stdout)
		})
	}
	return command.Run("bench", os.Stderr, func(ctx context.Context) error { return b.conduct(ctx, args, os.Stdout, os.Stderr) })
}

func (b Bench) conduct(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var f flags
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.StringVar(&f.workloads, "w", "1,2", "`workloads`: 1 (one way, no ack), 2 (acked after processing)")
	fs.StringVar(&f.sizes, "sizes", "100,1k,10k,100k,1m", "payload `sizes` in bytes")
	fs.StringVar(&f.callers, "callers", "1,8,64", "`callers` at a time, for workload 2")
	fs.StringVar(&f.dests, "dests", "1,3", "`destinations` of each message, for workload 2")
	fs.StringVar(&f.columns, "columns", "", "which `columns` to measure, by name (default all)")
	fs.Var(&f.peers, "peer", "another column, `NAME=COMMAND`, that speaks the member protocol; may be repeated")
	fs.IntVar(&f.repeats, "repeat", 5, "how `often` to measure each cell; the median counts")
	fs.DurationVar(&f.lead, "lead", 200*time.Millisecond, "`time` before each window")
	fs.DurationVar(&f.window, "win", 600*time.Millisecond, "`time` of each window")
	fs.IntVar(&f.base, "base", 20000, "first TCP `port`")
	fs.StringVar(&f.json, "json", "", "write all samples to this `file`")
	err := command.Parse(fs, args, stdout, func(w io.Writer) { fmt.Fprintf(w, intro, "bench") })
	if err != nil {
		return err
	}
	c, err := b.conductor(&f, stderr)
	if err != nil {
		return command.Usage{Err: err}
	}
	if err := c.run(ctx); err != nil {
		return err
	}
	c.table(stdout)
	if f.json != "" {
		return c.writeJSON(f.json)
	}
	return nil
}

func (b Bench) conductor(f *flags, progress io.Writer) (*conductor, error) {
	var lists [4][]int
	for i, list := range []string{f.workloads, f.sizes, f.callers, f.dests} {
		var err error
		if lists[i], err = numbers(list); err != nil {
			return nil, err
		}
	}
	for _, w := range lists[0] {
		if w > 2 {
			return nil, fmt.Errorf("workload %d: want 1 or 2", w)
		}
	}
	if f.repeats < 1 || f.lead < 0 || f.window <= 0 {
		return nil, errors.New("want at least one repeat and a positive window")
	}
	c := &conductor{cells: plan(lists[0], lists[1], lists[2], lists[3]), repeats: f.repeats,
		lead: f.lead, window: f.window, base: f.base, progress: progress}
	err := c.choose(b.Columns, f)
	return c, err
}

// choose fills in the columns.
func (c *conductor) choose(columns []Column, f *flags) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	for _, col := range columns {
		line := fmt.Sprintf("'%s' member -driver %s", self, col.Driver)
		c.columns = append(c.columns, column{col.Name, line, col.Opts})
	}
	for _, p := range f.peers {
		name, line, ok := strings.Cut(p, "=")
		if !ok || name == "" || line == "" {
			return fmt.Errorf("-peer %q: want NAME=COMMAND", p)
		}
		c.columns = append(c.columns, column{name: name, command: line})
	}
	if f.columns == "" {
		return nil
	}
	var chosen []column
	for name := range strings.SplitSeq(f.columns, ",") {
		found := false
		for _, col := range c.columns {
			if col.name == name {
				chosen, found = append(chosen, col), true
			}
		}
		if !found {
			return fmt.Errorf("-columns: no column %q", name)
		}
	}
	c.columns = chosen
	return nil
}

// listFlag is a flag that may be given several times.
type listFlag []string

func (l *listFlag) String() string     { return strings.Join(*l, " ") }
func (l *listFlag) Set(v string) error { *l = append(*l, v); return nil }
