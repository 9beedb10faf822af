package plot

import "fmt"

// Row is what there is to see of one thing: panels beside each other.
type Row struct {
	Title  string
	Panels []Lines // their titles are those of the columns of panels
}

const (
	rowHeight  = 84.0
	rowGap     = 32.0
	legendStep = 16.0
)

// DrawRows returns an SVG of rows of panels. Panels above each other have the same scales,
// as those of DrawLines; the last ones have the numbers of X. What lines are is said once, with the names that they have in the
// first row.
func DrawRows(name string, rows []Row) []byte {
	var p picture
	y := heading + gap
	if len(rows) == 0 {
		return p.close(name, y)
	}
	columns := len(rows[0].Panels)
	scales := make([]frame, columns)
	wide := width / float64(columns)
	for i := range columns {
		var all []Line
		for _, r := range rows {
			all = append(all, r.Panels[i].Lines...)
		}
		scales[i] = frameOf(Lines{Lines: all})
		scales[i].left, scales[i].wide = float64(i)*wide+axisLeft, wide-axisLeft-gap
		p.head(scales[i].left, y, rows[0].Panels[i])
	}
	y += legendStep + gap
	for n, r := range rows {
		p.text(10, y, "start", bold, r.Title)
		for i, l := range r.Panels {
			f := scales[i]
			f.top, f.high = y+10, rowHeight
			p.shaded(f, l)
			p.axes(f, n == len(rows)-1)
			for _, c := range l.Lines {
				p.curve(f, c)
			}
		}
		y += rowHeight + rowGap
	}
	for i, l := range rows[0].Panels {
		p.text(scales[i].left+scales[i].wide, y+12, "end", faint, l.X)
	}
	return p.close(name, y+gap)
}

// head says what a column of panels shows, and what its lines are.
func (p *picture) head(x, y float64, l Lines) {
	p.text(x, y, "start", bold, l.Y)
	for _, c := range l.Lines {
		mark := "—"
		if c.Points {
			mark = "●"
		}
		p.text(x, y+legendStep, "start", "fill:"+colour(c.Colour), fmt.Sprintf("%s %s", mark, c.Name))
		x += 24 + 7*float64(len(c.Name))
	}
}
