package load

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gotribes/tribes/bench/session/internal/web"
)

// Target is a group of nodes to send requests to.
type Target struct {
	Dials      []web.Dial
	Replicated bool
	// Mark reads the counters of bytes between the nodes, or nothing, and of their
	// processor time.
	Mark func(context.Context) (wire uint64, cpu time.Duration, err error)
}

// Times of a run.
type Times struct {
	Lead, Window, Probe time.Duration
	// Think is how long a connection waits between requests.
	Think time.Duration
	// Settle is how long replicas have to become alike after the load. Zero means 3 s.
	Settle time.Duration
	// Least is how many requests a window waits for, however long that takes.
	Least int
	// Max bounds the requests of a window that makes new sessions; not less than Least.
	Max int
}

// Probes are replication times.
type Probes struct {
	Times []time.Duration
	First int // of them at the first look
}

// Result is what one window showed.
type Result struct {
	Requests int
	Window   time.Duration
	Lats     []time.Duration // of each request, sorted
	Probes   Probes          // Times sorted
	Wire     uint64
	CPU      time.Duration
	Losses   Losses
	Checked  int   // attributes at rest
	LastErr  error // of a failed request
}

// run is one run of a workload against a target.
type run struct {
	w        Workload
	t        Target
	times    Times
	workers  []*worker
	prober   *worker
	phase    atomic.Int32
	measured atomic.Int64
	result   Result
}

// Run measures one window. The error tells why there is no result; requests that
// failed are counted in it.
func (w Workload) Run(ctx context.Context, t Target, times Times) (*Result, error) {
	r := &run{w: w, t: t, times: times}
	for range w.Conns {
		k := newWorker(w, t.Dials)
		k.measured, k.think = &r.measured, times.Think
		r.workers = append(r.workers, k)
		defer k.close()
	}
	r.prober = newWorker(w, t.Dials)
	defer r.prober.close()
	if err := r.fill(ctx); err != nil {
		return nil, err
	}
	if err := r.load(ctx); err != nil {
		return nil, err
	}
	r.collect()
	if err := errors.Join(r.audit(ctx), r.empty(ctx)); err != nil {
		return nil, err
	}
	return &r.result, nil
}

// fill makes all sessions.
func (r *run) fill(ctx context.Context) error {
	if err := r.prober.fill(ctx, 0); err != nil {
		return err
	}
	if r.w.common() {
		s := &Session{}
		if err := s.Create(ctx, r.prober.conns[0], r.w.count, r.w.size); err != nil {
			return err
		}
		jar := new(atomic.Pointer[string])
		jar.Store(&s.Cookie)
		for i, k := range r.workers {
			k.jar = jar
			own := &Session{Cookie: s.Cookie, Acked: slices.Clone(s.Acked), size: s.size, own: i}
			if r.w.kind == increment {
				own.Acked[0] = 0
			}
			k.sessions = []*Session{own}
			k.turn = i // so that they do not walk in step
		}
		return nil
	}
	var wait sync.WaitGroup
	errs := make([]error, len(r.workers))
	for i, k := range r.workers {
		wait.Go(func() { errs[i] = k.fill(ctx, i%len(k.conns)) })
	}
	wait.Wait()
	return errors.Join(errs...)
}

// load takes the workers through the phases.
func (r *run) load(ctx context.Context) (err error) {
	var wait sync.WaitGroup
	for _, k := range r.workers {
		wait.Go(func() { k.work(ctx, &r.phase) })
	}
	defer wait.Wait()
	defer r.phase.Store(over)
	if err := pause(ctx, r.times.Lead); err != nil {
		return err
	}
	wire, cpu, err := r.t.Mark(ctx)
	if err != nil {
		return err
	}
	begin := time.Now()
	r.phase.Store(measuring)
	if err := r.window(ctx); err != nil {
		return err
	}
	r.result.Window = time.Since(begin)
	r.phase.Store(probing)
	if r.result.Wire, r.result.CPU, err = r.t.Mark(ctx); err != nil {
		return err
	}
	r.result.Wire -= wire
	r.result.CPU -= cpu
	if r.t.Replicated && len(r.t.Dials) > 1 && r.times.Probe > 0 {
		wait.Go(func() { r.prober.probe(ctx, &r.result.Probes, &r.phase) })
		return pause(ctx, r.times.Probe)
	}
	return nil
}

