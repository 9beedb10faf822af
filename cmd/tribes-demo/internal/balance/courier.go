package balance

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"time"
)

// errNoNode is the error of a request when no node can take it.
var errNoNode = errors.New("no node is up")

func newTransport(connect, header time.Duration) *http.Transport {
	return &http.Transport{
		DialContext:           (&net.Dialer{Timeout: connect}).DialContext,
		MaxIdleConnsPerHost:   256,
		IdleConnTimeout:       time.Minute,
		ResponseHeaderTimeout: header,
		ExpectContinueTimeout: header, // it is the node that asks for a body
		DisableCompression:    true,   // the client decides
	}
}

// courier carries a request to a node, and to another one if it surely has not
// reached the first.
type courier struct{ p *Proxy }

// RoundTrip implements http.RoundTripper.
func (c *courier) RoundTrip(r *http.Request) (*http.Response, error) {
	var tried []target
	last := errNoNode
	for {
		t, ok := c.p.choose(r, tried)
		if !ok {
			break
		}
		response, written, err := c.try(r, t)
		if err == nil {
			return response, nil
		}
		last = err
		c.p.change(t.name, func(n *node) { n.failed++ })
		if r.Context().Err() != nil { // the client is gone: that says nothing about the node
			break
		}
		if lostNode(err) {
			c.p.lost(t, err)
		}
		if written || !isDial(err) {
			break
		}
		tried = append(tried, t)
	}
	if r.Body != nil {
		r.Body.Close()
	}
	return nil, last
}

// try sends a request to one node and reports whether any of it was written, so
// that the node may have begun with it.
func (c *courier) try(r *http.Request, t target) (response *http.Response, written bool, err error) {
	var wrote atomic.Bool
	out := r.Clone(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
		WroteHeaders: func() { wrote.Store(true) },
	}))
	out.URL.Host = t.addr
	if r.Body != nil && r.Body != http.NoBody {
		out.Body = keep{r.Body}
	}
	response, err = c.p.transport.RoundTrip(out)
	return response, wrote.Load(), err
}

// keep is a body that a failed attempt does not close: another one may need it.
// Who has made it closes it.
type keep struct{ io.Reader }

// Close implements io.Closer.
func (keep) Close() error { return nil }

// oneContinue leaves out the 100 of the node: the server sends its own when the
// body is read, which is when the node has asked for it.
type oneContinue struct{ http.ResponseWriter }

// WriteHeader implements http.ResponseWriter.
func (w oneContinue) WriteHeader(status int) {
	if status != http.StatusContinue {
		w.ResponseWriter.WriteHeader(status)
	}
}

// Unwrap is for http.ResponseController.
func (w oneContinue) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// isDial reports whether there was no connection to begin with.
func isDial(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// lostNode reports whether the connection failed; a slow answer is for the health
// checks to judge.
func lostNode(err error) bool {
	var timeout net.Error
	return isDial(err) || !errors.As(err, &timeout) || !timeout.Timeout()
}

// failed answers a request that has no response: programs in JSON, browsers with the
// status page.
func (p *Proxy) failed(w http.ResponseWriter, r *http.Request, err error) {
	status := http.StatusBadGateway
	var timeout net.Error
	var body *http.MaxBytesError
	switch {
	case errors.Is(err, context.Canceled): // nobody is there to read it
	case errors.As(err, &body):
		status = http.StatusRequestEntityTooLarge
	case errors.Is(err, errNoNode), isDial(err):
		status = http.StatusServiceUnavailable
	case errors.As(err, &timeout) && timeout.Timeout():
		status = http.StatusGatewayTimeout
	}
	p.config.Log.Info("request failed", "method", r.Method, "path", r.URL.Path, "status", status, "err", err)
	if strings.Contains(r.Header.Get("Accept"), "text/html") { // a browser, whose user has buttons for that
		p.showStatus(w, status, "This request has no answer: "+err.Error()+".")
		return
	}
	text, err := json.Marshal(map[string]string{"error": "proxy: " + err.Error()})
	if err != nil {
		p.config.Log.Error("reply not made", "err", err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if _, err := w.Write(append(text, '\n')); err != nil {
		p.config.Log.Debug("reply not sent", "err", err)
	}
}
