package failure

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/gotribes/tribes/bench/session/internal/system"
)

// Table prints what was seen: sums of what was lost, the worst and the median of times.
func (o *Outcome) Table(w io.Writer) {
	p := o.plan
	rate := "as fast as they are answered"
	if p.Load.Rate > 0 {
		rate = fmt.Sprintf("%d per second", p.Load.Rate)
	}
	front := "clients fail over by themselves"
	if p.Balancer {
		front = system.BalancerText
	}
	fmt.Fprintf(w, "%s/%s, %d processors, %s; %d nodes, %d sessions of 1 KB, writes from %d connections %s\n%s\n",
		runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version(), p.Nodes, p.Load.Sessions, p.Load.Conns, rate, front)
	var joins, others []string
	for _, s := range p.Scenarios {
		if s == "join" {
			joins = append(joins, s)
		} else {
			others = append(others, s)
		}
	}
	if len(others) > 0 {
		o.damageTable(w, others)
	}
	for range joins {
		o.joinTable(w)
	}
	for _, s := range p.Scenarios {
		for _, c := range p.Columns {
			if err := o.missing[cell{s, c.Name}]; err != nil {
				fmt.Fprintf(w, "\n%s, %s: not measured throughout: %v\n", s, c.Name, err)
			}
		}
	}
}

func (o *Outcome) damageTable(w io.Writer, scenarios []string) {
	fmt.Fprintln(w, "failed: first attempts, in brackets the most of one run; times in ms; longest: the worst of all runs, in brackets the median of runs")
	fmt.Fprintln(w, "steady: the longest of requests that were answered at the first attempt; usual: the longest before the damage")
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', tabwriter.AlignRight)
	defer t.Flush()
	fmt.Fprintln(t, "\t\truns\trequests\tfailed\tnever answered\tsessions lost\tupdates lost\tlongest\tsteady\tusual\tp99\tdamage took\t")
	for _, s := range scenarios {
		for _, c := range o.plan.Columns {
			runs := o.runs[cell{s, c.Name}]
			if len(runs) == 0 {
				fmt.Fprintf(t, "%s\t%s\t0\t-\t-\t-\t-\t-\t-\t-\t-\t-\t-\t\n", s, c.Name)
				continue
			}
			l := losses(runs)
			fmt.Fprintf(t, "%s\t%s\t%d\t%d\t%d (%d)\t%d\t%d\t%d\t%d (%d)\t%d\t%d\t%.1f\t%d\t\n", s, c.Name, len(runs),
				sum(runs, func(r *Result) int { return r.Requests }), l.Failed, most(runs, func(r *Result) uint64 { return r.Failed }),
				sum(runs, func(r *Result) int { return r.Abandoned }), l.Sessions, l.Updates,
				most(runs, longest).Milliseconds(), median(runs, longest).Milliseconds(),
				most(runs, func(r *Result) time.Duration { return r.Steady }).Milliseconds(),
				most(runs, func(r *Result) time.Duration { return r.Usual }).Milliseconds(),
				ms(median(runs, func(r *Result) time.Duration { return r.P99 })),
				median(runs, func(r *Result) time.Duration { return r.Damage }).Milliseconds())
		}
	}
}

