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
// one is gone, before it says goodbye; for twice the stall time at most. What is written
// meanwhile is not waited for: who writes it gives it to others, too. Until the goodbye this
// member is the primary of what it was, and keeps the values that it decides by.
func (n *native) handOver() {
	ctx, cancel := context.WithTimeoutCause(n.ctx, 2*n.stall, errHandOver)
	defer cancel()
	n.mu.Lock()
	n.moved()
	n.leaving.Store(true)
	n.mu.Unlock()
	var left map[string]entry.State // nil: all
	for tries := 0; ctx.Err() == nil; tries++ {
		r := n.roster()
		if len(r.nodes) == 0 {
			return
		}
		var strays []*stray
		for e := range n.table.All() {
			if !e.Proxy && (left == nil || left[e.Key] == e.State()) {
				others, _ := r.split(e.Key)
				strays = append(strays, &stray{state: e.State(), others: others})
			}
		}
		if left = n.hand(ctx, strays); len(left) == 0 {
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
// not. It returns those that were not where they are to be before.
func (n *native) hand(ctx context.Context, strays []*stray) (left map[string]entry.State) {
	n.checkAll(ctx, strays)
	of := make(map[*peer][]string)
	left = make(map[string]entry.State)
	for _, s := range strays {
		if s.has < len(s.others) {
			left[s.state.Key] = s.state
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

// finish waits until what this member was asked is answered, and what is written here told, for
// the budget at most: who asks when it is closed asks another one, and who has no answer does not
// know what was decided. From the goodbye on some members take a write and others do not.
func (n *native) finish() {
	ctx, cancel := context.WithTimeoutCause(n.ctx, n.budget, errHandOver)
	defer cancel()
	written := make(chan struct{})
	n.wg.Go(func() { // ends at last with n.ctx and the peers
		n.writes.Wait()
		close(written)
	})
	for range maxBusy {
		select {
		case n.busy <- struct{}{}:
		case <-ctx.Done():
			n.log.Warn("members without an answer", "cause", context.Cause(ctx))
			return
		}
	}
	select {
	case <-written:
	case <-ctx.Done():
		n.log.Warn("writes not told to all", "cause", context.Cause(ctx))
	}
}
