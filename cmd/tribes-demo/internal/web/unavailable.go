package web

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"github.com/gotribes/tribes/session"
)

// Unavailable is for session.Config.Unavailable of the sessions of this application: it
// answers like the rest of it, programs in JSON and browsers with a page.
func Unavailable(node string, log *slog.Logger) func(http.ResponseWriter, *http.Request, error) {
	a := &app{Config{Name: node, Log: log}}
	return func(w http.ResponseWriter, r *http.Request, err error) {
		if !strings.Contains(r.Header.Get("Accept"), "text/html") {
			a.fail(w, http.StatusServiceUnavailable, "the session could not be read or stored: "+err.Error())
			return
		}
		v := unavailable{Node: node, Reload: r.Method == http.MethodGet,
			Text: "What this request has changed could not be stored as it should: " + err.Error()}
		if v.Reload {
			v.Text = "The session cannot be read or stored now: " + err.Error()
		}
		if errors.Is(err, session.ErrNotReady) {
			v.Text = "This node does not have the sessions yet. Nothing has changed."
		}
		var b bytes.Buffer
		if err := pages.ExecuteTemplate(&b, "unavailable.html", v); err != nil {
			log.Error("page not made", "err", err)
			http.Error(w, "the page could not be made; the log says why", http.StatusInternalServerError)
			return
		}
		a.html(w, http.StatusServiceUnavailable, b.Bytes())
	}
}

// unavailable is what the page without a cart shows.
type unavailable struct {
	Node, Text string
	Reload     bool // it is no form, which must not be sent twice
}
