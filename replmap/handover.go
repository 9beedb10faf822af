package replmap

import (
	"context"
	"errors"
	"time"

	"github.com/gotribes/tribes/replmap/internal/entry"
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
		strays := make(map[string]*stray)
		for e := range n.table.All() {
			if !e.Proxy {
				others, _ := r.split(e.Key)
				strays[e.Key] = &stray{state: e.State(), others: others, placed: true}
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

// hand gives values to those that do not have them. It returns how many it could not.
func (n *native) hand(ctx context.Context, strays map[string]*stray) (left int) {
	all := make([]*stray, 0, len(strays))
	of := make(map[*peer][]string)
	for _, s := range strays {
		all = append(all, s)
	}
	n.checkAll(ctx, all)
	for _, s := range all {
		if s.has < len(s.others) {
			for _, p := range s.others {
				of[p] = append(of[p], s.state.Key)
			}
		}
	}
	for p, keys := range of {
		if err := n.push(ctx, p, keys); err != nil {
			left += len(keys)
		}
	}
	return left
}

var _ = entry.Buckets
