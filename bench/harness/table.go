package harness

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
)

// median of what get takes from the samples; 0 for none.
func median(all []sample, get func(sample) float64) float64 {
	if len(all) == 0 {
		return 0
	}
	v := make([]float64, len(all))
	for i, s := range all {
		v[i] = get(s)
	}
	slices.Sort(v)
	if n := len(v); n%2 == 0 {
		return (v[n/2-1] + v[n/2]) / 2
	}
	return v[len(v)/2]
}

// table prints a row per cell: for each column the median rate and, from the
// second one on, its ratio to the first; then median latencies.
func (c *conductor) table(w io.Writer) {
	fmt.Fprintf(w, "%s\n\n", c.machine())
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', tabwriter.AlignRight)
	head := []string{"", "size", "callers", "dests"}
	for i, col := range c.columns {
		head = append(head, col.name+"/s")
		if i > 0 {
			head = append(head, "ratio")
		}
	}
	for _, col := range c.columns {
		head = append(head, col.name+" p50/p99 µs")
	}
	fmt.Fprintln(t, strings.Join(head, "\t")+"\t")
	for _, cl := range c.cells {
		fmt.Fprintln(t, strings.Join(c.row(cl), "\t")+"\t")
	}
	t.Flush()
	for _, col := range c.columns {
		if err := c.missing[col.name]; err != nil {
			fmt.Fprintf(w, "\n%s: not measured throughout: %v\n", col.name, err)
		}
	}
}

func (c *conductor) row(cl cell) []string {
	row := []string{cl.Workload, sizeText(cl.Size), fmt.Sprint(cl.Callers), fmt.Sprint(cl.Dests)}
	first := median(c.samples[c.columns[0].name][cl], rate)
	for i, col := range c.columns {
		all := c.samples[col.name][cl]
		r := median(all, rate)
		row = append(row, number(r, len(all)))
		if i > 0 {
			row = append(row, ratio(r, first))
		}
	}
	for _, col := range c.columns {
		all := c.samples[col.name][cl]
		if len(all) == 0 {
			row = append(row, "-")
			continue
		}
		p50 := median(all, func(s sample) float64 { return s.P50 })
		p99 := median(all, func(s sample) float64 { return s.P99 })
		row = append(row, fmt.Sprintf("%.0f/%.0f", p50, p99))
	}
	return row
}

func rate(s sample) float64 { return s.Rate }

func number(v float64, samples int) string {
	switch {
	case samples == 0:
		return "-"
	case v >= 10000:
		return fmt.Sprintf("%.1fk", v/1000)
	}
	return fmt.Sprintf("%.0f", v)
}

func ratio(v, first float64) string {
	if first == 0 || v == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f", v/first)
}

func (c *conductor) machine() string {
	return fmt.Sprintf("%s/%s, %d processors, %s; medians of %d windows of %v; ratios to %s",
		runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version(), c.repeats, c.window, c.columns[0].name)
}

// result is what the JSON file has for one cell of one column.
type result struct {
	Column string `json:"column"`
	cell
	Samples []sample `json:"samples"`
}

// writeJSON writes all samples to a file.
func (c *conductor) writeJSON(name string) error {
	var all []result
	for _, col := range c.columns {
		for _, cl := range c.cells {
			if s := c.samples[col.name][cl]; s != nil {
				all = append(all, result{col.name, cl, s})
			}
		}
	}
	b, err := json.MarshalIndent(map[string]any{"machine": c.machine(), "results": all}, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(name, append(b, '\n'), 0o644)
}
