package harness

import (
	"context"
	"fmt"
	"io"
	"time"
)

const formTimeout = 30 * time.Second

// column is one thing to measure: a command that speaks the member protocol.
type column struct {
	name    string
	command string
	opts    string
}

// sample is what one window of one cell gave.
type sample struct {
	Rate   float64 `json:"rate"` // units per second
	P50    float64 `json:"p50us"`
	P99    float64 `json:"p99us"`
	CPU    float64 `json:"cpuUS"` // processor time of all members, µs per unit
	Alloc  float64 `json:"alloc"` // bytes allocated by all members, per unit
	Errors uint64  `json:"errors"`
}

// conductor runs the plan.
type conductor struct {
	columns  []column
	cells    []cell
	repeats  int
	lead     time.Duration // before each window
	window   time.Duration
	base     int // first port
	progress io.Writer

	samples map[string]map[cell][]sample // by column
	missing map[string]error             // columns that could not be measured
}

// run measures all cells of all columns. Each repeat goes through all columns,
// so that a change of the machine's speed hits all alike.
func (c *conductor) run(ctx context.Context) error {
	c.samples = make(map[string]map[cell][]sample)
	c.missing = make(map[string]error)
	for r := range c.repeats {
		for _, col := range c.columns {
			fmt.Fprintf(c.progress, "repeat %d of %d: %s\n", r+1, c.repeats, col.name)
			if err := c.column(ctx, col); err != nil {
				if ctx.Err() != nil {
					return context.Cause(ctx)
				}
				fmt.Fprintf(c.progress, "  %v\n", err)
				c.missing[col.name] = err
			}
		}
	}
	return nil
}

// column runs the cells of one column, with one group for each number of
// destinations.
func (c *conductor) column(ctx context.Context, col column) error {
	byDests := make(map[int][]cell)
	var order []int
	for _, cl := range c.cells {
		if byDests[cl.Dests] == nil {
			order = append(order, cl.Dests)
		}
		byDests[cl.Dests] = append(byDests[cl.Dests], cl)
	}
	for _, d := range order {
		if err := c.group(ctx, col, d+1, byDests[d]); err != nil {
			return err
		}
	}
	return nil
}

// group starts n members, runs cells on them and ends them.
func (c *conductor) group(ctx context.Context, col column, n int, cells []cell) error {
	base := c.base
	c.base += n + 1
	members := make([]*process, 0, n)
	defer func() {
		for _, p := range members {
			p.close()
		}
	}()
	for i := range n {
		p, err := launch(col.name, col.command, i, n, base, col.opts)
		if err != nil {
			return err
		}
		members = append(members, p)
	}
	if err := form(ctx, members); err != nil {
		return err
	}
	for _, cl := range cells {
		s, err := c.measure(ctx, members, cl)
		if err != nil {
			return fmt.Errorf("%v: %w", cl, err)
		}
		if c.samples[col.name] == nil {
			c.samples[col.name] = make(map[cell][]sample)
		}
		c.samples[col.name][cl] = append(c.samples[col.name][cl], s)
	}
	return nil
}

// form waits until every member sees all others.
func form(ctx context.Context, members []*process) error {
	ctx, cancel := context.WithTimeout(ctx, formTimeout)
	defer cancel()
	for _, p := range members {
		if _, err := p.await(ctx, "ready"); err != nil {
			return err
		}
	}
	for _, p := range members {
		for {
			r, err := p.ask(ctx, "members", "members")
			if err != nil {
				return err
			}
			if int(r.N) >= len(members)-1 {
				break
			}
			if err := pause(ctx, 20*time.Millisecond); err != nil {
				return fmt.Errorf("%s sees %d of %d others: %w", p.name, r.N, len(members)-1, err)
			}
		}
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// snapshot is the counters of all members at about one time.
type snapshot struct {
	marks []reply
	cpu   time.Duration
}

func take(ctx context.Context, members []*process) (snapshot, error) {
	var s snapshot
	for _, p := range members {
		r, err := p.ask(ctx, "mark", "mark")
		if err != nil {
			return snapshot{}, err
		}
		s.marks = append(s.marks, r)
		s.cpu += p.CPU()
	}
	return s, nil
}

// measure runs one window of one cell. Member 0 sends.
func (c *conductor) measure(ctx context.Context, members []*process, cl cell) (sample, error) {
	dest := "one"
	if cl.Dests > 1 {
		dest = "all"
	}
	sender := members[0]
	if _, err := sender.ask(ctx, "started", "start %s %d %d %s", cl.Kind, cl.Size, cl.Callers, dest); err != nil {
		return sample{}, err
	}
	if err := pause(ctx, c.lead); err != nil {
		return sample{}, err
	}
	before, err := take(ctx, members)
	if err != nil {
		return sample{}, err
	}
	if err := pause(ctx, c.window); err != nil {
		return sample{}, err
	}
	after, err := take(ctx, members)
	if err != nil {
		return sample{}, err
	}
	_, err = sender.ask(ctx, "stopped", "stop")
	return evaluate(cl, before, after), err
}

// evaluate turns two snapshots into a sample. A rate is over the time of the
// member that counted the units, by its own clock.
func evaluate(cl cell, before, after snapshot) sample {
	counter, from, to := 0, before.marks[0].Sent, after.marks[0].Sent
	if cl.Kind == NoAck {
		counter, from, to = 1, before.marks[1].Recv, after.marks[1].Recv
	}
	units := float64(to - from)
	seconds := float64(after.marks[counter].T-before.marks[counter].T) / 1e9
	s := sample{
		Rate:   units / seconds,
		P50:    float64(after.marks[0].P50) / 1e3,
		P99:    float64(after.marks[0].P99) / 1e3,
		Errors: after.marks[0].Errs - before.marks[0].Errs,
	}
	if units > 0 {
		s.CPU = float64((after.cpu - before.cpu).Microseconds()) / units
		for i := range after.marks {
			s.Alloc += float64(after.marks[i].Alloc-before.marks[i].Alloc) / units
		}
	}
	return s
}
