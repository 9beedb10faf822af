package group

import (
	"context"
	"sync"
)

// server has a handler answer the requests that come, each on one of a few goroutines.
type server struct {
	l      *rpc
	id     string
	handle BodyHandler
	cfg    HandlerConfig

	mu      sync.Mutex
	workers int
	idle    []*worker // the one that was busy last comes last
	queue   []*job
	bytes   int // of the queue
	closed  bool
}

// worker is a goroutine that works at one job after the other. One that was made stays
// until the handler is taken away or the channel stops.
type worker struct {
	s    *server
	jobs chan *job // has room for one; what it gets while it is idle

	// The contexts of its jobs come from one of its own, which is canceled only if a
	// caller leaves or fails while it works for it; then it makes another.
	run    context.Context // of the channel
	ctx    context.Context
	cancel context.CancelCauseFunc
}

// take has a job done, now or when there is somebody to do it.
func (s *server) take(j *job) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	busy := len(s.idle) == 0 && s.workers >= s.cfg.Concurrency
	if busy && (len(s.queue) >= s.cfg.Queue || s.bytes > 0 && s.bytes+j.size > s.cfg.QueueBytes) {
		return ErrBusy
	}
	if !s.l.jobs.add(j) {
		return ErrNoHandler // the channel stops
	}
	switch n := len(s.idle); {
	case n > 0:
		w := s.idle[n-1]
		s.idle = s.idle[:n-1]
		w.jobs <- j
	case !busy:
		s.workers++
		s.l.host.Go(rpcName, func(ctx context.Context) {
			w := &worker{s: s, jobs: make(chan *job, 1), run: ctx}
			w.work(j)
		})
	default:
		s.queue = append(s.queue, j)
		s.bytes += j.size
	}
	return nil
}

// close lets the workers go when they have nothing more to do.
func (s *server) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.workers -= len(s.idle)
	for _, w := range s.idle {
		close(w.jobs)
	}
	s.idle = nil
}

// next returns the job that has waited longest. With none w is idle, or has ended.
func (s *server) next(w *worker) (j *job, ended bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case len(s.queue) > 0:
		j = s.queue[0]
		s.queue[0] = nil
		s.queue = s.queue[1:]
		s.bytes -= j.size
	case s.closed:
		s.workers--
		return nil, true
	default:
		s.queue = nil
		s.idle = append(s.idle, w)
	}
	return j, false
}

func (w *worker) work(j *job) {
	w.ctx, w.cancel = context.WithCancelCause(w.run)
	defer func() { w.cancel(nil) }()
	for j != nil {
		w.do(j)
		w.s.l.jobs.done(j)
		if w.ctx.Err() != nil { // for that job alone
			w.ctx, w.cancel = context.WithCancelCause(w.run)
		}
		var ended bool
		if j, ended = w.s.next(w); j == nil && !ended {
			select {
			case j = <-w.jobs: // nil if the handler was taken away
			case <-w.run.Done():
			}
		}
	}
}

// context is for one job.
func (w *worker) context(j *job) (context.Context, context.CancelFunc) {
	if j.timed {
		return context.WithDeadlineCause(w.ctx, j.until, ErrTimeout)
	}
	return context.WithCancel(w.ctx)
}

// do answers one request, if somebody still waits for that.
func (w *worker) do(j *job) {
	ctx, cancel := w.context(j)
	defer cancel()
	if w.s.l.jobs.begin(j, w.cancel) || ctx.Err() != nil {
		w.s.l.counts.expired.Add(1)
		return
	}
	begin := w.s.l.watch.begin()
	j.req.read()
	b, err := w.s.call(ctx, j)
	w.s.l.served(w.s.id, j, begin, err)
	switch cause := context.Cause(ctx); {
	case !j.wanted, cause == ErrMemberLeft, cause == ErrMemberFailed, cause == ErrTimeout && err != nil:
		// nobody waits for it
	case j.timed:
		w.s.l.answerJob(ctx, w.s.id, j, &b, err)
	default:
		ctx, stop := context.WithTimeout(ctx, replyPatience)
		defer stop()
		w.s.l.answerJob(ctx, w.s.id, j, &b, err)
	}
}
