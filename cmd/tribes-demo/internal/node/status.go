package node

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
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
		return nil, fmt.Errorf("status page: %w", err)
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
	n.out.emit(httpEvent{n.at("http"), l.Addr().String()})
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
