package stock

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"text/tabwriter"
)

// Table prints a row per size and column.
func (o *Outcome) Table(w io.Writer) {
	p := o.plan
	fmt.Fprintf(w, "%s/%s, %d processors, %s; %d nodes, %d new sessions from %d connections, which each stay on a node\n",
		runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version(), p.Nodes, p.Sessions, p.Conns)
	fmt.Fprintln(w, "heap: bytes per session on each node, after a collection; incomplete: sessions of which a node lacks the attribute at rest; times in ms")
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\tsize\theap B\tratio\tincomplete\tof\theld at rest\treq/s\tp99\treplication p50\tp99\tlate\t")
	for _, size := range p.Sizes {
		first := 0.0
		for _, r := range o.results {
			if r.Size != size {
				continue
			}
			if first == 0 {
				first = r.heap()
			}
			replication, worst := "-", "-"
			if len(r.Replication) > 0 {
				replication, worst = fmt.Sprintf("%.3f", ms(part(r.Replication, 0.5))), fmt.Sprintf("%.2f", ms(part(r.Replication, 0.99)))
			}
			fmt.Fprintf(t, "%s\t%d\t%s\t%.2f\t%d\t%d\t%s\t%.0f\t%.2f\t%s\t%s\t%d\t\n", r.Column, size, list("%.0f", r.Heap), r.heap()/first,
				r.Rest.Stale, r.Rest.Checked, list("%d", r.Held), r.Rate, r.P99, replication, worst, r.Late)
		}
	}
	t.Flush()
	for _, c := range p.Columns {
		if err := o.missing[c.Name]; err != nil {
			fmt.Fprintf(w, "\n%s: not measured throughout: %v\n", c.Name, err)
		}
	}
}

// heap is the mean of all nodes.
func (r *Result) heap() float64 {
	sum := 0.0
	for _, h := range r.Heap {
		sum += h
	}
	return sum / float64(max(1, len(r.Heap)))
}

func list[T any](format string, all []T) string {
	var texts []string
	for _, v := range all {
		texts = append(texts, fmt.Sprintf(format, v))
	}
	return strings.Join(texts, " ")
}

// WriteJSON writes all results to a file.
func (o *Outcome) WriteJSON(name string) error {
	b, err := json.MarshalIndent(File{o.plan.Nodes, o.results}, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(name, append(b, '\n'), 0o644)
}
