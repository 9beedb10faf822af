package stock

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gotribes/tribes/bench/session/internal/load"
	"github.com/gotribes/tribes/bench/session/internal/place"
	"github.com/gotribes/tribes/bench/session/internal/system"
	"github.com/gotribes/tribes/bench/session/internal/web"
)

// Plan says what to measure.
type Plan struct {
	Kit     system.Kit
	Columns []system.Column
	Nodes   int
	// Sessions are made with one attribute of each of the Sizes.
	Sessions int
	Sizes    []int
	Conns    int
	Place    place.Config
	Progress io.Writer
}

// Result is what a store showed.
type Result struct {
	Column   string  `json:"column"`
	Size     int     `json:"size"`
	Sessions int     `json:"sessions"`
	Rate     float64 `json:"perSecond"`
	P99      float64 `json:"p99Ms"`
	// Replication is the time from the reply until another node has the session, of
	// some sessions under load.
	Replication []time.Duration `json:"replicationNs"`
	Late        int             `json:"late"` // not there in time
	// Heap is the bytes per session on each node.
	Heap []float64 `json:"heapPerSession"`
	// Held is the sessions on each node at rest, by its own count.
	Held []int64 `json:"held"`
	// Rest is an audit of all sessions on all nodes.
	Rest load.Rest `json:"rest"`
}

// Outcome has the results and the columns that could not be measured.
type Outcome struct {
	plan    Plan
	results []*Result
	missing map[string]error
}

const (
	requestLimit = 15 * time.Second
	lateLimit    = 5 * time.Second
)

// Run measures, each column on nodes of its own.
func (p Plan) Run(ctx context.Context) (*Outcome, error) {
	o := &Outcome{plan: p, missing: make(map[string]error)}
	for _, size := range p.Sizes {
		for _, c := range p.Columns {
			fmt.Fprintf(p.Progress, "%s: %d B\n", c.Name, size)
			r, err := p.once(ctx, c, size)
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			if err != nil {
				o.missing[c.Name] = err
				fmt.Fprintf(p.Progress, "  %v\n", err)
				continue
			}
			o.results = append(o.results, r)
		}
	}
	return o, nil
}

func (p Plan) once(ctx context.Context, c system.Column, size int) (r *Result, err error) {
	if err := p.Kit.Missing(c); err != nil {
		return nil, err
	}
	s, err := p.Kit.Start(ctx, c, system.Config{Nodes: p.Nodes, Place: p.Place})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	var dials []web.Dial
	for _, i := range s.Up() {
		dials = append(dials, web.Dial(s.Dial(i)))
	}
	r = &Result{Column: c.Name, Size: size, Sessions: p.Sessions}
	// Classes, pools and buffers are there before the first look.
	if err := p.warm(ctx, dials, size); err != nil {
		return nil, err
	}
	before, err := heaps(ctx, s)
	if err != nil {
		return nil, err
	}
	made, err := r.fill(ctx, p, dials, c.Replicated())
	if err != nil {
		return nil, err
	}
	if r.Rest, err = audit(ctx, dials, made, c.Replicated()); err != nil {
		return nil, err
	}
	after, err := heaps(ctx, s)
	if err != nil {
		return nil, err
	}
	copies := float64(p.Sessions)
	if !c.Replicated() {
		copies /= float64(len(dials))
	}
	for i := range dials {
		r.Heap = append(r.Heap, float64(after[i]-before[i])/copies)
	}
	return r, r.count(ctx, s)
}

// warm makes sessions and ends them.
func (p Plan) warm(ctx context.Context, dials []web.Dial, size int) error {
	const sessions = 2000
	return p.each(dials, func(i int, conn *web.Conn) error {
		for range sessions / p.Conns {
			var s load.Session
			if err := s.Create(ctx, conn, 1, size); err != nil {
				return err
			}
			if err := s.End(ctx, conn); err != nil {
				return err
			}
		}
		return nil
	})
}

// each runs do for all connections at the same time, which go to the nodes in turn.
func (p Plan) each(dials []web.Dial, do func(i int, conn *web.Conn) error) error {
	var wait sync.WaitGroup
	errs := make([]error, p.Conns)
	for i := range errs {
		wait.Go(func() {
			conn := &web.Conn{Dial: dials[i%len(dials)], Timeout: requestLimit}
			defer conn.Close()
			errs[i] = do(i, conn)
		})
	}
	wait.Wait()
	return errors.Join(errs...)
}

