package webtest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
)

// Faults are asked before each request that changes something; n counts the
// requests of that kind at all nodes, from 1. A nil function is no fault. They are
// called one at a time.
type Faults struct {
	LoseWrite   func(n int) bool // a PUT is acknowledged and forgotten at all nodes
	LoseReplica func(n int) bool // a PUT never reaches the other nodes
	LoseSession func(n int) bool // the session is forgotten before the PUT
	Refuse      func(n int) bool // a PUT is answered with 503
	Hang        func(n int) bool // a PUT is not answered, and the connection is closed
	LoseAdd     func(n int) bool // an increment is acknowledged and forgotten
	Later       bool             // replicas get a change when it is first asked for, and show it then
}

type session struct {
	attrs map[string][]byte
	later map[string][]byte
}

// node is one node's own copies.
type node struct {
	name     string
	sessions map[string]*session
}

// Cluster is the set of nodes. Its methods may be called by several goroutines.
type Cluster struct {
	// Faults may be set before the first request.
	Faults Faults

	mu      sync.Mutex
	nodes   []*node
	servers []*httptest.Server
	next    int
	puts    int
	adds    int
}

// New starts a cluster of n nodes. The caller must Close it.
func New(n int) *Cluster {
	c := &Cluster{}
	for i := range n {
		own := &node{name: "n" + strconv.Itoa(i+1), sessions: make(map[string]*session)}
		c.nodes = append(c.nodes, own)
		c.servers = append(c.servers, httptest.NewServer(c.handler(own)))
	}
	return c
}

// Close ends all nodes.
func (c *Cluster) Close() {
	for _, s := range c.servers {
		s.CloseClientConnections()
		s.Close()
	}
}

// Kill ends one node without a word.
func (c *Cluster) Kill(i int) {
	c.servers[i].Listener.Close() // the same is closed again by Close
	c.servers[i].CloseClientConnections()
}

// Dial connects to node i.
func (c *Cluster) Dial(i int) func(context.Context) (net.Conn, error) {
	addr := c.servers[i].Listener.Addr().String()
	return func(ctx context.Context) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "tcp", addr)
	}
}

func (c *Cluster) handler(own *node) http.Handler {
	mux := http.NewServeMux()
	for pattern, f := range map[string]func(*node, *call){
		"GET /whoami":      c.whoami,
		"PUT /attr":        c.put,
		"GET /attr":        c.get,
		"POST /incr":       c.incr,
		"POST /invalidate": c.invalidate,
		"GET /session":     c.lookup,
		"GET /stats":       c.stats,
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				panic(http.ErrAbortHandler)
			}
			q := &call{w: w, r: r, body: body, status: http.StatusOK}
			if k, err := r.Cookie("sid"); err == nil {
				q.id = k.Value
			}
			c.mu.Lock()
			f(own, q)
			c.mu.Unlock()
			if q.hang {
				panic(http.ErrAbortHandler)
			}
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(q.status)
			fmt.Fprintf(w, "{\"node\":%q%s}\n", own.name, q.reply) // the client will miss it if that fails
		})
	}
	return mux
}

// call is one request and its answer.
type call struct {
	w      http.ResponseWriter
	r      *http.Request
	body   []byte
	id     string
	status int
	hang   bool
	reply  string
}

func (q *call) say(format string, args ...any) { q.reply += "," + fmt.Sprintf(format, args...) }

// open finds the session of the request on own, or makes one everywhere.
func (c *Cluster) open(own *node, q *call) (s *session, made bool) {
	if s := own.sessions[q.id]; s != nil {
		return s, false
	}
	c.next++
	q.id = fmt.Sprintf("s%d.%s", c.next, own.name)
	for _, n := range c.nodes {
		n.sessions[q.id] = &session{attrs: make(map[string][]byte), later: make(map[string][]byte)}
	}
	http.SetCookie(q.w, &http.Cookie{Name: "sid", Value: q.id, Path: "/"})
	return own.sessions[q.id], true
}

func (c *Cluster) put(own *node, q *call) {
	c.puts++
	f := c.Faults
	switch {
	case is(f.Refuse, c.puts):
		q.status = http.StatusServiceUnavailable
		q.say(`"error":"refused"`)
		return
	case is(f.Hang, c.puts):
		q.hang = true
		return
	case is(f.LoseSession, c.puts):
		for _, n := range c.nodes {
			delete(n.sessions, q.id)
		}
	}
	s, made := c.open(own, q)
	name := q.r.FormValue("name")
	q.say(`"new":%t,"prev":%q`, made, tagOf(s.attrs[name]))
	if is(f.LoseWrite, c.puts) {
		return
	}
	for name, value := range q.values() {
		c.set(own, q.id, name, value, is(f.LoseReplica, c.puts))
	}
}

// values are the attributes that a PUT sets.
func (q *call) values() map[string][]byte {
	name := q.r.FormValue("name")
	if q.r.FormValue("size") == "" {
		return map[string][]byte{name: q.body}
	}
	size, _ := strconv.Atoi(q.r.FormValue("size")) // tests send numbers
	value := append([]byte(q.r.FormValue("tag")+"|"), bytes.Repeat([]byte{'x'}, max(0, size))...)
	value = value[:max(size, len(q.r.FormValue("tag"))+1)]
	count, err := strconv.Atoi(q.r.FormValue("count"))
	if err != nil {
		return map[string][]byte{name: value}
	}
	all := make(map[string][]byte)
	for i := range count {
		all[name+strconv.Itoa(i)] = value
	}
	return all
}

func (c *Cluster) set(own *node, id, name string, value []byte, ownOnly bool) {
	for _, n := range c.nodes {
		s := n.sessions[id]
		switch {
		case s == nil || n != own && ownOnly:
		case n != own && c.Faults.Later:
			s.later[name] = value
		default:
			s.attrs[name] = value
		}
	}
}

func is(f func(int) bool, n int) bool { return f != nil && f(n) }

func tagOf(v []byte) string {
	if bar := bytes.IndexByte(v[:min(len(v), 32)], '|'); bar >= 0 {
		return string(v[:bar])
	}
	return ""
}
