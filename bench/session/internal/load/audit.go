package load

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/gotribes/tribes/bench/session/internal/web"
)

const (
	auditLimit  = 500
	settleLimit = 3 * time.Second // unless it is chosen
	settleStep  = 50 * time.Millisecond
	auditors    = 4
)

// check is an attribute to be looked at on all nodes that ought to have it.
type check struct {
	ids   []string // the session's; more than one where a node may have renamed it
	name  string
	want  uint64 // the last acknowledged tag; for a counter the sum
	nodes []int
	// copies is how many of the nodes ought to have it, and the others nothing or the same;
	// 0 is all of them.
	copies int
}

// finding is the outcome of a check.
type finding struct {
	stale, differing bool
	highest          uint64
}

// audit carries out checks, again until all is well or the time for settling is over.
func audit(ctx context.Context, dials []web.Dial, all []check, settle time.Duration) ([]finding, error) {
	found := make([]finding, len(all))
	todo := make([]int, len(all))
	for i := range todo {
		todo[i] = i
	}
	for begin := time.Now(); ; {
		if err := auditOnce(ctx, dials, all, todo, found); err != nil {
			return nil, err
		}
		var bad []int
		for _, i := range todo {
			if found[i].stale || found[i].differing {
				bad = append(bad, i)
			}
		}
		if todo = bad; len(todo) == 0 || time.Since(begin) > settle {
			return found, nil
		}
		select {
		case <-time.After(settleStep):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// auditOnce carries out the checks of todo, several at a time.
func auditOnce(ctx context.Context, dials []web.Dial, all []check, todo []int, found []finding) error {
	var wait sync.WaitGroup
	errs := make([]error, auditors)
	for a := range auditors {
		wait.Go(func() {
			conns := make([]*web.Conn, len(dials))
			for i, d := range dials {
				conns[i] = &web.Conn{Dial: d, Timeout: requestLimit}
				defer conns[i].Close()
			}
			for j := a; j < len(todo) && errs[a] == nil && ctx.Err() == nil; j += auditors {
				found[todo[j]], errs[a] = all[todo[j]].look(ctx, conns)
			}
		})
	}
	wait.Wait()
	return errors.Join(append(errs, ctx.Err())...)
}

func (c check) look(ctx context.Context, conns []*web.Conn) (f finding, err error) {
	lowest, good := ^uint64(0), 0
	for _, n := range c.nodes {
		var tag uint64
		for _, id := range c.ids {
			if err := conns[n].Do(ctx, "GET", "/session?id="+id+"&name="+c.name, nil, nil); err != nil {
				return f, err
			}
			tag = max(tag, conns[n].Reply.Tag)
		}
		if tag >= c.want {
			good++
		}
		if f.highest = max(f.highest, tag); tag > 0 || c.copies == 0 {
			lowest = min(lowest, tag)
		}
	}
	need := c.copies
	if need == 0 {
		need = len(c.nodes)
	}
	f.stale, f.differing = good < need, lowest < f.highest
	return f, nil
}

// Rest is what an audit found.
type Rest struct {
	Checked   int `json:"checkedAttributes"`
	Stale     int `json:"staleAttributes"`
	Differing int `json:"differingReplicas"`
}

// Audit looks at attributes of sessions, at most limit and spread over all of them, on
// each of the nodes, which nobody must write to meanwhile. An attribute is stale if fewer
// nodes than copies have it as it was last acknowledged; 0 stands for all of them.
func Audit(ctx context.Context, dials []web.Dial, sessions []*Session, copies, limit int) (r Rest, err error) {
	everywhere := make([]int, len(dials))
	for i := range everywhere {
		everywhere[i] = i
	}
	all := checks(sessions, func(*Session) []int { return everywhere }, limit)
	for i := range all {
		all[i].copies = copies
	}
	found, err := audit(ctx, dials, all, settleLimit)
	r.Checked = len(all)
	for _, f := range found {
		if f.stale {
			r.Stale++
		}
		if f.differing {
			r.Differing++
		}
	}
	return r, err
}

// Held counts the sessions of which a node has the first attribute at this moment.
func Held(ctx context.Context, node web.Dial, ids []string) (n int, err error) {
	var all []check
	todo := make([]int, len(ids))
	for i, id := range ids {
		all = append(all, check{ids: []string{id}, name: attrName(0), want: 1, nodes: []int{0}})
		todo[i] = i
	}
	found := make([]finding, len(all))
	err = auditOnce(ctx, []web.Dial{node}, all, todo, found)
	for _, f := range found {
		if !f.stale {
			n++
		}
	}
	return n, err
}

// checks of the sessions, at most limit, spread over all of them.
func checks(sessions []*Session, nodes func(*Session) []int, limit int) []check {
	var all []check
	if len(sessions) == 0 {
		return nil
	}
	stride := max(1, len(sessions)/limit)
	each := max(1, limit/len(sessions))
	for i := 0; i < len(sessions) && len(all) < limit; i += stride {
		s := sessions[i]
		step := max(1, len(s.Acked)/each)
		for a := len(s.Acked) - 1; a >= 0; a -= step {
			all = append(all, check{ids: []string{s.ID()}, name: attrName(a), want: s.Acked[a], nodes: nodes(s)})
		}
	}
	return all
}
