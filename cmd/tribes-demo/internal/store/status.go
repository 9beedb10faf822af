package store

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/gotribes/tribes/cmd/tribes-demo/internal/metrics"
	"github.com/gotribes/tribes/group"
	"github.com/gotribes/tribes/session"
)

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// status is what a store node tells of itself.
type status struct {
	o     *options
	n     *session.StoreNode
	g     *group.Group
	log   *slog.Logger
	begun time.Time
}

// status serves that, if the settings ask for it, until stop.
func (o *options) status(n *session.StoreNode, g *group.Group, stdout io.Writer, log *slog.Logger) (stop func() error, err error) {
	if o.HTTP == "" {
		return func() error { return nil }, nil
	}
	l, err := net.Listen("tcp", o.HTTP)
	if err != nil {
		return nil, fmt.Errorf("status page: %w", err)
	}
	st := &status{o, n, g, log, time.Now()}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", st.page)
	mux.HandleFunc("GET /metrics", st.metrics)
	mux.HandleFunc("GET /stats", func(w http.ResponseWriter, _ *http.Request) { st.answer(w, http.StatusOK) })
	mux.HandleFunc("GET /ready", func(w http.ResponseWriter, _ *http.Request) {
		if !n.Ready() {
			st.answer(w, http.StatusServiceUnavailable)
			return
		}
		st.answer(w, http.StatusOK)
	})
	s := http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	var serving sync.WaitGroup
	serving.Go(func() { // ends with stop
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			log.Warn("status page is gone", "err", err)
		}
	})
	fmt.Fprintf(stdout, statusLine, o.Name, l.Addr())
	return func() error {
		err := s.Close()
		serving.Wait()
		return err
	}, nil
}

// statusLine is what a node writes to standard output when its status page is there; a
// cluster of tribes-demo web reads it.
const statusLine = "%s status http://%s/\n"

type reply struct {
	Node  string `json:"node"`
	Ready bool   `json:"ready"`
	PID   int    `json:"pid"`
	session.StoreNodeStats
}

// answer sends the numbers as JSON.
func (st *status) answer(w http.ResponseWriter, code int) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	if err := json.NewEncoder(w).Encode(reply{st.o.Name, st.n.Ready(), os.Getpid(), st.n.Stats()}); err != nil {
		st.log.Debug("status not sent", "err", err)
	}
}

// metrics are for Prometheus.
func (st *status) metrics(w http.ResponseWriter, _ *http.Request) {
	var p metrics.Page
	p.Value("up", "gauge", "1 if the process answers", 1)
	p.Value("ready", "gauge", "1 if clients are served", metrics.Bool(st.n.Ready()))
	p.Value("uptime_seconds", "gauge", "time since the start", time.Since(st.begun).Seconds())
	p.StoreNode(st.n.Stats())
	member := st.g.Stats()
	p.Group(&member)
	if err := p.Serve(w); err != nil {
		st.log.Debug("metrics not sent", "err", err)
	}
}

// view is what the page shows.
type view struct {
	Name, Copies, Wait string
	Ready              bool
	PID                int
	For                time.Duration
	Local              *group.Member
	Members            []*group.Member
	S                  session.StoreNodeStats
}

func (st *status) page(w http.ResponseWriter, _ *http.Request) {
	v := view{Name: st.o.Name, Copies: "each session on a primary and " + fmt.Sprint(st.o.backups) + " more", Wait: st.o.wait,
		Ready: st.n.Ready(), PID: os.Getpid(), For: time.Since(st.begun).Round(time.Second),
		Local: st.g.Local(), Members: st.g.View().Members, S: st.n.Stats()}
	if st.o.copies == "full" {
		v.Copies = "all sessions on all store nodes"
	}
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, &v); err != nil {
		st.log.Error("page not made", "err", err)
		http.Error(w, "the page could not be made; the log says why", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'")
	h.Set("Cache-Control", "no-store")
	if _, err := w.Write(b.Bytes()); err != nil {
		st.log.Debug("page not sent", "err", err)
	}
}
