package replica

import (
	"context"
	"slices"
	"sync"

	"github.com/gotribes/tribes/session/internal/record"
)

// asking puts what is to be asked of one peer at the same time into one question: a peer
// answers no more than a few of them at a time.
type asking struct {
	mu   sync.Mutex
	next *askedFor // what to ask for when the question before is answered; nil is nothing
	busy bool      // somebody asks, or is about to
}

// askedFor are the sessions of one question.
type askedFor struct {
	keys []record.Key
	done chan struct{} // closed when it is answered, or was not in time
}

// get gets what the peer has of a session, or waits until ctx ends.
func (p *peer) get(ctx context.Context, k record.Key) {
	a := &p.asking
	a.mu.Lock()
	if a.next == nil {
		a.next = &askedFor{done: make(chan struct{})}
	}
	q := a.next
	q.keys = append(q.keys, k)
	begin := !a.busy
	a.busy = true
	a.mu.Unlock()
	if begin {
		p.e.run(p.getAll) // ends when there is nothing to ask for
	}
	select {
	case <-q.done:
	case <-ctx.Done():
	}
}

// getAll asks for what there is to ask for, one question after the other.
func (p *peer) getAll(ctx context.Context) {
	a := &p.asking
	for {
		a.mu.Lock()
		q := a.next
		a.next, a.busy = nil, q != nil
		a.mu.Unlock()
		if q == nil {
			return
		}
		p.getSome(ctx, q.keys)
		close(q.done)
	}
}

func (p *peer) getSome(ctx context.Context, keys []record.Key) {
	slices.SortFunc(keys, record.Key.Compare)
	ctx, cancel := context.WithTimeout(ctx, p.e.cfg.Budget)
	defer cancel()
	if err := p.e.fetch(ctx, p, slices.Compact(keys)); err != nil {
		p.e.cfg.Logger.Debug("sessions not fetched", "member", p.Member(), "sessions", len(keys), "err", err)
	}
}
