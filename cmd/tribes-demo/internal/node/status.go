package node

import (
	"errors"
	"fmt"
	"html/template"
	"net"
	"net/http"
	"time"

	"github.com/gotribes/tribes/group"
)

// statusServer serves the status page and the metrics of a node.
type statusServer struct {
	n    *node
	http http.Server
	done chan struct{} // closed when serving has ended
}

// startStatus listens on addr and serves until close.
func (n *node) startStatus(addr string) (*statusServer, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	s := &statusServer{n: n, done: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.page)
	mux.HandleFunc("GET /metrics", s.metrics)
	s.http = http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() { // ends with close
		defer close(s.done)
		if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			n.log.Warn("status page is gone", "err", err)
		}
	}()
	n.out.emit(httpEvent{at("http"), l.Addr().String()})
	return s, nil
}

type httpEvent struct {
	event
	Addr string `json:"addr"`
}

func (s *statusServer) close() error {
	err := s.http.Close()
	<-s.done
	return err
}

var pageTemplate = template.Must(template.New("page").Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{{.Name}}</title>
<style>body{font:16px/1.5 sans-serif;margin:2em}table{border-collapse:collapse}td,th{padding:.2em 1em;border:1px solid #999;text-align:left}</style>
<h1>{{.Name}}</h1>
{{if .Local}}<p>{{.Local}}, {{len .Members}} other members</p>{{else}}<p>not in the group</p>{{end}}
<table><tr><th>member<th>id<th>domain<th>alive</tr>
{{range .Members}}<tr><td>{{.AddrPort}}<td>{{.ID}}<td>{{printf "%q" .Domain}}<td>{{.Alive}}</tr>
{{end}}</table>
<p><a href="/metrics">metrics</a></p>
</html>
`))

func (s *statusServer) page(w http.ResponseWriter, _ *http.Request) {
	data := struct {
		Name    string
		Local   *group.Member
		Members []*group.Member
	}{Name: s.n.settings.Name}
	if g := s.n.group(); g != nil {
		data.Local, data.Members = g.Local(), g.View().Members
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if err := pageTemplate.Execute(w, data); err != nil {
		s.n.log.Warn("status page not written", "err", err)
	}
}

// metrics writes the counters in the text format of Prometheus.
func (s *statusServer) metrics(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4")
	var st group.Stats
	if g := s.n.group(); g != nil {
		st = g.Stats()
	}
	queued := st.QueuedBytes()
	for _, m := range []struct {
		name, kind, help string
		value            any
	}{
		{"members", "gauge", "other members seen", st.Members},
		{"sent_total", "counter", "sends that succeeded everywhere", st.Sent},
		{"sends_failed_total", "counter", "sends that did not", st.SendsFailed},
		{"sent_bytes_total", "counter", "payload bytes sent, once per destination", st.SentBytes},
		{"received_total", "counter", "messages that reached the application", st.Received},
		{"received_bytes_total", "counter", "payload bytes of those", st.ReceivedBytes},
		{"listener_errors_total", "counter", "messages that the listener failed on", st.ListenerErrors},
		{"queued_bytes", "gauge", "bytes that wait to be sent", queued},
	} {
		fmt.Fprintf(w, "# HELP tribes_%s %s\n# TYPE tribes_%s %s\ntribes_%s %v\n", m.name, m.help, m.name, m.kind, m.name, m.value)
	}
	s.rejections(w, st)
}

// rejections writes what was refused, by reason.
func (s *statusServer) rejections(w http.ResponseWriter, st group.Stats) {
	const name = "tribes_rejected_total"
	fmt.Fprintf(w, "# HELP %s connections closed and datagrams dropped\n# TYPE %s counter\n", name, name)
	if st.Receiver != nil {
		for reason, n := range st.Receiver.Rejected {
			fmt.Fprintf(w, "%s{part=\"receiver\",reason=%q} %d\n", name, reason, n)
		}
	}
	if st.Multicast != nil {
		for reason, n := range st.Multicast.Rejected {
			fmt.Fprintf(w, "%s{part=\"multicast\",reason=%q} %d\n", name, reason, n)
		}
	}
}

// withStatus runs f beside the status page, if the settings ask for one.
func (n *node) withStatus(f func() error) error {
	if n.settings.HTTP == "" {
		return f()
	}
	s, err := n.startStatus(n.settings.HTTP)
	if err != nil {
		return err
	}
	return errors.Join(f(), s.close())
}
