package compare

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/gotribes/tribes/bench/session/internal/load"
	"github.com/gotribes/tribes/bench/session/internal/place"
	"github.com/gotribes/tribes/bench/session/internal/system"
	"github.com/gotribes/tribes/bench/session/internal/web"
)

// Plan says what to measure.
type Plan struct {
	Kit       system.Kit
	Columns   []system.Column
	Workloads []load.Workload
	Nodes     []int
	Repeats   int
	Times     load.Times
	Warm      time.Duration
	Place     place.Config
	Progress  io.Writer
}

// cell is a row of the table for one column.
type cell struct {
	nodes            int
	workload, column string
}

// Outcome has all samples of a comparison.
type Outcome struct {
	plan    Plan
	samples map[cell][]Sample
	missing map[string]error // of columns that were not measured throughout
}

// Run measures. Columns that fail are left out and named in the outcome.
func Run(ctx context.Context, p Plan) (*Outcome, error) {
	o := &Outcome{plan: p, samples: make(map[cell][]Sample), missing: make(map[string]error)}
	for _, n := range p.Nodes {
		if err := o.group(ctx, n); err != nil {
			return nil, err
		}
	}
	if len(o.missing) == len(p.Columns) {
		var errs []error
		for name, err := range o.missing {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
		}
		return nil, errors.Join(errs...)
	}
	return o, nil
}

// group measures all columns with n nodes each: first the workloads whose sessions stay
// on their nodes, then with nodes of another setting the others.
func (o *Outcome) group(ctx context.Context, n int) error {
	for _, spread := range []bool{false, true} {
		var all []load.Workload
		for _, w := range o.plan.Workloads {
			if w.Spread == spread {
				all = append(all, w)
			}
		}
		if len(all) > 0 {
			if err := o.rounds(ctx, system.Config{Nodes: n, Spread: spread, Place: o.plan.Place}, all); err != nil {
				return err
			}
		}
	}
	return nil
}

// rounds goes through workloads as often as asked.
func (o *Outcome) rounds(ctx context.Context, conf system.Config, all []load.Workload) (err error) {
	systems := o.start(ctx, conf)
	defer func() {
		for _, s := range systems {
			err = errors.Join(err, s.Close())
		}
	}()
	o.warm(ctx, systems, all)
	for round := range o.plan.Repeats {
		for _, w := range all {
			for _, s := range systems {
				if err := ctx.Err(); err != nil {
					return err
				}
				o.measure(ctx, cell{conf.Nodes, w.Name, s.Column.Name}, w, s, round == o.plan.Repeats-1)
			}
		}
		fmt.Fprintf(o.plan.Progress, "%d nodes: round %d of %d\n", conf.Nodes, round+1, o.plan.Repeats)
	}
	return nil
}

// start starts all columns, all at once, and returns those that run; those without
// replication not where requests go to all nodes.
func (o *Outcome) start(ctx context.Context, conf system.Config) []*system.System {
	all := make([]*system.System, len(o.plan.Columns))
	errs := make([]error, len(all))
	var wait sync.WaitGroup
	for i, c := range o.plan.Columns {
		if conf.Spread && !c.Replicated() {
			continue // there is nothing to be found on another node
		}
		wait.Go(func() {
			if errs[i] = o.plan.Kit.Missing(c); errs[i] == nil {
				all[i], errs[i] = o.plan.Kit.Start(ctx, c, conf)
			}
		})
	}
	wait.Wait()
	var running []*system.System
	for i, s := range all {
		switch {
		case errs[i] != nil:
			o.missing[o.plan.Columns[i].Name] = errs[i]
			fmt.Fprintf(o.plan.Progress, "%s: %v\n", o.plan.Columns[i].Name, errs[i])
		case s != nil:
			running = append(running, s)
		}
	}
	return running
}

// warm sends requests that are not counted, so that virtual machines compile.
func (o *Outcome) warm(ctx context.Context, systems []*system.System, all []load.Workload) {
	if o.plan.Warm == 0 {
		return
	}
	for _, s := range systems {
		some := all[:min(3, len(all))]
		for _, w := range some {
			t := load.Times{Lead: o.plan.Warm / time.Duration(len(some)), Window: time.Millisecond}
			if _, err := w.Run(ctx, target(s), t); err != nil {
				o.missing[s.Column.Name] = fmt.Errorf("warming up: %w", err)
			}
		}
	}
}

// target is a running system as the generator sees it.
func target(s *system.System) load.Target {
	t := load.Target{Replicated: s.Column.Replicated()}
	for _, i := range s.Up() {
		t.Dials = append(t.Dials, web.Dial(s.Dial(i)))
	}
	t.Mark = func(ctx context.Context) (wire uint64, cpu time.Duration, err error) {
		if cpu, err = s.CPU(ctx); err == nil && s.Place().Counted() {
			wire, err = s.Place().Wire()
		}
		return wire, cpu, err
	}
	return t
}

// measure takes one sample of a cell. The last one tells the heap too.
func (o *Outcome) measure(ctx context.Context, c cell, w load.Workload, s *system.System, last bool) {
	r, err := w.Run(ctx, target(s), o.plan.Times)
	if err != nil {
		if ctx.Err() == nil {
			o.missing[c.column] = fmt.Errorf("%s: %w", c.workload, err)
		}
		return
	}
	v := sampleOf(r, w.Conns, s.Place().Counted())
	if last {
		if heap, err := s.Heap(ctx); err == nil {
			v.Heap = float64(heap)
		}
	}
	o.samples[c] = append(o.samples[c], v)
}

// get is the median of a figure in a cell; negative if there is none.
func (o *Outcome) get(c cell, f func(Sample) float64) float64 { return median(o.samples[c], f) }

// overhead is what replication adds to the response, in ms.
func (o *Outcome) overhead(c cell) (float64, bool) {
	for _, col := range o.plan.Columns {
		if col.Name != c.column || col.Alone == "" {
			continue
		}
		with := o.get(c, response)
		without := o.get(cell{c.nodes, c.workload, col.Alone}, response)
		return with - without, with >= 0 && without >= 0
	}
	return 0, false
}

func response(s Sample) float64    { return s.Response }
func replication(s Sample) float64 { return s.Replication }
func perSecond(s Sample) float64   { return s.PerSecond }
func wire(s Sample) float64        { return s.Wire }

// losses of a cell, all windows together.
func (o *Outcome) losses(c cell) (l load.Losses) {
	for _, s := range o.samples[c] {
		l.Add(s.Losses)
	}
	return l
}

// describe is the line above the tables.
func (p Plan) describe() string {
	names := []string{}
	for _, c := range p.Columns {
		names = append(names, c.Name)
	}
	return fmt.Sprintf("%s; medians of %d windows of %v, think time %v", strings.Join(names, ", "), p.Repeats, p.Times.Window, p.Times.Think)
}
