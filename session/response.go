package session

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
)

// errUnavailable is what a handler's writes get after its response was replaced.
var errUnavailable = errors.New("tribes: session: not stored, response replaced by 503")

// response sees the moment before the header is written, however that comes about.
type response struct {
	http.ResponseWriter
	s      *Session
	r      *http.Request
	out    bool // the header is out, or decided
	failed bool // the response was replaced
}

// header runs before the header with this status is written, 0 for whatever it will be.
func (w *response) header(status int) {
	if w.out || status >= 100 && status < 200 && status != http.StatusSwitchingProtocols {
		return // informational headers are followed by the real one
	}
	w.out = true
	if err := w.s.header(w.r, w.Header()); err != nil {
		w.failed = true
		w.s.m.unavailable(w.ResponseWriter, w.r, err)
	}
}

// WriteHeader implements http.ResponseWriter.
func (w *response) WriteHeader(status int) {
	w.header(status)
	if !w.failed {
		w.ResponseWriter.WriteHeader(status)
	}
}

// Write implements http.ResponseWriter.
func (w *response) Write(p []byte) (int, error) {
	w.header(0)
	if w.failed {
		return 0, errUnavailable
	}
	return w.ResponseWriter.Write(p)
}

// ReadFrom implements io.ReaderFrom, so that files still go out by sendfile.
func (w *response) ReadFrom(r io.Reader) (int64, error) {
	w.header(0)
	if w.failed {
		return 0, errUnavailable
	}
	return io.Copy(w.ResponseWriter, r)
}

// FlushError is what http.ResponseController calls.
func (w *response) FlushError() error {
	w.header(0)
	if w.failed {
		return errUnavailable
	}
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Flush implements http.Flusher, for code that asks for it.
func (w *response) Flush() {
	// A Flusher has no way to say that there was nothing to flush.
	_ = w.FlushError()
}

// Hijack implements http.Hijacker; http.ErrNotSupported if the connection cannot be
// taken, as in HTTP/2. What the handler writes by itself is on its own: cookies are in
// Header by then.
func (w *response) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	w.header(0)
	if w.failed {
		return nil, nil, errUnavailable
	}
	return http.NewResponseController(w.ResponseWriter).Hijack()
}

// Push implements http.Pusher, http.ErrNotSupported outside of HTTP/2.
func (w *response) Push(target string, opts *http.PushOptions) error {
	if p, ok := w.ResponseWriter.(http.Pusher); ok {
		return p.Push(target, opts)
	}
	return http.ErrNotSupported
}

// Unwrap is for http.ResponseController: deadlines and full duplex go through.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }
