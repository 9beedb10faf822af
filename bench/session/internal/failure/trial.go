package failure

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/gotribes/tribes/bench/session/internal/load"
	"github.com/gotribes/tribes/bench/session/internal/place"
	"github.com/gotribes/tribes/bench/session/internal/system"
	"github.com/gotribes/tribes/bench/session/internal/web"
)

// Scenarios are what can happen, by name.
var Scenarios = []string{"kill", "cut", "rolling", "store", "join"}

// Plan says what to measure.
type Plan struct {
	Kit       system.Kit
	Columns   []system.Column
	Scenarios []string
	Nodes     int
	Load      Load
	Repeats   int
	// Balancer puts one in front; without it clients are their own.
	Balancer bool
	Place    place.Config
	Progress io.Writer
}

// cell is a row of the table.
type cell struct{ scenario, column string }

// Outcome has all runs.
type Outcome struct {
	plan    Plan
	runs    map[cell][]*Result
	missing map[cell]error
}

// Run measures. What cannot be measured is named in the outcome.
func (p Plan) Run(ctx context.Context) (*Outcome, error) {
	o := &Outcome{plan: p, runs: make(map[cell][]*Result), missing: make(map[cell]error)}
	for _, scenario := range p.Scenarios {
		for _, c := range p.Columns {
			x := cell{scenario, c.Name}
			fmt.Fprintf(p.Progress, "%s: %s\n", scenario, c.Name)
			err := o.measure(ctx, x, c)
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			if err != nil {
				o.missing[x] = err
				fmt.Fprintf(p.Progress, "  %v\n", err)
			}
		}
	}
	return o, nil
}

// measure does all runs of a cell: on one system after another for joins, else all on
// one, which is made whole in between.
func (o *Outcome) measure(ctx context.Context, x cell, c system.Column) (err error) {
	if err := o.plan.Kit.Missing(c); err != nil {
		return err
	}
	if x.scenario == "store" && c.Beside() == "" {
		return errors.New("keeps nothing beside its nodes")
	}
	if x.scenario == "join" {
		for range o.plan.Repeats {
			if err := o.joinOnce(ctx, x, c); err != nil {
				return err
			}
		}
		return nil
	}
	s, err := o.plan.start(ctx, c, x.scenario)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	for i := range o.plan.Repeats {
		d := damage{s, i % o.plan.Nodes}
		n := o.plan.nodes(s)
		n.Break = d.of(x.scenario)
		r, err := Run(ctx, n, o.plan.Load)
		if err != nil {
			return err
		}
		o.runs[x] = append(o.runs[x], r)
		if err := d.repair(ctx, x.scenario); err != nil {
			return fmt.Errorf("after run %d: %w", i+1, err)
		}
	}
	return nil
}

// joinOnce starts a system, lets a node join it, and ends it.
func (o *Outcome) joinOnce(ctx context.Context, x cell, c system.Column) (err error) {
	s, err := o.plan.start(ctx, c, x.scenario)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	j, err := newJoining(ctx, s)
	if err != nil {
		return err
	}
	n := o.plan.nodes(s)
	n.Break, n.Rest = j.join, j.rest
	r, err := Run(ctx, n, o.plan.Load)
	if err != nil {
		return err
	}
	r.Join = &j.result
	o.runs[x] = append(o.runs[x], r)
	return nil
}

// start starts a system; the last node of a join does not run at first.
func (p Plan) start(ctx context.Context, c system.Column, scenario string) (*system.System, error) {
	conf := system.Config{Nodes: p.Nodes, Balancer: p.Balancer, Planned: scenario == "rolling", Place: p.Place}
	if scenario == "join" {
		conf.Nodes, conf.Spare = p.Nodes-1, 1
	}
	conf.Place.Outside = p.Place.Namespaces && !p.Balancer
	return p.Kit.Start(ctx, c, conf)
}

// nodes are where the clients connect to.
func (p Plan) nodes(s *system.System) (n Nodes) {
	if p.Balancer {
		return Nodes{Dials: []web.Dial{web.Dial(s.Front())}, Balanced: true}
	}
	for _, i := range s.Up() {
		n.Dials = append(n.Dials, web.Dial(s.Dial(i)))
	}
	return n
}

// damage is done to a system.
type damage struct {
	s      *system.System
	victim int
}

func (d damage) of(scenario string) func(context.Context, []string) error {
	switch scenario {
	case "kill":
		return func(context.Context, []string) error { d.s.Kill(d.victim); return nil }
	case "cut":
		return func(ctx context.Context, _ []string) error { return d.s.Place().Cable(ctx, d.victim, false) }
	case "store":
		return func(ctx context.Context, _ []string) error { return d.s.RestartStore(ctx) }
	}
	return func(ctx context.Context, _ []string) error {
		for _, i := range d.s.Up() {
			if err := d.s.Stop(i); err != nil {
				return err
			}
			if err := d.start(ctx, i); err != nil {
				return err
			}
		}
		return nil
	}
}

// start starts a node and waits until it sees all others.
func (d damage) start(ctx context.Context, node int) error {
	if err := d.s.Launch(node); err != nil {
		return err
	}
	return d.s.Await(ctx, node, len(d.s.Up())-1)
}

// repair makes the system whole.
func (d damage) repair(ctx context.Context, scenario string) error {
	switch scenario {
	case "kill":
		if err := d.start(ctx, d.victim); err != nil {
			return err
		}
	case "cut":
		if err := d.s.Place().Cable(ctx, d.victim, true); err != nil {
			return err
		}
	}
	up := d.s.Up()
	for _, i := range up {
		if err := d.s.Await(ctx, i, len(up)-1); err != nil {
			return err
		}
	}
	return nil
}

// Losses of all runs of a cell.
func losses(runs []*Result) (l load.Losses) {
	for _, r := range runs {
		l.Add(r.Losses)
	}
	return l
}
