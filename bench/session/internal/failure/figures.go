package failure

import (
	"fmt"

	"github.com/gotribes/tribes/bench/session/internal/plot"
)

// Figures draws the first run of each column as it went on: SVGs by the names of their
// files, one for each scenario.
func (f *File) Figures() map[string][]byte {
	panels := make(map[string][]plot.Lines)
	for _, c := range f.Failures {
		if len(c.Runs) > 0 {
			panels[c.Scenario] = append(panels[c.Scenario], c.Runs[0].panels(c.Column, f.Load)...)
		}
	}
	all := make(map[string][]byte)
	for scenario, p := range panels {
		all["failure-"+scenario+".svg"] = plot.DrawLines(fmt.Sprintf("%s, %d nodes, %d connections; the damage is shaded", scenario, f.Nodes, f.Load.Conns), p)
	}
	return all
}

// panels are the rate and the longest responses of a run.
func (r *Result) panels(column string, l Load) []plot.Lines {
	perSecond := 1 / SliceTime.Seconds()
	from := l.Before.Seconds()
	to := from + max(r.Damage, SliceTime/2).Seconds()
	done := plot.Line{Name: "answered"}
	failed := plot.Line{Name: "failed", Colour: 7, Points: true}
	longest := plot.Line{Name: "longest", Colour: 1}
	for i, s := range r.Line {
		at := float64(i) * SliceTime.Seconds()
		done.X, done.Y = append(done.X, at), append(done.Y, float64(s.Requests)*perSecond)
		failed.X, failed.Y = append(failed.X, at), append(failed.Y, float64(s.Failed)*perSecond)
		longest.X, longest.Y = append(longest.X, at), append(longest.Y, ms(s.Longest))
	}
	return []plot.Lines{
		{Title: column, X: "s", Y: "requests/s", From: from, To: to, Lines: []plot.Line{done, failed}},
		{Title: column, X: "s", Y: "response, ms", From: from, To: to, Lines: []plot.Line{longest}},
	}
}
