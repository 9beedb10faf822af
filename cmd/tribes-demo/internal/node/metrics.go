package node

import (
	"net/http"

	"github.com/gotribes/tribes/cmd/tribes-demo/internal/metrics"
	"github.com/gotribes/tribes/group"
)

// metrics writes the counters of the member. They begin anew when the node joins again.
func (s *statusServer) metrics(w http.ResponseWriter, _ *http.Request) {
	var st group.Stats
	g := s.n.group()
	if g != nil {
		st = g.Stats()
	}
	var p metrics.Page
	p.Value("up", "gauge", "1 if the node is in the group", metrics.Bool(g != nil))
	p.Value("uptime_seconds", "gauge", "time in the group", s.n.history.inGroupFor().Seconds())
	p.Group(&st)
	if err := p.Serve(w); err != nil {
		s.n.log.Debug("metrics not read", "err", err)
	}
}