// window lasts its time, or until there are enough new sessions, but not before there are
// enough requests.
func (r *run) window(ctx context.Context) error {
	begin := time.Now()
	for {
		n, rest := r.measured.Load(), r.times.Window-time.Since(begin)
		full := r.w.kind == newSession && r.times.Max > 0 && n >= int64(r.times.Max)
		if n >= int64(r.times.Least) && (full || rest <= 0) {
			return nil
		}
		if n < int64(r.times.Least) || r.w.kind == newSession && r.times.Max > 0 {
			rest = time.Millisecond
		}
		if err := pause(ctx, rest); err != nil {
			return err
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// collect sums up what the workers have.
func (r *run) collect() {
	o := &r.result
	for _, k := range append(slices.Clone(r.workers), r.prober) {
		o.Losses.Add(k.losses)
		o.Lats = append(o.Lats, k.lats...)
		if k.lastErr != nil {
			o.LastErr = k.lastErr
		}
	}
	o.Requests = len(o.Lats)
	slices.Sort(o.Lats)
	slices.Sort(o.Probes.Times)
}

// audit looks at all copies at rest.
func (r *run) audit(ctx context.Context) error {
	all := r.checks()
	found, err := audit(ctx, r.t.Dials, all, cmp.Or(r.times.Settle, settleLimit))
	if err != nil {
		return err
	}
	l := &r.result.Losses
	r.result.Checked = len(all)
	for i, f := range found {
		if f.differing {
			l.Differing++
		}
		switch {
		case r.w.kind == increment:
			if f.highest < all[i].want {
				l.Updates += all[i].want - f.highest
			}
		case f.stale:
			l.Stale++
		}
	}
	return nil
}

// checks lists what is to be looked at.
func (r *run) checks() []check {
	var everywhere []int
	for i := range r.t.Dials {
		everywhere = append(everywhere, i)
	}
	nodes := func(s *Session) []int {
		if r.t.Replicated {
			return everywhere
		}
		return []int{s.Home}
	}
	if !r.w.common() {
		var sessions []*Session
		for _, k := range r.workers {
			if r.w.kind == newSession {
				sessions = append(sessions, k.kept...)
			} else {
				sessions = append(sessions, k.sessions...)
			}
		}
		return checks(sessions, nodes, auditLimit)
	}
	var ids []string
	var sum uint64
	for _, k := range r.workers {
		s := k.sessions[0]
		sum += s.Acked[0]
		if !slices.Contains(ids, s.ID()) {
			ids = append(ids, s.ID())
		}
	}
	where := nodes(r.workers[0].sessions[0])
	if r.w.kind == increment {
		return []check{{ids: ids, name: "n", want: sum, nodes: where}}
	}
	var all []check
	for _, k := range r.workers {
		s := k.sessions[0]
		all = append(all, check{ids: ids, name: attrName(s.own), want: s.Acked[s.own], nodes: where})
	}
	return all
}

// empty ends all sessions.
func (r *run) empty(ctx context.Context) error {
	var wait sync.WaitGroup
	all := append(slices.Clone(r.workers), r.prober)
	errs := make([]error, len(all))
	for i, k := range all {
		wait.Go(func() {
			for _, s := range append(k.sessions, k.kept...) {
				if s.Cookie != "" {
					errs[i] = errors.Join(errs[i], s.End(ctx, k.conns[s.Home]))
				}
			}
		})
	}
	wait.Wait()
	return errors.Join(errs...)
}
