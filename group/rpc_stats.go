package group

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/gotribes/tribes/message"
)

// RPCConfig has the limits of the remote calls of a group, for all RPCs together. In
// each field zero means the default.
type RPCConfig struct {
	// Timeout ends a call whose context has no deadline; 10 s by default, negative:
	// never.
	Timeout time.Duration
	// MaxCalls is how many calls may wait for replies at the same time, 65536 by
	// default. One more gets ErrTooManyCalls.
	MaxCalls int
	// MaxReply is the largest reply in bytes, by default the limit of a frame, 64 MiB:
	// a larger one that arrives gives CallBadReply, one that a handler returns an error
	// in its place.
	MaxReply int
	// Trace is told what happens; nil: nobody is.
	Trace *RPCTrace
}

func (c RPCConfig) withDefaults() RPCConfig {
	if c.Timeout == 0 {
		c.Timeout = 10 * time.Second
	}
	setDefault(&c.MaxCalls, 1<<16)
	setDefault(&c.MaxReply, message.DefaultMaxFrame)
	return c
}

func (c RPCConfig) check() error {
	var errs []error
	for _, f := range []struct {
		name  string
		value int
	}{{"MaxCalls", c.MaxCalls}, {"MaxReply", c.MaxReply}} {
		if f.value < 0 {
			errs = append(errs, fmt.Errorf("tribes: rpc config: %s %d: want a positive number, or 0 for the default", f.name, f.value))
		}
	}
	return errors.Join(errs...)
}

// RPCTrace has functions that are told of remote calls. A nil one is not called. They
// are called on the goroutines that do the work, possibly at the same time, and must
// neither block nor keep what they are given. What is dropped goes to
// channel.Trace.MessageDropped, as from the layer rpc.
type RPCTrace struct {
	// Called: a call of this member has ended; err is that of Call.
	Called func(rpc string, mode Mode, answers []Answer, took time.Duration, err error)
	// Served: a handler of this member has returned; err is its error.
	Served func(rpc string, from *Member, took time.Duration, err error)
}

// RPCStats are counts of remote calls since the group was made.
type RPCStats struct {
	Calls       uint64 // calls that got the replies that they wanted
	CallsFailed uint64 // calls that did not; those for which nothing could be tried aside
	Waiting     int    // calls that wait now

	Served        uint64 // requests that a handler has answered
	HandlerErrors uint64 // requests that a handler has failed on, panics among them
	Panics        uint64 // panics in handlers
	Running       int    // requests that handlers work at now
	Stuck         int    // those of them on which a handler has not returned for channel.Config.StuckAfter
	Queued        int    // requests that wait for a handler now
	NoHandler     uint64 // requests that nobody here serves
	Busy          uint64 // requests for which there was no room
	Expired       uint64 // requests whose caller was gone before a handler began

	Late     uint64 // replies that no call waited for
	Unwanted uint64 // replies to calls with NoReply
	Dropped  uint64 // messages that could not be read, or came in the clear with WithTLS
	Lost     uint64 // answers that could not be sent
}

type rpcCounts struct {
	calls, callsFailed                                      atomic.Uint64
	served, handlerErrors, panics, noHandler, busy, expired atomic.Uint64
	late, unwanted, dropped, lost                           atomic.Uint64
}

func (l *rpc) stats() RPCStats {
	n := &l.counts
	running, stuck, queued := l.jobs.counts()
	return RPCStats{
		Calls: n.calls.Load(), CallsFailed: n.callsFailed.Load(), Waiting: l.waiting.size(),
		Served: n.served.Load(), HandlerErrors: n.handlerErrors.Load(), Panics: n.panics.Load(),
		Running: running, Stuck: stuck, Queued: queued,
		NoHandler: n.noHandler.Load(), Busy: n.busy.Load(), Expired: n.expired.Load(),
		Late: n.late.Load(), Unwanted: n.unwanted.Load(), Dropped: n.dropped.Load(), Lost: n.lost.Load(),
	}
}

// rpcWatch tells of calls, and reads the clock only if somebody wants to know.
type rpcWatch struct {
	log    *slog.Logger
	called func(rpc string, mode Mode, answers []Answer, took time.Duration, err error)
	served func(rpc string, from *Member, took time.Duration, err error)
}

func newRPCWatch(log *slog.Logger, t *RPCTrace) rpcWatch {
	w := rpcWatch{log: log}
	if t != nil {
		w.called, w.served = t.Called, t.Served
	}
	return w
}

func (w *rpcWatch) logs() bool { return w.log.Enabled(context.Background(), slog.LevelDebug) }

func (w *rpcWatch) begin() time.Time {
	if w.called == nil && w.served == nil && !w.logs() {
		return time.Time{}
	}
	return time.Now()
}

func (w *rpcWatch) since(begin time.Time) time.Duration {
	if begin.IsZero() {
		return 0
	}
	return time.Since(begin)
}

// called notes that a call has ended.
func (l *rpc) called(r *RPC, mode Mode, answers []Answer, begin time.Time, err error) {
	if err != nil {
		l.counts.callsFailed.Add(1)
	} else {
		l.counts.calls.Add(1)
	}
	took := l.watch.since(begin)
	if l.watch.called != nil {
		l.watch.called(r.id, mode, answers, took, err)
	}
	if l.watch.logs() {
		l.watch.log.Debug("remote call ended", "rpc", r.id, "mode", mode, "destinations", len(answers), "took", took, "err", err)
	}
}

// served notes that a handler has returned.
func (l *rpc) served(id string, j *job, begin time.Time, err error) {
	if err != nil {
		l.counts.handlerErrors.Add(1)
	} else {
		l.counts.served.Add(1)
	}
	took := l.watch.since(begin)
	if l.watch.served != nil {
		l.watch.served(id, j.req.From, took, err)
	}
	if l.watch.logs() {
		l.watch.log.Debug("remote call served", "rpc", id, "member", j.req.From, "bytes", j.size, "took", took, "err", err)
	}
}
