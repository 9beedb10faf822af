// Package metrics writes numbers in the text format of Prometheus: those of a member of a
// group, and those of whatever keeps sessions.
package metrics

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
)

// Page is a page of metrics under way; the zero value is empty.
type Page struct{ b bytes.Buffer }

// Serve sends the page.
func (p *Page) Serve(w http.ResponseWriter) error {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	_, err := w.Write(p.b.Bytes())
	return err
}

// Bool is the value of something that is so or not.
func Bool(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Family begins the samples of a name that has labels: a counter or a gauge.
func (p *Page) Family(name, kind, help string) {
	fmt.Fprintf(&p.b, "# HELP tribes_%s %s\n# TYPE tribes_%s %s\n", name, help, name, kind)
}

// Value adds a counter or a gauge that has one sample.
func (p *Page) Value(name, kind, help string, value any) {
	p.Family(name, kind, help)
	p.plain(name, value)
}

// plain adds a sample without labels.
func (p *Page) plain(name string, value any) { fmt.Fprintf(&p.b, "tribes_%s %v\n", name, value) }

var labelEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

// Sample adds a sample with labels, name and value in turn.
func (p *Page) Sample(name string, value any, labels ...string) {
	fmt.Fprintf(&p.b, "tribes_%s{", name)
	for i := 0; i+1 < len(labels); i += 2 {
		if i > 0 {
			p.b.WriteByte(',')
		}
		fmt.Fprintf(&p.b, `%s="%s"`, labels[i], labelEscapes.Replace(strings.ToValidUTF8(labels[i+1], "?")))
	}
	fmt.Fprintf(&p.b, "} %v\n", value)
}
