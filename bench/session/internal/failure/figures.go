package failure

import (
	"fmt"

	"github.com/gotribes/tribes/bench/session/internal/plot"
)

// Figures draws the first run of each column as it went on: SVGs by the names of their
// files, one for each scenario.
func (f *File) Figures() map[string][]byte {
	rows := make(map[string][]plot.Row)
	for _, c := range f.Failures {
		if len(c.Runs) > 0 {
			rows[c.Scenario] = append(rows[c.Scenario], c.Runs[0].row(c.Column, f.Load))
		}
	}
	all := make(map[string][]byte)
	for scenario, r := range rows {
		all["failure-"+scenario+".svg"] = plot.DrawRows(fmt.Sprintf("%s: %d nodes, %d connections; shaded: the damage, grey: no requests any more",
			scenario, f.Nodes, f.Load.Conns), r)
	}
	return all
}

// row has the rate and the longest responses of a run. The slice in which the load ended is
// left out unless there were answers later: it is not a whole one.
func (r *Result) row(column string, l Load) plot.Row {
	perSecond := 1 / SliceTime.Seconds()
	from := l.Before.Seconds()
	to := from + max(r.Damage, SliceTime/2).Seconds()
	end := (l.Before + r.Damage + l.After).Seconds()
	done := plot.Line{Name: "answered"}
	failed := plot.Line{Name: "failed at the first attempt", Colour: 7, Points: true}
	longest := plot.Line{Name: "longest of 100 ms", Colour: 1}
	line := r.Line
	if len(line) > 1 && len(line) == int((l.Before+r.Damage+l.After)/SliceTime)+1 {
		line = line[:len(line)-1]
	}
	for i, s := range line {
		at := float64(i) * SliceTime.Seconds()
		done.X, done.Y = append(done.X, at), append(done.Y, float64(s.Requests)*perSecond)
		failed.X, failed.Y = append(failed.X, at), append(failed.Y, float64(s.Failed)*perSecond)
		longest.X, longest.Y = append(longest.X, at), append(longest.Y, ms(s.Longest))
	}
	return plot.Row{
		Title: fmt.Sprintf("%s: %d failed, longest %.0f ms; lost: %d sessions, %d updates", column, r.Failed, ms(r.Longest), r.Losses.Sessions, r.Updates),
		Panels: []plot.Lines{
			{X: "time, s", Y: "requests/s", From: from, To: to, End: end, Lines: []plot.Line{done, failed}},
			{X: "time, s", Y: "response, ms", From: from, To: to, End: end, Lines: []plot.Line{longest}},
		},
	}
}
