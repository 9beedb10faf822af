package plot

import (
	"fmt"
	"math"
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
	// End is where on X what comes is only a remainder, and greyed; 0 is nowhere.
	End float64
}

const (
	panelHeight = 110.0 // or more, so that there is room for the names
	nameHeight  = 15.0
	axisLeft    = 64.0
	axisRight   = 180.0 // with the names of the lines
)

// DrawLines returns an SVG of panels of curves, whose vertical axes begin at zero, and the
// others with the least X.
func DrawLines(name string, panels []Lines) []byte {
	var p picture
	y := heading + gap
	for _, panel := range panels {
		y = p.panel(y, panel) + title + 2*gap
	}
	return p.close(name, y)
}

// frame turns values into places.
type frame struct {
	left, top, wide, high float64
	leastX, mostX, mostY  float64
	whole                 bool // X are whole numbers
}

func (f frame) x(v float64) float64 { return f.left + (v-f.leastX)/(f.mostX-f.leastX)*f.wide }
func (f frame) y(v float64) float64 { return f.top + f.high - v/f.mostY*f.high }

// frameOf is as large as the values of a panel; where it is, is not set.
func frameOf(l Lines) frame {
	f := frame{leastX: math.Inf(1), whole: true}
	for _, c := range l.Lines {
		for i := range c.X {
			f.leastX, f.mostX, f.mostY = min(f.leastX, c.X[i]), max(f.mostX, c.X[i]), max(f.mostY, c.Y[i])
			f.whole = f.whole && c.X[i] == math.Trunc(c.X[i])
		}
	}
	if f.leastX = min(f.leastX, f.mostX); f.leastX == f.mostX {
		f.mostX++
	}
	if f.mostY == 0 {
		f.mostY = 1
	}
	return f
}

// panel draws a panel and returns where it ends.
func (p *picture) panel(y float64, l Lines) float64 {
	p.text(10, y, "start", bold, l.Title)
	f := frameOf(l)
	f.left, f.top, f.wide = axisLeft, y+26, width-axisLeft-axisRight
	f.high = max(panelHeight, nameHeight*float64(len(l.Lines)))
	p.text(axisLeft, y+18, "start", faint, l.Y)
	p.text(width-axisRight+8, f.top+f.high+16, "start", faint, l.X)
	p.shaded(f, l)
	p.axes(f, true)
	for i, c := range l.Lines {
		p.curve(f, c)
		at := f.top + 12 + nameHeight*float64(i)
		if !c.Points {
			p.line(width-axisRight+8, at-4, width-axisRight+28, at-4, colour(c.Colour), dash(c.Colour))
		}
		p.text(width-axisRight+32, at, "start", "fill:"+colour(c.Colour), c.Name)
	}
	return f.top + f.high
}

// shaded marks the stretches of a panel.
func (p *picture) shaded(f frame, l Lines) {
	if l.End > 0 && l.End < f.mostX {
		p.rect(f.x(l.End), f.top, f.x(f.mostX)-f.x(l.End), f.high, "#eeeeee")
	}
	if l.To > 0 {
		from, to := f.x(min(l.From, f.mostX)), f.x(min(l.To, f.mostX))
		p.rect(from, f.top, max(to-from, 2), f.high, "#f4d9d0")
	}
}

// axes draws the marks of the axes, those of X with numbers or without.
func (p *picture) axes(f frame, numbers bool) {
	for v := 0.0; v <= f.mostY; v += step(f.mostY * 1.3) {
		p.line(f.left, f.y(v), f.left+f.wide, f.y(v), "#ddd", "")
		p.text(f.left-6, f.y(v)+4, "end", faint, mark(v, f.mostY))
	}
	each := step((f.mostX - f.leastX) * 0.5)
	if f.whole {
		each = max(1, each)
	}
	for v := math.Ceil(f.leastX/each) * each; v <= f.mostX; v += each {
		p.line(f.x(v), f.top+f.high, f.x(v), f.top+f.high+4, "#666", "")
		if numbers {
			p.text(f.x(v), f.top+f.high+16, "middle", faint, mark(v, f.mostX))
		}
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
	fmt.Fprintf(&p.b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="1.6" stroke-dasharray="%s"/>`+"\n",
		strings.Join(points, " "), colour(c.Colour), dash(c.Colour))
}
