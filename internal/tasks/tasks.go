// Package tasks owns goroutines that are asked for before there is a context for them.
package tasks

import (
	"context"
	"sync"
)

// Tasks are goroutines with one owner. Before Open they are remembered; after Close none
// starts. The zero Tasks is ready. Start can be called from any number of goroutines.
type Tasks struct {
	mu      sync.Mutex
	ctx     context.Context // nil until Open
	waiting []func(ctx context.Context)
	closed  bool
	wg      sync.WaitGroup
}

// Start has f run in a goroutine; it ends when f heeds the end of its context.
func (t *Tasks) Start(f func(ctx context.Context)) {
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

// run is called with mu held.
func (t *Tasks) run(f func(ctx context.Context)) {
	ctx := t.ctx
	t.wg.Go(func() { f(ctx) })
}

// Open starts what was asked for so far; ctx is for all tasks.
func (t *Tasks) Open(ctx context.Context) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ctx = ctx
	for _, f := range t.waiting {
		t.run(f)
	}
	t.waiting = nil
}

// Close lets no more start and waits for all, whose context has ended.
func (t *Tasks) Close() {
	t.mu.Lock()
	t.closed, t.waiting = true, nil
	t.mu.Unlock()
	t.wg.Wait()
}
