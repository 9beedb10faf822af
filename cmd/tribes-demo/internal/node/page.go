package node

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"net/http"
	"reflect"
	"strings"
	"time"
	"unicode"

	"github.com/gotribes/tribes/group"
	"github.com/gotribes/tribes/transport/nio"
)

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	// Domains and payloads are bytes that others chose.
	"quote": func(s string) string { return fmt.Sprintf("%q", clip(s, 100)) },
	"plain": plain,
	"age":   age,
	"bytes": byteText,
	"rate":  func(f float64) string { return fmt.Sprintf("%.0f", f) },
}).Parse(pageText))

// page is what the status page shows.
type page struct {
	Name, Stack string
	Local       *group.Member // nil outside of the group
	InGroup     time.Duration
	Members     []memberRow
	Gone        []nio.MemberStats // sent to, not in the view any more
	Stats       group.Stats
	RPC         *group.RPCStats // nil if there were no remote calls
	Counts      pageCounts
	Rates       rates
	Receiver    bool // its sockets are served
	Membership  bool
	History     []incident
	Now         time.Time
}

type pageCounts struct{ Sent, Acked, Failed, Received, Odd, Dup uint64 }

// memberRow is a member with the connections to it.
type memberRow struct {
	*group.Member
	Seen    time.Duration
	Running time.Duration    // by its own account, and since then
	Link    *nio.MemberStats // nil if nothing was sent to it
}

func (s *statusServer) page(w http.ResponseWriter, _ *http.Request) {
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, s.n.pageData()); err != nil {
		s.n.log.Warn("status page not made", "err", err)
		http.Error(w, "the page could not be made; the log says why", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	w.Header().Set("Cache-Control", "no-store")
	if _, err := w.Write(b.Bytes()); err != nil {
		s.n.log.Debug("status page not read", "err", err)
	}
}

func (n *node) pageData() *page {
	p := &page{
		Name:    n.settings.Name,
		Stack:   n.settings.StackText(),
		InGroup: n.history.inGroupFor(),
		Counts: pageCounts{n.counts.sent.Load(), n.counts.acked.Load(), n.counts.failed.Load(),
			n.counts.received.Load(), n.counts.odd.Load(), n.streams.duplicates()},
		History: n.history.recent(),
		Now:     n.settings.Now(),
	}
	p.Rates = n.history.rates(sample{time.Now(), p.Counts.Received, p.Counts.Acked, p.Counts.Failed})
	g := n.group()
	if g == nil {
		return p
	}
	p.Local, p.Stats = g.Local(), g.Stats()
	if p.Stats.RPC != (group.RPCStats{}) {
		p.RPC = &p.Stats.RPC
	}
	p.Receiver, p.Membership = p.Stats.Listening()
	view := g.View()
	for _, m := range view.Members {
		seen, running := n.history.ages(m)
		p.Members = append(p.Members, memberRow{Member: m, Seen: seen, Running: running})
	}
	for i := range p.Stats.Links {
		p.link(&p.Stats.Links[i])
	}
	return p
}

// link puts the connections to a member into its row.
func (p *page) link(l *nio.MemberStats) {
	for i := range p.Members {
		if p.Members[i].Key() == l.Member.Key() {
			p.Members[i].Link = l
			return
		}
	}
	p.Gone = append(p.Gone, *l)
}

// plain has nothing in it that is no text.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

// age is a time that people take in at a glance.
func age(d time.Duration) string {
	switch {
	case d < time.Second:
		return d.Round(time.Microsecond).String()
	case d < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	case d < 48*time.Hour:
		return d.Round(time.Second).String()
	}
	return fmt.Sprintf("%.1f days", d.Hours()/24)
}

// byteText is a number of bytes, of whichever integer type.
func byteText(n any) string {
	v := reflect.ValueOf(n)
	b := uint64(0)
	if v.CanUint() {
		b = v.Uint()
	} else if v.CanInt() {
		b = uint64(max(0, v.Int()))
	}
	switch {
	case b >= 10<<20:
		return fmt.Sprintf("%d MiB", b>>20)
	case b >= 10<<10:
		return fmt.Sprintf("%d KiB", b>>10)
	}
	return fmt.Sprintf("%d B", b)
}
