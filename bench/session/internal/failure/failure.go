package failure

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gotribes/tribes/bench/session/internal/load"
	"github.com/gotribes/tribes/bench/session/internal/web"
)

// Nodes are what is under test, as far as this package needs it.
type Nodes struct {
	Dials []web.Dial
	// Break does the damage and returns when it is done.
	Break func(context.Context) error
}

// Load is the steady load.
type Load struct {
	Sessions int
	Rate     int // requests per second
	// Before and After are how long it runs around the damage.
	Before, After time.Duration
	// Timeout of one attempt.
	Timeout time.Duration
}

// Result is what was seen.
type Result struct {
	Requests  int           `json:"requests"`
	Repeated  int           `json:"repeated"` // attempts after the first
	Longest   time.Duration `json:"longestNs"`
	Damage    time.Duration `json:"damageNs"` // how long it took
	LastErr   error         `json:"-"`
	Sessions  int           `json:"sessions"`
	Abandoned int           `json:"abandoned"` // requests that no node answered
	load.Losses
}

const (
	clients       = 32
	healthStep    = 250 * time.Millisecond
	healthTimeout = time.Second
	attempts      = 20
	retryStep     = 50 * time.Millisecond
)

// run is one run.
type run struct {
	nodes Nodes
	load  Load
	down  []atomic.Bool
	over  atomic.Bool
}

// Run makes the sessions, applies the load, breaks something in the middle of it, and
// counts.
func Run(ctx context.Context, n Nodes, l Load) (*Result, error) {
	r := &run{nodes: n, load: l, down: make([]atomic.Bool, len(n.Dials))}
	all := make([]*client, min(clients, l.Sessions))
	for i := range all {
		all[i] = &client{run: r, number: i, rate: l.Rate, of: len(all)}
		for _, d := range n.Dials {
			all[i].conns = append(all[i].conns, &web.Conn{Dial: d, Timeout: l.Timeout, Cautious: true})
		}
		defer all[i].close()
	}
	for i := range l.Sessions {
		k := all[i%len(all)]
		s := &load.Session{Home: i % len(n.Dials)}
		if err := s.Create(ctx, k.conns[s.Home], 1, 1000); err != nil {
			return nil, err
		}
		k.sessions = append(k.sessions, s)
	}
	damage, err := r.apply(ctx, all)
	if err != nil {
		return nil, err
	}
	total := &Result{Damage: damage, Sessions: l.Sessions}
	for _, k := range all {
		k.last(ctx)
		total.add(&k.result)
	}
	return total, nil
}

// apply runs the clients and the health checks around the damage.
func (r *run) apply(ctx context.Context, all []*client) (took time.Duration, err error) {
	healthy, stop := context.WithCancel(ctx)
	var wait sync.WaitGroup
	defer wait.Wait()
	defer stop()
	defer r.over.Store(true)
	for i := range r.nodes.Dials {
		wait.Go(func() { r.watch(healthy, i) })
	}
	for _, k := range all {
		wait.Go(func() { k.work(ctx) })
	}
	if err := pause(ctx, r.load.Before); err != nil {
		return 0, err
	}
	begin := time.Now()
	if err := r.nodes.Break(ctx); err != nil {
		return 0, err
	}
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
	t.Losses.Add(o.Losses)
	if o.LastErr != nil {
		t.LastErr = o.LastErr
	}
}

// client sends the requests of some sessions, one at a time.
type client struct {
	run      *run
	number   int
	rate, of int
	conns    []*web.Conn
	sessions []*load.Session
	result   Result
}

func (k *client) close() {
	for _, c := range k.conns {
		c.Close()
	}
}

// work writes at an even pace. What is late is sent as soon as possible.
func (k *client) work(ctx context.Context) {
	step := time.Second * time.Duration(k.of) / time.Duration(k.rate)
	next := time.Now().Add(step * time.Duration(k.number) / time.Duration(k.of))
	for n := 0; !k.run.over.Load(); n++ {
		if err := pause(ctx, time.Until(next)); err != nil {
			return
		}
		next = next.Add(step)
		k.write(ctx, k.sessions[n%len(k.sessions)])
	}
}

// write writes until a node acknowledges it.
func (k *client) write(ctx context.Context, s *load.Session) {
	k.result.Requests++
	begin := time.Now()
	for try := range attempts {
		if k.run.down[s.Home].Load() {
			k.move(s)
		}
		err := s.Write(ctx, k.conns[s.Home], 0, &k.result.Losses)
		if err == nil {
			k.result.Longest = max(k.result.Longest, time.Since(begin))
			return
		}
		if ctx.Err() != nil {
			return
		}
		k.result.LastErr = fmt.Errorf("node %d: %w", s.Home+1, err)
		if k.result.Repeated++; try == 0 {
			k.result.Failed++
		}
		k.move(s)
		if try >= len(k.conns) && pause(ctx, retryStep) != nil {
			return
		}
	}
	k.result.Repeated--
	k.result.Abandoned++
}

// move gives a session to the next node that seems to be up.
func (k *client) move(s *load.Session) {
	for range k.conns {
		s.Home = (s.Home + 1) % len(k.conns)
		if !k.run.down[s.Home].Load() {
			return
		}
	}
}

// last writes each session once more, so that a loss of its last update is seen.
func (k *client) last(ctx context.Context) {
	for _, s := range k.sessions {
		k.write(ctx, s)
	}
}
