package failure

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gotribes/tribes/bench/session/internal/load"
	"github.com/gotribes/tribes/bench/session/internal/web"
)

// Nodes are what is under test, as far as this package needs it.
type Nodes struct {
	// Dials go to the nodes, or with Balanced to what stands in front of them.
	Dials []web.Dial
	// Balanced tells that something in front finds the node of a session and does the
	// health checks.
	Balanced bool
	// Break does the damage and returns when it is done. It gets the ids of the sessions
	// as they were at first.
	Break func(ctx context.Context, ids []string) error
	// Rest, if not nil, is called when the load has ended and before each session is
	// written for the last time, which is when losses show.
	Rest func(ctx context.Context, sessions []*load.Session) error
}

// Load is what the clients send.
type Load struct {
	Sessions int
	// Conns is how many clients there are, each with one request at a time.
	Conns int
	// Rate is the requests per second of all clients; 0 means as many as are answered.
	Rate int
	// Before and After are how long it runs around the damage.
	Before, After time.Duration
	// Timeout of one attempt. A request is given up when it has tried that long.
	Timeout time.Duration
}

// Result is what was seen in one run. The durations count from the first attempt to
// the answer.
type Result struct {
	Requests int `json:"requests"`
	Repeated int `json:"repeated"` // attempts after the first
	// Longest is that of all requests, Steady of those answered at the first attempt,
	// Usual of those begun before the damage.
	Longest time.Duration `json:"longestNs"`
	Steady  time.Duration `json:"longestFirstAttemptNs"`
	Usual   time.Duration `json:"longestBeforeNs"`
	P50     time.Duration `json:"p50Ns"`
	// P99 is of all requests, the others of those that were begun before, during and
	// after the damage; 0 for none.
	P99       time.Duration `json:"p99Ns"`
	P99Before time.Duration `json:"p99BeforeNs"`
	P99During time.Duration `json:"p99DuringNs"`
	P99After  time.Duration `json:"p99AfterNs"`
	Damage    time.Duration `json:"damageNs"` // how long it took
	LastErr   error         `json:"-"`
	Sessions  int           `json:"sessions"`
	Abandoned int           `json:"abandoned"` // requests that were never answered
	Line      []Slice       `json:"line"`      // from the start of the load on
	Join      *Join         `json:"join,omitempty"`
	load.Losses

	lats [phases][]time.Duration
}

// The phases of a run.
const (
	before = iota
	during
	after
	phases
)

// SliceTime is how long a Slice is.
const SliceTime = 100 * time.Millisecond

// Slice is what ended in a slice of time.
type Slice struct {
	Requests int           `json:"requests"`
	Failed   int           `json:"failed"` // first attempts
	Longest  time.Duration `json:"longestNs"`
}

const (
	healthStep    = 250 * time.Millisecond
	healthTimeout = time.Second
	retryStep     = 20 * time.Millisecond
	valueSize     = 1000
)

// run is one run.
type run struct {
	nodes Nodes
	load  Load
	down  []atomic.Bool
	begin time.Time
	phase atomic.Int32
	over  atomic.Bool
}

// Run makes the sessions, applies the load, breaks something in the middle of it, and
// counts.
func Run(ctx context.Context, n Nodes, l Load) (*Result, error) {
	r := &run{nodes: n, load: l, down: make([]atomic.Bool, len(n.Dials))}
	all := make([]*client, min(l.Conns, l.Sessions))
	for i := range all {
		all[i] = newClient(r, i, len(all))
		defer all[i].close()
	}
	if err := each(all, func(k *client) error { return k.fill(ctx) }); err != nil {
		return nil, err
	}
	damage, err := r.apply(ctx, all)
	if err == nil && n.Rest != nil {
		err = n.Rest(ctx, sessions(all))
	}
	if err == nil {
		err = each(all, func(k *client) error { return k.last(ctx) })
	}
	if err != nil {
		return nil, err
	}
	total := &Result{Damage: damage, Sessions: l.Sessions}
	for _, k := range all {
		total.add(&k.result)
	}
	total.times()
	return total, nil
}

// each does something with all clients at the same time.
func each(all []*client, do func(*client) error) error {
	var wait sync.WaitGroup
	errs := make([]error, len(all))
	for i, k := range all {
		wait.Go(func() { errs[i] = do(k) })
	}
	wait.Wait()
	return errors.Join(errs...)
}

func sessions(all []*client) (s []*load.Session) {
	for _, k := range all {
		s = append(s, k.sessions...)
	}
	return s
}

// apply runs the clients and the health checks around the damage.
func (r *run) apply(ctx context.Context, all []*client) (took time.Duration, err error) {
	healthy, stop := context.WithCancel(ctx)
	var wait sync.WaitGroup
	defer wait.Wait()
	defer stop()
	defer r.over.Store(true)
	if !r.nodes.Balanced {
		for i := range r.nodes.Dials {
			wait.Go(func() { r.watch(healthy, i) })
		}
	}
	var ids []string
	for _, s := range sessions(all) {
		ids = append(ids, s.ID())
	}
	r.begin = time.Now()
	for _, k := range all {
		wait.Go(func() { k.work(ctx) })
	}
	if err := pause(ctx, r.load.Before); err != nil {
		return 0, err
	}
	begin := time.Now()
	r.phase.Store(during)
	if err := r.nodes.Break(ctx, ids); err != nil {
		return 0, err
	}
	r.phase.Store(after)
	took = time.Since(begin)
	return took, pause(ctx, r.load.After)
}

// watch asks a node again and again whether it may get requests.
func (r *run) watch(ctx context.Context, node int) {
	c := &web.Conn{Dial: r.nodes.Dials[node], Timeout: healthTimeout, Cautious: true}
	defer c.Close()
	for pause(ctx, healthStep) == nil {
		err := c.Do(ctx, "GET", "/ready", nil, nil)
		var status *web.StatusError
		if errors.As(err, &status) && status.Code == 404 {
			err = c.Do(ctx, "GET", "/whoami", nil, nil)
		}
		r.down[node].Store(err != nil && ctx.Err() == nil)
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

func (t *Result) add(o *Result) {
	t.Requests += o.Requests
	t.Repeated += o.Repeated
	t.Abandoned += o.Abandoned
	t.Longest = max(t.Longest, o.Longest)
	t.Steady = max(t.Steady, o.Steady)
	t.Usual = max(t.Usual, o.Usual)
	t.Losses.Add(o.Losses)
	for i := range t.lats {
		t.lats[i] = append(t.lats[i], o.lats[i]...)
	}
	if o.LastErr != nil {
		t.LastErr = o.LastErr
	}
	for i, s := range o.Line {
		u := t.slice(i)
		u.Requests += s.Requests
		u.Failed += s.Failed
		u.Longest = max(u.Longest, s.Longest)
	}
}

// times sets the quantiles.
func (t *Result) times() {
	var all []time.Duration
	for i, p99 := range []*time.Duration{&t.P99Before, &t.P99During, &t.P99After} {
		slices.Sort(t.lats[i])
		*p99 = quantile(t.lats[i], 0.99)
		all = append(all, t.lats[i]...)
	}
	slices.Sort(all)
	t.P50, t.P99 = quantile(all, 0.5), quantile(all, 0.99)
}

// quantile is the value below which that part of the sorted durations lies; 0 for none.
func quantile(sorted []time.Duration, part float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[int(part*float64(len(sorted)))]
}

// slice is the i-th slice of time.
func (t *Result) slice(i int) *Slice {
	for len(t.Line) <= i {
		t.Line = append(t.Line, Slice{})
	}
	return &t.Line[i]
}
