package plot

import (
	"fmt"
	"strings"
)

// Line is a curve. X is the same for all lines of a panel or not; it rises.
type Line struct {
	Name   string
	X, Y   []float64
	Colour int // in the Palette
	// Points draws points alone, and none where Y is 0.
	Points bool
}

// Lines is a panel of curves.
type Lines struct {
	Title string
	X, Y  string // what the axes show, with units
	Lines []Line
	// From and To is a stretch of X that is shaded; nothing if both are 0.
	From, To float64
}

const (
	panelHeight = 110.0
	axisLeft    = 64.0
	axisRight   = 150.0 // with the names of the lines
)

// DrawLines returns an SVG of panels of curves, whose axes begin at zero.
func DrawLines(name string, panels []Lines) []byte {
	var p picture
	y := heading + gap
	for _, panel := range panels {
		p.panel(y, panel)
		y += panelHeight + title + 2*gap
	}
	return p.close(name, y)
}

// frame turns values into places.
type frame struct {
	top          float64
	mostX, mostY float64
}

func (f frame) x(v float64) float64 { return axisLeft + v/f.mostX*(width-axisLeft-axisRight) }
func (f frame) y(v float64) float64 { return f.top + panelHeight - v/f.mostY*panelHeight }

func frameOf(top float64, l Lines) frame {
	f := frame{top: top}
	for _, c := range l.Lines {
		for i := range c.X {
			f.mostX, f.mostY = max(f.mostX, c.X[i]), max(f.mostY, c.Y[i])
		}
	}
	if f.mostX == 0 {
		f.mostX = 1
	}
	if f.mostY == 0 {
		f.mostY = 1
	}
	return f
}

func (p *picture) panel(y float64, l Lines) {
	p.text(10, y, "start", bold, l.Title)
	p.text(width-10, y, "end", faint, l.Y+" by "+l.X)
	f := frameOf(y+10, l)
	if l.To > 0 {
		from, to := f.x(min(l.From, f.mostX)), f.x(min(l.To, f.mostX))
		p.rect(from, f.top, max(to-from, 2), panelHeight, "#f4d9d0")
	}
	p.axes(f)
	for i, c := range l.Lines {
		p.curve(f, c)
		p.text(width-axisRight+8, f.top+12+15*float64(i), "start", "fill:"+colour(c.Colour), c.Name)
	}
}

func (p *picture) axes(f frame) {
	for v := 0.0; v <= f.mostY; v += step(f.mostY) {
		p.line(axisLeft, f.y(v), width-axisRight, f.y(v), "#ddd", "")
		p.text(axisLeft-6, f.y(v)+4, "end", faint, Number(v))
	}
	for v := 0.0; v <= f.mostX; v += step(f.mostX * 0.5) {
		p.line(f.x(v), f.top+panelHeight, f.x(v), f.top+panelHeight+4, "#666", "")
		p.text(f.x(v), f.top+panelHeight+16, "middle", faint, Number(v))
	}
}

func (p *picture) curve(f frame, c Line) {
	if c.Points {
		for i := range c.X {
			if c.Y[i] > 0 {
				fmt.Fprintf(&p.b, `<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>`+"\n", f.x(c.X[i]), f.y(c.Y[i]), colour(c.Colour))
			}
		}
		return
	}
	var points []string
	for i := range c.X {
		points = append(points, fmt.Sprintf("%.1f,%.1f", f.x(c.X[i]), f.y(c.Y[i])))
	}
	fmt.Fprintf(&p.b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="1.6"/>`+"\n", strings.Join(points, " "), colour(c.Colour))
}
