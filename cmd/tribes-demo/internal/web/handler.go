// Package web is a small application whose only state is the HTTP session: a
// shopping cart for people, and requests in JSON for programs that measure and
// check how a node keeps its sessions.
package web

import (
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"github.com/gotribes/tribes/cmd/tribes-demo/internal/metrics"
	"github.com/gotribes/tribes/session"
)

// Sessions is what the application needs of whatever keeps its sessions.
type Sessions interface {
	// Handler gives requests their sessions. It answers by Unavailable if it cannot.
	Handler(next http.Handler) http.Handler
	// Lookup finds this node's own copy of a session, without an access.
	Lookup(id string) (*session.Session, bool)
	// Counts are the sessions held with data, and those known at all.
	Counts() (held, known int)
	// Peers is how many other members there are now, and whether there can be any.
	Peers() (n int, grouped bool)
	// Store is a word or two for where sessions are kept.
	Store() string
	// Metrics adds the numbers that an operator watches.
	Metrics(p *metrics.Page)
}

// Config is what an application is made of; all of it is needed.
type Config struct {
	Name     string // of the node
	Sessions Sessions
	Ready    func() bool // whether requests should come here; any goroutine calls it
	Log      *slog.Logger
}

type app struct{ Config }

// New returns the application. It has no goroutines and nothing to close.
func New(c Config) http.Handler {
	a := &app{c}
	r := router{mux: http.NewServeMux(), allowed: make(map[string][]string)}

	// These see no session: to ask is no access.
	r.handle("GET /whoami", a.json(a.whoami))
	r.handle("GET /ready", http.HandlerFunc(a.ready))
	r.handle("GET /session", a.json(a.peek))
	r.handle("GET /stats", a.json(a.stats))
	r.handle("GET /metrics", http.HandlerFunc(a.metrics))

	for pattern, f := range map[string]action{
		"PUT /attr":        a.put,
		"GET /attr":        a.get,
		"DELETE /attr":     a.remove,
		"POST /incr":       a.incr,
		"POST /invalidate": a.invalidate,
	} {
		r.handle(pattern, c.Sessions.Handler(a.json(f)))
	}

	// A browser says where a form comes from; those of other sites change nothing.
	own := http.NewCrossOriginProtection()
	r.handle("GET /{$}", c.Sessions.Handler(http.HandlerFunc(a.page)))
	for pattern, f := range map[string]change{
		"POST /cart/add":    addItem,
		"POST /cart/remove": removeItem,
		"POST /cart/empty":  emptyCart,
		"POST /login":       login,
		"POST /logout":      logout,
	} {
		r.handle(pattern, own.Handler(c.Sessions.Handler(a.form(f))))
	}
	r.rest(a)
	return r.mux
}

// router answers what its routes leave over in JSON too.
type router struct {
	mux     *http.ServeMux
	allowed map[string][]string // methods by path
}

func (r *router) handle(pattern string, h http.Handler) {
	method, path, _ := strings.Cut(pattern, " ")
	r.mux.Handle(pattern, h)
	r.allowed[path] = append(r.allowed[path], method)
	if method == http.MethodGet {
		r.allowed[path] = append(r.allowed[path], http.MethodHead)
	}
}

// rest adds what is no route: known paths with other methods, and all other paths.
func (r *router) rest(a *app) {
	for path, methods := range r.allowed {
		slices.Sort(methods)
		allow := strings.Join(methods, ", ")
		r.mux.HandleFunc(path, func(w http.ResponseWriter, req *http.Request) {
			w.Header().Set("Allow", allow)
			a.fail(w, http.StatusMethodNotAllowed, req.Method+" is not for this path: want "+allow)
		})
	}
	r.mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		a.fail(w, http.StatusNotFound, "no such path")
	})
}
