package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/gotribes/tribes/session"
)

// An action answers a request with something that becomes a JSON object.
type action func(w http.ResponseWriter, r *http.Request) (any, error)

// base is in every reply.
type base struct {
	Node string `json:"node"`
}

type errorReply struct {
	base
	Error string `json:"error"`
}

// badInput is the error of a request that no node can answer.
type badInput struct {
	status int
	text   string
}

func (e *badInput) Error() string { return e.text }

func bad(format string, args ...any) error {
	return &badInput{http.StatusBadRequest, fmt.Sprintf(format, args...)}
}

// json serves what an action returns.
func (a *app) json(f action) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v, err := f(w, r)
		if err != nil {
			a.fail(w, statusOf(err), err.Error())
			return
		}
		a.write(w, http.StatusOK, v)
	})
}

// statusOf is 400 or its like for what the client can do something about, and 503
// for what was not stored although it could have been.
func statusOf(err error) int {
	var input *badInput
	var limit *session.LimitError
	switch {
	case errors.As(err, &input):
		return input.status
	case errors.Is(err, session.ErrTooManySessions):
		return http.StatusServiceUnavailable
	case errors.As(err, &limit), errors.Is(err, session.ErrNotNumber), errors.Is(err, session.ErrType):
		return http.StatusBadRequest
	}
	return http.StatusServiceUnavailable
}

func (a *app) fail(w http.ResponseWriter, status int, text string) {
	a.write(w, status, errorReply{base{a.Name}, strings.ReplaceAll(text, "\n", "; ")})
}

// write sends v. What goes wrong then is between the client and the network, or
// the middleware has replaced the reply and told the client so.
func (a *app) write(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		a.Log.Error("reply not made", "err", err)
		http.Error(w, "the reply could not be made; the log says why", http.StatusInternalServerError)
		return
	}
	body = append(body, '\n')
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if _, err := w.Write(body); err != nil {
		a.Log.Debug("reply not sent", "err", err)
	}
}

// query returns the parameters of a request, each of which may be there once.
func query(r *http.Request) (url.Values, error) {
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, bad("query: %v", err)
	}
	for name, values := range q {
		if len(values) > 1 {
			return nil, bad("parameter %.40q is there %d times", name, len(values))
		}
	}
	return q, nil
}

// nameIn returns the parameter name, which must not be empty.
func nameIn(r *http.Request) (string, error) {
	q, err := query(r)
	if err != nil {
		return "", err
	}
	name := q.Get("name")
	if name == "" {
		return "", bad("want a name")
	}
	return name, nil
}

// number reads a parameter that must be one of least to most.
func number(q url.Values, name string, least, most int) (int, error) {
	n, err := strconv.Atoi(q.Get(name))
	if err != nil || n < least || n > most {
		return 0, bad("%s=%.40s: want a number from %d to %d", name, q.Get(name), least, most)
	}
	return n, nil
}