func (o *Outcome) joinTable(w io.Writer) {
	fmt.Fprintln(w, "join: medians; ready: beyond the start of a node without sessions, which is in brackets; times in ms")
	fmt.Fprintln(w, "found: the least of the sessions looked for when the node was first ready; lost: when the donors were killed after that")
	fmt.Fprintln(w, "again: the longest time in which the others had copies of what a donor had that was killed, where not all nodes have all sessions")
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', tabwriter.AlignRight)
	defer t.Flush()
	fmt.Fprintln(t, "\truns\tready\t\tbytes/session\tfound\tcomplete\tstale at rest\tagain\tsessions lost\tupdates lost\tfailed\tlongest\tp99 before\tduring\tafter\t")
	for _, c := range o.plan.Columns {
		runs := o.runs[cell{"join", c.Name}]
		if len(runs) == 0 {
			fmt.Fprintf(t, "%s\t0\t-\t\t-\t-\t-\t-\t-\t-\t-\t-\t-\t-\t-\t-\t\n", c.Name)
			continue
		}
		found, complete := least(runs), "all"
		if c.Elsewhere() {
			complete = "-"
		}
		if n := sum(runs, func(r *Result) int { return isNegative(r.Join.Complete) }); n > 0 {
			complete = fmt.Sprintf("not in %d", n)
		}
		bytes := "-"
		if b := median(runs, func(r *Result) int64 { return r.Join.Bytes }); b >= 0 {
			bytes = fmt.Sprint(b / int64(o.plan.Load.Sessions))
		}
		l := losses(runs)
		fmt.Fprintf(t, "%s\t%d\t%d\t(%d)\t%s\t%d of %d\t%s\t%d\t%s\t%d\t%d\t%d\t%d\t%.1f\t%.1f\t%.1f\t\n", c.Name, len(runs),
			median(runs, func(r *Result) time.Duration { return r.Join.Ready - r.Join.Empty }).Milliseconds(),
			median(runs, func(r *Result) time.Duration { return r.Join.Empty }).Milliseconds(), bytes, found.Found, found.Looked, complete,
			sum(runs, func(r *Result) int { return r.Join.Rest.Stale }), again(c, runs), l.Sessions, l.Updates, l.Failed, most(runs, longest).Milliseconds(),
			ms(median(runs, func(r *Result) time.Duration { return r.P99Before })), ms(median(runs, func(r *Result) time.Duration { return r.P99During })),
			ms(median(runs, func(r *Result) time.Duration { return r.P99After })))
	}
}

// again is how long it took to make up for a donor.
func again(c system.Column, runs []*Result) string {
	if c.Copies() == 0 {
		return "-"
	}
	return fmt.Sprint(most(runs, func(r *Result) time.Duration { return r.Join.Again }).Milliseconds())
}

func isNegative(d time.Duration) int {
	if d < 0 {
		return 1
	}
	return 0
}

// least is the join that found the fewest sessions.
func least(runs []*Result) *Join {
	return slices.MinFunc(runs, func(a, b *Result) int { return a.Join.Found - b.Join.Found }).Join
}

func longest(r *Result) time.Duration { return r.Longest }

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func sum(runs []*Result, f func(*Result) int) (n int) {
	for _, r := range runs {
		n += f(r)
	}
	return n
}

func values[T int | int64 | uint64 | time.Duration](runs []*Result, f func(*Result) T) []T {
	var all []T
	for _, r := range runs {
		all = append(all, f(r))
	}
	slices.Sort(all)
	return all
}

// median is of one run or more.
func median[T int | int64 | uint64 | time.Duration](runs []*Result, f func(*Result) T) T {
	return values(runs, f)[len(runs)/2]
}

func most[T int | int64 | uint64 | time.Duration](runs []*Result, f func(*Result) T) T {
	return values(runs, f)[len(runs)-1]
}

// Cell is the runs of a column in a scenario, as they are written to files.
type Cell struct {
	Scenario string    `json:"scenario"`
	Column   string    `json:"column"`
	Runs     []*Result `json:"runs"`
}

// File is what WriteJSON writes.
type File struct {
	Nodes    int    `json:"nodes"`
	Load     Load   `json:"load"`
	Failures []Cell `json:"failures"`
}

// WriteJSON writes all runs to a file.
func (o *Outcome) WriteJSON(name string) error {
	f := File{Nodes: o.plan.Nodes, Load: o.plan.Load}
	for _, s := range o.plan.Scenarios {
		for _, c := range o.plan.Columns {
			if runs := o.runs[cell{s, c.Name}]; runs != nil {
				f.Failures = append(f.Failures, Cell{s, c.Name, runs})
			}
		}
	}
	b, err := json.MarshalIndent(f, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(name, append(b, '\n'), 0o644)
}