// fill makes the sessions and returns them by the node that made them.
func (r *Result) fill(ctx context.Context, p Plan, dials []web.Dial, replicated bool) ([][]*load.Session, error) {
	made := make([][]*load.Session, p.Conns)
	lats := make([][]time.Duration, p.Conns)
	var over atomic.Bool
	var probing sync.WaitGroup
	if replicated && len(dials) > 1 {
		probing.Go(func() { r.probe(ctx, dials, &over) }) // ends when over
	}
	begin := time.Now()
	err := p.each(dials, func(i int, conn *web.Conn) error {
		for n := i; n < p.Sessions; n += p.Conns {
			if err := ctx.Err(); err != nil {
				return err
			}
			s := new(load.Session)
			sent := time.Now()
			if err := s.Create(ctx, conn, 1, r.Size); err != nil {
				return err
			}
			lats[i] = append(lats[i], time.Since(sent))
			made[i] = append(made[i], s)
		}
		return nil
	})
	r.Rate = float64(p.Sessions) / time.Since(begin).Seconds()
	over.Store(true)
	probing.Wait()
	slices.Sort(r.Replication)
	all := slices.Sorted(slices.Values(slices.Concat(lats...)))
	r.P99 = ms(part(all, 0.99))
	byNode := make([][]*load.Session, len(dials))
	for i, some := range made {
		byNode[i%len(dials)] = append(byNode[i%len(dials)], some...)
	}
	return byNode, err
}

// probe makes sessions on one node and looks for them on another, one after another.
func (r *Result) probe(ctx context.Context, dials []web.Dial, over *atomic.Bool) {
	here, there := &web.Conn{Dial: dials[0], Timeout: requestLimit}, &web.Conn{Dial: dials[1], Timeout: requestLimit}
	defer here.Close()
	defer there.Close()
	for !over.Load() && ctx.Err() == nil {
		var s load.Session
		if s.Create(ctx, here, 1, r.Size) != nil {
			r.Late++
			continue
		}
		took, ok := await(ctx, there, s.ID())
		if ok {
			r.Replication = append(r.Replication, took)
		} else {
			r.Late++
		}
		if s.End(ctx, here) != nil {
			r.Late++ // it is in the way of the count at rest
		}
	}
}

// await looks at a node until it has the attribute of a session.
func await(ctx context.Context, node *web.Conn, id string) (time.Duration, bool) {
	begin := time.Now()
	for ctx.Err() == nil {
		err := node.Do(ctx, "GET", "/session?id="+id+"&name=a0", nil, nil)
		took := time.Since(begin)
		switch {
		case err == nil && node.Reply.Tag > 0:
			return took, true
		case err != nil || took > lateLimit:
			return 0, false
		}
	}
	return 0, false
}

// audit looks at all sessions on all nodes that ought to have them.
func audit(ctx context.Context, dials []web.Dial, made [][]*load.Session, replicated bool) (load.Rest, error) {
	if replicated {
		all := slices.Concat(made...)
		return load.Audit(ctx, dials, all, 0, len(all))
	}
	var sum load.Rest
	for i, own := range made {
		r, err := load.Audit(ctx, dials[i:i+1], own, 0, max(1, len(own)))
		if err != nil {
			return sum, err
		}
		sum.Checked += r.Checked
		sum.Stale += r.Stale
	}
	return sum, nil
}

// heaps are the memory in use at each node after a collection.
func heaps(ctx context.Context, s *system.System) (all []int64, err error) {
	for _, i := range s.Up() {
		r, err := s.Ask(ctx, i, "/stats?gc=1")
		if err != nil {
			return nil, err
		}
		all = append(all, r.Heap)
	}
	return all, nil
}

func (r *Result) count(ctx context.Context, s *system.System) error {
	for _, i := range s.Up() {
		reply, err := s.Ask(ctx, i, "/stats")
		if err != nil {
			return err
		}
		r.Held = append(r.Held, reply.Sessions)
	}
	return nil
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// part is the value below which that part of the sorted durations lies; 0 for none.
func part(all []time.Duration, p float64) time.Duration {
	if len(all) == 0 {
		return 0
	}
	return all[int(p*float64(len(all)))]
}
