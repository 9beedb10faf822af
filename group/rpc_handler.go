package group

import (
	"context"
	"errors"
	"fmt"
)

// Handler answers requests. It runs on a goroutine of its own, at most
// HandlerConfig.Concurrency at a time, and may use all methods of the group, calls
// included. The request belongs to it. The bytes that it returns are read when it has
// returned, and not kept; they travel as the kind of Java object that the request came
// as (BodyBytes for kinds without bytes).
//
// A caller of this module sees an error as a *HandlerError with its text, or as ErrBusy
// or ErrBadRequest if it is one. A Java caller is told, as Tribes can say it, that it
// need not wait for this member: the call ends without a reply from here. The same
// becomes of a panic, which is logged.
//
// ctx ends when the caller does not wait any more, as far as a caller of this module
// has said so, when the caller has left or failed, and when the channel stops and the
// time for an orderly stop is over.
type Handler func(ctx context.Context, req *Request) ([]byte, error)

// BodyHandler is a Handler that chooses the kind of its reply.
type BodyHandler func(ctx context.Context, req *Request) (Body, error)

// Request is what a handler is asked.
type Request struct {
	// From is the caller.
	From *Member
	// Body is the argument of the call. It belongs to the handler.
	Body
}

// HandlerConfig has the limits of a handler. In each field zero means the default.
type HandlerConfig struct {
	// Concurrency is how many requests are processed at the same time; with 1 they
	// are processed in the order in which they came. The default is 16.
	Concurrency int
	// Queue is how many more requests may wait, 1024 by default; negative: none. One
	// that finds no room is refused at once, with ErrBusy.
	Queue int
	// QueueBytes is how many bytes may wait, 16 MiB by default. A request that is larger
	// may wait alone.
	QueueBytes int
}

func (c HandlerConfig) withDefaults() (HandlerConfig, error) {
	setDefault(&c.Concurrency, 16)
	setDefault(&c.Queue, 1024)
	setDefault(&c.QueueBytes, 16<<20)
	if c.Concurrency < 0 || c.QueueBytes < 0 {
		return c, fmt.Errorf("tribes: rpc: handler with Concurrency %d and QueueBytes %d: want neither below 0", c.Concurrency, c.QueueBytes)
	}
	return c, nil
}

func setDefault(n *int, d int) {
	if *n == 0 {
		*n = d
	}
}

// Handle makes h answer the requests that come to this member. There is one handler at
// a time: ErrHandled says that there is one already. remove takes the handler away; the
// requests that are here are still answered, and not waited for.
func (r *RPC) Handle(h Handler, cfg HandlerConfig) (remove func(), err error) {
	return r.HandleBody(func(ctx context.Context, req *Request) (Body, error) {
		b, err := h(ctx, req)
		return Body{Kind: likewise(req.Kind), Bytes: b}, err
	}, cfg)
}

// likewise is the kind of a reply to a request of that kind.
func likewise(k BodyKind) BodyKind {
	if k == BodyArray || k == BodyString {
		return k
	}
	return BodyBytes
}

// HandleBody is Handle for a handler that chooses the kind of its reply.
func (r *RPC) HandleBody(h BodyHandler, cfg HandlerConfig) (remove func(), err error) {
	cfg, err = cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &server{l: r.g.calls, id: r.id, handle: h, cfg: cfg}
	if !r.server.CompareAndSwap(nil, s) {
		return nil, ErrHandled
	}
	return func() {
		if r.server.CompareAndSwap(s, nil) {
			s.close()
		}
	}, nil
}

// HandleLate makes f hear of replies to calls of this member that do not wait for them
// any more, or never did: Tribes' leftOver. It does not hear of errors, nor of replies
// to calls with NoReply. Calls of f come one after the other, on a goroutine for that
// purpose; if f is slow, and 1024 of them or 16 MiB wait, some are left out. They are
// counted in RPCStats.Late in any case. A later HandleLate replaces f; nil takes it away.
func (r *RPC) HandleLate(f func(from *Member, reply Body)) {
	if f == nil {
		r.late.Store(nil)
		return
	}
	r.late.Store(&f)
}

// errMode is for a Mode below those that there are.
var errMode = errors.New("tribes: rpc: no such mode")

// tooLarge says what is larger than it may be.
func tooLarge(what string, size, limit int) error {
	return fmt.Errorf("tribes: rpc: %s of %d bytes where %d are allowed: %w", what, size, limit, ErrTooLarge)
}
