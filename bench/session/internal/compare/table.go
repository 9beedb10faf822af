package compare

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"text/tabwriter"
)

// Table prints a block per workload and number of nodes, with a row per column.
func (o *Outcome) Table(w io.Writer) {
	fmt.Fprintf(w, "%s/%s, %d processors, %s; %s\n", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version(), o.plan.describe())
	if o.plan.Place.Namespaces {
		fmt.Fprintln(w, "wire: bytes between nodes, counted at the interfaces of their network namespaces")
	} else {
		fmt.Fprintln(w, "wire: not counted, all nodes share the loopback interface (needs root and -net namespaces)")
	}
	fmt.Fprintln(w, "times in ms; ratio: requests/s to those of", o.plan.Columns[0].Name)
	for _, n := range o.plan.Nodes {
		for _, l := range o.plan.Workloads {
			route := "each session stays on its node"
			if l.Spread {
				route = "to all nodes in turn"
			}
			fmt.Fprintf(w, "\n%s: %s; %d connections, %d nodes, %s\n", l.Name, l.Text, l.Conns, n, route)
			t := tabwriter.NewWriter(w, 0, 4, 2, ' ', tabwriter.AlignRight)
			fmt.Fprintln(t, "\treq/s\tratio\tresponse\tp50\tp99\trequest\toverhead\treplication\tp99\tat first poll\tcpu µs\twire B/req\tB/ms\theap MiB\t")
			for _, c := range o.plan.Columns {
				fmt.Fprintln(t, strings.Join(o.row(cell{n, l.Name, c.Name}), "\t")+"\t")
			}
			t.Flush()
			o.lossTable(w, n, l.Name)
		}
	}
	for _, c := range o.plan.Columns {
		if err := o.missing[c.Name]; err != nil {
			fmt.Fprintf(w, "\n%s: not measured throughout: %v\n", c.Name, err)
		}
	}
	o.findings(w)
}

func (o *Outcome) row(c cell) []string {
	row := []string{c.column}
	add := func(format string, v float64) {
		if v < 0 {
			row = append(row, "-")
			return
		}
		row = append(row, fmt.Sprintf(format, v))
	}
	rate := o.get(c, perSecond)
	add("%.0f", rate)
	add("%.2f", over(rate, o.get(cell{c.nodes, c.workload, o.plan.Columns[0].Name}, perSecond)))
	add("%.3f", o.get(c, response))
	add("%.3f", o.get(c, func(s Sample) float64 { return s.P50 }))
	add("%.2f", o.get(c, func(s Sample) float64 { return s.P99 }))
	add("%.3f", o.get(c, func(s Sample) float64 { return s.Request }))
	if v, ok := o.overhead(c); ok {
		row = append(row, fmt.Sprintf("%+.3f", v))
	} else {
		row = append(row, "-")
	}
	add("%.3f", o.get(c, replication))
	add("%.2f", o.get(c, func(s Sample) float64 { return s.ReplP99 }))
	add("%.2f", o.get(c, func(s Sample) float64 { return s.First }))
	add("%.0f", o.get(c, func(s Sample) float64 { return s.CPU }))
	add("%.0f", o.get(c, wire))
	add("%.0f", over(o.get(c, wire), o.get(c, func(s Sample) float64 {
		if s.Replication < 0 {
			return -1
		}
		return s.Response + s.Replication
	})))
	add("%.1f", over(o.get(c, func(s Sample) float64 { return s.Heap }), 1<<20))
	return row
}

// over divides; negative if one of the two is missing.
func over(v, by float64) float64 {
	if v < 0 || by <= 0 {
		return -1
	}
	return v / by
}

// lossTable prints what was lost, if anything was.
func (o *Outcome) lossTable(w io.Writer, nodes int, workload string) {
	for _, col := range o.plan.Columns {
		c := cell{nodes, workload, col.Name}
		l := o.losses(c)
		var parts []string
		for _, p := range []struct {
			n    uint64
			what string
		}{{l.Sessions, "sessions lost"}, {l.Updates, "updates lost"}, {l.Reads, "stale reads"}, {l.Stale, "attributes stale at rest"},
			{l.Differing, "differing replicas at rest"}, {l.Late, "later than 2 s"}, {l.Failed, "requests failed"}} {
			if p.n > 0 {
				parts = append(parts, fmt.Sprintf("%d %s", p.n, p.what))
			}
		}
		if len(parts) > 0 {
			fmt.Fprintf(w, "  %s: %s (%d attributes checked, %d windows)\n", col.Name, strings.Join(parts, ", "), o.checked(c), len(o.samples[c]))
		}
	}
}

func (o *Outcome) checked(c cell) (n int) {
	for _, s := range o.samples[c] {
		n += s.Checked
	}
	return n
}

// WriteJSON writes all samples to a file.
func (o *Outcome) WriteJSON(name string) error {
	f := File{Machine: o.plan.describe()}
	for _, n := range o.plan.Nodes {
		for _, w := range o.plan.Workloads {
			for _, c := range o.plan.Columns {
				if s := o.samples[cell{n, w.Name, c.Name}]; s != nil {
					f.Results = append(f.Results, Cell{c.Name, w.Name, n, s})
				}
			}
		}
	}
	b, err := json.MarshalIndent(f, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(name, append(b, '\n'), 0o644)
}
