package stock

import (
	"fmt"

	"github.com/gotribes/tribes/bench/session/internal/compare"
	"github.com/gotribes/tribes/bench/session/internal/plot"
)

// File is what WriteJSON writes.
type File struct {
	Nodes int       `json:"nodes"`
	Stock []*Result `json:"stock"`
}

// Figures draws the memory of a session on a node: an SVG by the name of its file.
func (f *File) Figures() map[string][]byte {
	var panels []plot.Bars
	for _, r := range f.Stock {
		title := fmt.Sprintf("one attribute of %d B", r.Size)
		if len(panels) == 0 || panels[len(panels)-1].Title != title {
			panels = append(panels, plot.Bars{Title: title})
		}
		p := &panels[len(panels)-1]
		p.Bars = append(p.Bars, plot.Bar{Name: r.Column, Value: r.heap(), Colour: compare.Colour(r.Column)})
	}
	return map[string][]byte{"memory.svg": plot.DrawBars("heap of a session on each node, bytes (less is better)", panels)}
}
