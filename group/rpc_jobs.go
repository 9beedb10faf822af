package group

import (
	"context"
	"sync"
	"time"

	"github.com/gotribes/tribes/internal/javaser"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// job is a request that a handler will answer.
type job struct {
	id     string // of the RPC
	req    Request
	uuid   []byte
	room   [ticketSize]byte // for the UUID
	secure message.Options  // Secure if the request came over TLS
	size   int              // in memory, about
	ours   bool             // the caller is a member of this module
	wanted bool             // somebody waits for the reply
	timed  bool             // until until
	until  time.Time

	// Guarded by the jobs' mu.
	gone   error // the caller is not there any more
	cancel context.CancelCauseFunc
	began  time.Time
	stuck  bool
}

// newJob copies what m asks for.
func newJob(id string, m *message.Message, call *javaser.RPC, t *ticket, ours bool) *job {
	j := &job{
		id:     id,
		req:    Request{From: m.Source, Body: bodyOf(m.Payload(), call)},
		secure: m.Options & message.Secure,
		ours:   ours,
		wanted: !ours || t.flags&noReplyWanted == 0,
	}
	j.uuid = append(j.room[:0], call.UUID...)
	j.size = len(j.req.Bytes) + len(j.uuid)
	if ours && t.left > 0 {
		j.timed, j.until = true, time.Now().Add(t.left)
	}
	return j
}

// jobs are the requests that are here, of all handlers.
type jobs struct {
	mu       sync.Mutex
	all      map[*job]struct{}
	running  int
	sending  int // answers without an outcome
	draining bool
	idle     chan struct{} // closed when all are answered and no more will come
}

// add takes a job, unless the channel stops.
func (js *jobs) add(j *job) bool {
	js.mu.Lock()
	defer js.mu.Unlock()
	if js.draining {
		return false
	}
	js.all[j] = struct{}{}
	return true
}

// begin says that a job is worked at, and how that is canceled. It reports whether its
// caller is gone already.
func (js *jobs) begin(j *job, cancel context.CancelCauseFunc) (gone bool) {
	js.mu.Lock()
	defer js.mu.Unlock()
	js.running++
	j.cancel, j.began = cancel, time.Now()
	return j.gone != nil
}

// done says that nothing is left to do for a job that was begun.
func (js *jobs) done(j *job) {
	js.mu.Lock()
	defer js.mu.Unlock()
	js.running--
	delete(js.all, j)
	js.checkIdle()
}

// checkIdle is called with mu held.
func (js *jobs) checkIdle() {
	if !js.draining || len(js.all) > 0 || js.sending > 0 {
		return
	}
	select {
	case <-js.idle: // refusals go on
	default:
		close(js.idle)
	}
}

// send counts an answer that begins to be sent, for a job that is not done yet or a
// refusal, and one that has its outcome. It returns how many are on their way then.
func (js *jobs) send(n int) int {
	js.mu.Lock()
	defer js.mu.Unlock()
	js.sending += n
	js.checkIdle()
	return js.sending
}

// gone cancels the jobs of a caller.
func (js *jobs) gone(k membership.Key, why error) {
	js.mu.Lock()
	defer js.mu.Unlock()
	for j := range js.all {
		if j.gone != nil || j.req.From.Key() != k {
			continue
		}
		j.gone = why
		if j.cancel != nil {
			j.cancel(why)
		}
	}
}

// drain takes no more jobs. The channel that it returns is closed when all are done and
// their answers have arrived, or cannot.
func (js *jobs) drain() <-chan struct{} {
	js.mu.Lock()
	defer js.mu.Unlock()
	js.draining = true
	js.checkIdle()
	return js.idle
}

// counts returns how many jobs are worked at, how many of those for too long, and how
// many wait.
func (js *jobs) counts() (running, stuck, queued int) {
	js.mu.Lock()
	defer js.mu.Unlock()
	for j := range js.all {
		if j.stuck {
			stuck++
		}
	}
	return js.running, stuck, len(js.all) - js.running
}

// late returns the jobs that were begun before then and that it has not returned yet.
func (js *jobs) late(then time.Time) (fresh []*job) {
	js.mu.Lock()
	defer js.mu.Unlock()
	for j := range js.all {
		if !j.stuck && !j.began.IsZero() && j.began.Before(then) {
			j.stuck = true
			fresh = append(fresh, j)
		}
	}
	return fresh
}
