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
	// apart is how many times longer the longest X of a column of panels may be than the
	// shortest if all are to have one scale.
	apart = 4.0
)

// DrawRows returns an SVG of rows of panels. Panels above each other have the same scales,
// as those of DrawLines, unless some X are much longer than others: then each row has its
// own. What lines are is said once, with the names that they have in the first row.
func DrawRows(name string, rows []Row) []byte {
	var p picture
	y := heading + gap
	if len(rows) == 0 {
		return p.close(name, y)
	}
	scales, common := scalesOf(rows)
	for i, l := range rows[0].Panels {
		p.head(scales[i].left, y, l)
	}
	y += legendStep + gap
	for n, r := range rows {
		p.text(10, y, "start", bold, r.Title)
		numbers := !common || n == len(rows)-1
		for i, l := range r.Panels {
			f := scales[i]
			if own := frameOf(l); !common {
				f.leastX, f.mostX, f.whole = own.leastX, own.mostX, own.whole
			}
			f.top, f.high = y+10, rowHeight
			p.shaded(f, l)
			p.axes(f, numbers)
			for _, c := range l.Lines {
				p.curve(f, c)
			}
		}
		if y += rowHeight + rowGap; numbers {
			y += legendStep
		}
	}
	for i, l := range rows[0].Panels {
		p.text(scales[i].left+scales[i].wide, y-4, "end", faint, l.X)
	}
	return p.close(name, y+gap/2)
}

// scalesOf has a frame for each column of panels, and whether the scale of its X fits all.
func scalesOf(rows []Row) (scales []frame, common bool) {
	common = true
	wide := width / float64(len(rows[0].Panels))
	for i := range rows[0].Panels {
		var all []Line
		shortest := frameOf(rows[0].Panels[i])
		for _, r := range rows {
			all = append(all, r.Panels[i].Lines...)
			if f := frameOf(r.Panels[i]); f.mostX < shortest.mostX {
				shortest = f
			}
		}
		f := frameOf(Lines{Lines: all})
		f.left, f.wide = float64(i)*wide+axisLeft, wide-axisLeft-gap
		scales = append(scales, f)
		common = common && f.mostX <= apart*shortest.mostX
	}
	return scales, common
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
