package channel

import (
	"context"
	"sync"
)

// tasks owns the goroutines that layers ask for. Before open they are
// remembered; after close none starts. The zero tasks is ready.
type tasks struct {
	mu      sync.Mutex
	ctx     context.Context // nil until open
	waiting []func(ctx context.Context)
	closed  bool
	wg      sync.WaitGroup
}

func (t *tasks) start(f func(ctx context.Context)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.closed:
	case t.ctx == nil:
		t.waiting = append(t.waiting, f)
	default:
		t.run(f)
	}
}

// run starts f; it ends when f heeds the end of ctx. Called with mu held.
func (t *tasks) run(f func(ctx context.Context)) {
	ctx := t.ctx
	t.wg.Go(func() { f(ctx) })
}

// open starts what was asked for so far; ctx is for all tasks.
func (t *tasks) open(ctx context.Context) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ctx = ctx
	for _, f := range t.waiting {
		t.run(f)
	}
	t.waiting = nil
}

// close lets no more start and waits for all, whose ctx has ended.
func (t *tasks) close() {
	t.mu.Lock()
	t.closed, t.waiting = true, nil
	t.mu.Unlock()
	t.wg.Wait()
}
