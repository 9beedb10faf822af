package balance

import (
	"bytes"
	_ "embed"
	"html/template"
	"net"
	"net/http"
	"net/netip"
)

const statusPath = "/_cluster"

//go:embed status.html
var statusText string

var statusTemplate = template.Must(template.New("status").Parse(statusText))

// row is a node on the status page.
type row struct {
	Name, Domain, Addr, Why string
	Up, Buttons, Store      bool
	PID                     int
	Requests, Failed        uint64
}

type statusView struct {
	Rows    []row
	Up      int
	Sticky  bool
	Domains bool
	Error   string
}

// serveStatus shows the nodes, and carries out what a button says.
func (p *Proxy) serveStatus(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path != statusPath:
		http.NotFound(w, r)
	case r.Method == http.MethodGet || r.Method == http.MethodHead:
		p.showStatus(w, http.StatusOK, "")
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", "GET, HEAD, POST")
		http.Error(w, "want GET or POST", http.StatusMethodNotAllowed)
	case !fromHere(r) || http.NewCrossOriginProtection().Check(r) != nil:
		http.Error(w, "only for this machine, and from this page", http.StatusForbidden)
	default:
		p.press(w, r)
	}
}

// fromHere reports whether a request comes from this machine and is meant for it:
// a name that somebody else made lead here is neither localhost nor an address.
func fromHere(r *http.Request) bool {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !from.Addr().Unmap().IsLoopback() {
		return false
	}
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if host == "localhost" {
		return true
	}
	to, err := netip.ParseAddr(host)
	return err == nil && to.Unmap().IsLoopback()
}

func (p *Proxy) press(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 4<<10)
	if err := r.ParseForm(); err != nil {
		p.showStatus(w, http.StatusBadRequest, "This form cannot be read.")
		return
	}
	name, do := r.PostForm.Get("node"), r.PostForm.Get("do")
	known := false
	p.change(name, func(*node) { known = true })
	actions := map[string]func(string) error{}
	if c := p.config.Control; c != nil {
		actions = map[string]func(string) error{"kill": c.Kill, "stop": c.Stop, "start": c.Start}
	}
	act := actions[do]
	if !known || act == nil {
		p.showStatus(w, http.StatusBadRequest, "There is no such node or no such button.")
		return
	}
	if err := act(name); err != nil {
		p.showStatus(w, http.StatusConflict, err.Error())
		return
	}
	http.Redirect(w, r, statusPath, http.StatusSeeOther)
}

func (p *Proxy) showStatus(w http.ResponseWriter, status int, problem string) {
	var b bytes.Buffer
	if err := statusTemplate.Execute(&b, p.statusView(problem)); err != nil {
		p.config.Log.Error("status page not made", "err", err)
		http.Error(w, "the page could not be made; the log says why", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if _, err := w.Write(b.Bytes()); err != nil {
		p.config.Log.Debug("status page not sent", "err", err)
	}
}

func (p *Proxy) statusView(problem string) *statusView {
	v := &statusView{Sticky: !p.config.RoundRobin, Error: problem}
	p.mu.Lock()
	for _, n := range p.nodes {
		v.Rows = append(v.Rows, row{Name: n.Name, Domain: n.Domain, Addr: n.addr, Why: n.why,
			Up: n.up, Store: n.Store, Requests: n.requests, Failed: n.failed})
	}
	p.mu.Unlock()
	for i := range v.Rows {
		r := &v.Rows[i]
		if r.Up {
			v.Up++
		}
		v.Domains = v.Domains || r.Domain != ""
		if c := p.config.Control; c != nil { // has a lock of its own
			r.Buttons, r.PID = true, c.PID(r.Name)
		}
	}
	return v
}
