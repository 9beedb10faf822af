package replmap

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// confirm makes sure that there is no entry of a key which is not known here, before this
// member says so as its primary: it may be slow, and one that writes do not wait for any more,
// which only the others know. It asks all members that answer and reports whether one of them
// knows the key, which then is known here. The error says that one did not answer.
func (n *native) confirm(ctx context.Context, key string) (known bool, err error) {
	n.known.mu.Lock()
	r := n.known.next
	if r == nil {
		if !n.known.runs && !n.begin(n.confirmAll) {
			n.known.mu.Unlock()
			return false, ErrClosed
		}
		r = &round{done: make(chan struct{})}
		n.known.next, n.known.runs = r, true
	}
	r.keys = append(r.keys, key)
	n.known.mu.Unlock()
	select {
	case <-r.done:
	case <-n.ctx.Done():
		return false, ErrClosed
	case <-ctx.Done():
		return false, context.Cause(ctx)
	}
	return len(n.table.States([]string{key})) > 0, r.err
}

// confirming is the state of confirm. One round of questions goes on at a time, and the next
// one is about all keys that came meanwhile: so those who ask for what never was cost no more
// messages than that.
type confirming struct {
	mu   sync.Mutex
	next *round // not begun
	runs bool
}

type round struct {
	keys []string
	done chan struct{} // closed when all have been asked; then err is set
	err  error
}

// confirmAll has rounds as long as there is something to ask.
func (n *native) confirmAll(ctx context.Context) {
	for {
		n.known.mu.Lock()
		r := n.known.next
		n.known.next, n.known.runs = nil, r != nil
		n.known.mu.Unlock()
		if r == nil {
			return
		}
		slices.Sort(r.keys)
		r.err = n.askForAny(ctx, slices.Compact(r.keys))
		close(r.done)
	}
}

// askForAny takes what the others know of keys. The error is of those that still answer and
// did not answer this.
func (n *native) askForAny(ctx context.Context, keys []string) error {
	var questions sync.WaitGroup
	all := n.peers.All()
	failed := make([]error, len(all))
	for i, p := range all {
		if !p.Answers() {
			continue
		}
		questions.Go(func() {
			if err := n.newHarvest().ask(ctx, p, keys); err != nil && p.Answers() {
				failed[i] = fmt.Errorf("%v: %w", p.Member(), err)
			}
		})
	}
	questions.Wait()
	return errors.Join(failed...)
}
