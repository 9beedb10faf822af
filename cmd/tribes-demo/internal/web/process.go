package web

import (
	"bytes"
	"net/http"
	"os"
	"runtime"
	"strconv"

	"github.com/gotribes/tribes/cmd/tribes-demo/internal/metrics"
)

type whoamiReply struct {
	base
	Store string `json:"store"`
	PID   int    `json:"pid"`
	Peers int    `json:"peers"`
}

func (a *app) whoami(http.ResponseWriter, *http.Request) (any, error) {
	peers, _ := a.Sessions.Peers()
	return whoamiReply{base{a.Name}, a.Sessions.Store(), os.Getpid(), peers}, nil
}

type readyReply struct {
	base
	Ready bool `json:"ready"`
}

// ready is for load balancers: 200 if requests should come here.
func (a *app) ready(w http.ResponseWriter, _ *http.Request) {
	if !a.Ready() {
		a.fail(w, http.StatusServiceUnavailable, "not ready")
		return
	}
	a.write(w, http.StatusOK, readyReply{base{a.Name}, true})
}

type countReply struct {
	base
	Found bool `json:"found"`
	Attrs int  `json:"attrs"`
}

// peek looks into this node's own copy of any session.
func (a *app) peek(_ http.ResponseWriter, r *http.Request) (any, error) {
	q, err := query(r)
	if err != nil {
		return nil, err
	}
	id, name := q.Get("id"), q.Get("name")
	switch {
	case id == "":
		return nil, bad("want an id")
	case q.Has("name") && name == "":
		return nil, bad("want a name")
	}
	s, found := a.Sessions.Lookup(id)
	if name == "" {
		reply := countReply{base: base{a.Name}, Found: found}
		if found {
			reply.Attrs = s.Len()
		}
		return reply, nil
	}
	reply := getReply{base: base{a.Name}}
	if found {
		reply.attr, reply.Found, err = attrOf(s, name)
	}
	return reply, err
}

type statsReply struct {
	base
	Sessions int    `json:"sessions"`
	Known    int    `json:"known"`
	Heap     uint64 `json:"heap"`
	RSS      uint64 `json:"rss"`
	CPU      int64  `json:"cpu_us"`
}

func (a *app) stats(_ http.ResponseWriter, r *http.Request) (any, error) {
	q, err := query(r)
	if err != nil {
		return nil, err
	}
	if q.Has("gc") {
		gc, err := number(q, "gc", 0, 1)
		if err != nil {
			return nil, err
		}
		if gc == 1 {
			runtime.GC()
		}
	}
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	held, known := a.Sessions.Counts()
	return statsReply{base{a.Name}, held, known, mem.HeapAlloc, rss(), cpuTime().Microseconds()}, nil
}

// metrics are for Prometheus.
func (a *app) metrics(w http.ResponseWriter, _ *http.Request) {
	var p metrics.Page
	p.Value("up", "gauge", "1 if the process answers", 1)
	p.Value("ready", "gauge", "1 if load balancers should send requests", metrics.Bool(a.Ready()))
	a.Sessions.Metrics(&p)
	if err := p.Serve(w); err != nil {
		a.Log.Debug("metrics not sent", "err", err)
	}
}

// rss is the memory of the process that is in RAM, in bytes; 0 where there is no
// /proc.
func rss() uint64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := bytes.Fields(text)
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseUint(string(fields[1]), 10, 64)
	if err != nil {
		return 0
	}
	return pages * uint64(os.Getpagesize())
}
