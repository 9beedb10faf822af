package replmap

import (
	"context"
	"errors"
	"time"
)

// errHandOver is the cause of a context that ends with the time to hand over.
var errHandOver = errors.New("tribes: replmap: no time left to hand over values")

// handOver gives the values that are here to the members that are to have them when this
// one is gone, before it says goodbye; for twice the stall time at most.
func (n *native) handOver() {
	ctx, cancel := context.WithTimeoutCause(n.ctx, 2*n.stall, errHandOver)
	defer cancel()
	n.mu.Lock()
	n.moved()
	n.leaving.Store(true)
	n.mu.Unlock()
	for tries := 0; ctx.Err() == nil; tries++ {
		r := n.roster()
		if len(r.nodes) == 0 {
			return
		}
		var strays []*stray
		for e := range n.table.All() {
			if !e.Proxy {
				others, _ := r.split(e.Key)
				strays = append(strays, &stray{state: e.State(), others: others})
			}
		}
		if n.hand(ctx, strays) == 0 {
			return
		}
		select {
		case <-time.After(askAgain << min(tries, 6)):
		case <-ctx.Done():
		}
	}
	n.log.Warn("values could not be handed over", "cause", context.Cause(ctx))
}

// hand asks those that are to have values whether they do, and gives them to those that do
// not. It returns how many values were not where they are to be before.
func (n *native) hand(ctx context.Context, strays []*stray) (left int) {
	n.checkAll(ctx, strays)
	of := make(map[*peer][]string)
	for _, s := range strays {
		if s.has < len(s.others) {
			left++
		}
		for _, p := range s.lacks {
			of[p] = append(of[p], s.state.Key)
		}
	}
	for p, keys := range of {
		if err := n.push(ctx, p, keys); err != nil {
			n.log.Debug("values did not arrive", "member", p.Member(), "err", err)
		}
	}
	return left
}
