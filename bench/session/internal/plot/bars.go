package plot

// Bar is one value. A negative one was not measured and has no bar.
type Bar struct {
	Name   string
	Value  float64
	Colour int // in the Palette
}

// Bars is a panel of bars.
type Bars struct {
	Title string
	Bars  []Bar
}

const barHeight = 15.0

// DrawBars returns an SVG of panels of lying bars; those of a panel share a scale.
func DrawBars(name string, panels []Bars) []byte {
	var p picture
	y := heading + gap
	for _, panel := range panels {
		p.text(10, y, "start", bold, panel.Title)
		y += title - 14
		most := 0.0
		for _, b := range panel.Bars {
			most = max(most, b.Value)
		}
		for _, b := range panel.Bars {
			p.bar(y, b, most)
			y += barHeight
		}
		y += gap + 8
	}
	return p.close(name, y)
}

func (p *picture) bar(y float64, b Bar, most float64) {
	const textUp = 11
	p.text(left-6, y+textUp, "end", plain, b.Name)
	if b.Value < 0 {
		p.text(left, y+textUp, "start", faint, "-")
		return
	}
	w := 0.0
	if most > 0 {
		w = b.Value / most * (width - left - right)
	}
	p.rect(left, y+2, max(w, 0.5), barHeight-4, colour(b.Colour))
	p.text(left+w+5, y+textUp, "start", plain, Number(b.Value))
}
