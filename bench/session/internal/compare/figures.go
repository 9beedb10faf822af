package compare

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gotribes/tribes/bench/session/internal/plot"
)

// Cell is the samples of a column for a workload, as they are written to files.
type Cell struct {
	Column   string   `json:"column"`
	Workload string   `json:"workload"`
	Nodes    int      `json:"nodes"`
	Samples  []Sample `json:"samples"`
}

// File is what WriteJSON writes.
type File struct {
	Machine string `json:"machine"`
	Results []Cell `json:"results"`
}

// metrics are what there are pictures of.
var metrics = []struct {
	file, title string
	get         func(Sample) float64
}{
	{"throughput", "requests per second (more is better)", perSecond},
	{"p99", "99th percentile of responses, ms (less is better)", func(s Sample) float64 { return s.P99 }},
	{"bytes", "bytes between nodes per request (less is better)", wire},
}

// Figures draws the medians: SVGs by the names of their files.
func (f *File) Figures() map[string][]byte {
	all := make(map[string][]byte)
	var nodes []int
	for _, c := range f.Results {
		if !slices.Contains(nodes, c.Nodes) {
			nodes = append(nodes, c.Nodes)
		}
	}
	for _, n := range nodes {
		for _, m := range metrics {
			all[fmt.Sprintf("%s-%d.svg", m.file, n)] = plot.DrawBars(fmt.Sprintf("%d nodes: %s", n, m.title), f.bars(n, m.get))
		}
	}
	if len(nodes) > 1 {
		all["nodes.svg"] = plot.DrawLines("by the number of nodes, which share the processors", f.lines())
	}
	return all
}

// bars has a panel for each workload.
func (f *File) bars(nodes int, get func(Sample) float64) (panels []plot.Bars) {
	for _, w := range f.workloads() {
		p := plot.Bars{Title: w}
		for _, c := range f.Results {
			if c.Nodes == nodes && c.Workload == w {
				p.Bars = append(p.Bars, plot.Bar{Name: c.Column, Value: median(c.Samples, get), Colour: Colour(c.Column)})
			}
		}
		if len(p.Bars) > 0 {
			panels = append(panels, p)
		}
	}
	return panels
}

// lines has a panel for each workload with the rates of all columns.
func (f *File) lines() (panels []plot.Lines) {
	for _, w := range f.workloads() {
		p := plot.Lines{Title: w, X: "nodes", Y: "requests/s"}
		for _, c := range f.Results {
			if c.Workload != w {
				continue
			}
			i := slices.IndexFunc(p.Lines, func(l plot.Line) bool { return l.Name == c.Column })
			if i < 0 {
				i = len(p.Lines)
				p.Lines = append(p.Lines, plot.Line{Name: c.Column, Colour: i})
			}
			p.Lines[i].X = append(p.Lines[i].X, float64(c.Nodes))
			p.Lines[i].Y = append(p.Lines[i].Y, max(0, median(c.Samples, perSecond)))
		}
		panels = append(panels, p)
	}
	return panels
}

func (f *File) workloads() (all []string) {
	for _, c := range f.Results {
		if !slices.Contains(all, c.Workload) {
			all = append(all, c.Workload)
		}
	}
	return all
}

// Colour is that of a column in pictures: one for each kind of store.
func Colour(column string) int {
	for i, kind := range []string{"tribes", "tomcat", "scs"} {
		if strings.HasPrefix(column, kind) {
			return i
		}
	}
	return 3
}
