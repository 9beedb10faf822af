package plot

import (
	"bytes"
	"fmt"
	"html"
	"math"
	"strconv"
)

const (
	width   = 860.0
	left    = 190.0 // of names, or of the numbers of an axis
	right   = 90.0
	heading = 34.0
	title   = 26.0
	gap     = 18.0
)

// Palette are the colours; those who draw choose by number.
var Palette = []string{"#1f5fa8", "#d1691b", "#5b8c3a", "#7d7d7d", "#8b4fa0", "#b8860b", "#2a9d9d", "#b5424f"}

func colour(i int) string { return Palette[((i%len(Palette))+len(Palette))%len(Palette)] }

// dash tells lines apart that have one colour.
func dash(i int) string {
	return []string{"", "6 3", "2 3", "8 3 2 3"}[max(0, i)/len(Palette)%4]
}

// picture is an SVG under construction.
type picture struct{ b bytes.Buffer }

func (p *picture) text(x, y float64, anchor, style, s string) {
	fmt.Fprintf(&p.b, `<text x="%.1f" y="%.1f" text-anchor="%s" style="%s">%s</text>`+"\n", x, y, anchor, style, html.EscapeString(s))
}

func (p *picture) rect(x, y, w, h float64, fill string) {
	fmt.Fprintf(&p.b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s"/>`+"\n", x, y, w, h, fill)
}

func (p *picture) line(x1, y1, x2, y2 float64, stroke, dash string) {
	fmt.Fprintf(&p.b, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s" stroke-dasharray="%s"/>`+"\n", x1, y1, x2, y2, stroke, dash)
}

// close returns the whole picture.
func (p *picture) close(heading string, height float64) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%.0f" viewBox="0 0 %.0f %.0f" font-family="sans-serif" font-size="12">`+"\n",
		width, height, width, height)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" fill="white"/>`+"\n")
	fmt.Fprintf(&b, `<text x="10" y="22" style="font-size:16px;font-weight:bold">%s</text>`+"\n", html.EscapeString(heading))
	b.Write(p.b.Bytes())
	b.WriteString("</svg>\n")
	return b.Bytes()
}

const (
	bold  = "font-weight:bold"
	faint = "fill:#666"
	plain = ""
)

// step is a round distance of marks on an axis up to most, of which there are some four.
func step(most float64) float64 {
	if most <= 0 {
		return 1
	}
	raw := most / 4
	unit := math.Pow(10, math.Floor(math.Log10(raw)))
	for _, f := range []float64{1, 2, 5, 10} {
		if f*unit >= raw {
			return f * unit
		}
	}
	return 10 * unit
}

// mark is the number at a mark of an axis up to most: all marks of an axis in one unit.
func mark(v, most float64) string {
	switch {
	case v == 0:
		return "0"
	case most >= 1e6:
		return strconv.FormatFloat(v/1e6, 'g', 3, 64) + " M"
	case most >= 1e4:
		return strconv.FormatFloat(v/1e3, 'g', 3, 64) + " k"
	}
	return Number(v)
}

// Number writes three digits, with k and M for thousands and millions.
func Number(v float64) string {
	switch {
	case v >= 1e6:
		return strconv.FormatFloat(v/1e6, 'g', 3, 64) + " M"
	case v >= 1e4:
		return strconv.FormatFloat(v/1e3, 'g', 3, 64) + " k"
	case v >= 100 || v == math.Trunc(v):
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}
